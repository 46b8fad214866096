import { SalvorError } from '../errors.ts';
import { storedPathOf } from '../points/moved-places.ts';
import type { OpenPoint } from '../points/open-point.ts';

/** What a person asked to be restored. */
export type RestoreWish = {
  readonly only: 'files' | 'databases' | null;
  /** Relative to the site's directory. */
  readonly paths: readonly string[];
  /** `T` or `DB.T`. */
  readonly tables: readonly string[];
};

/** What of a point is restored. */
export type RestoreScope = {
  /** The whole directory, some paths in it (none lies in another), or nothing. */
  readonly files: 'all' | readonly string[];
  readonly databases: readonly DatabaseScope[];
};

export type DatabaseScope = {
  readonly name: string;
  /** The whole database, so that tables which the point does not have leave it; or these tables alone. */
  readonly tables: 'all' | readonly string[];
};

/**
 * Turns the wish into what the point can give. Paths alone mean no table and tables alone mean no file.
 * Throws `path-unknown`, `table-unknown`, and `point-incomplete` where a whole kind is missing.
 */
export async function readScope(wish: RestoreWish, point: OpenPoint): Promise<RestoreScope> {
  const isPart = wish.paths.length > 0 || wish.tables.length > 0;
  const { manifest } = point;
  if (isPart) {
    const files = wish.only === 'databases' ? [] : await readPaths(wish.paths, point);
    const databases = wish.only === 'files' ? [] : readTables(wish.tables, point);
    return { files, databases };
  }
  const refuse = (problem: string): never => {
    throw new SalvorError('point-incomplete', { point: manifest.point, problem });
  };
  if (wish.only === 'databases' && manifest.databases.length === 0) refuse('it holds no database');
  if (wish.only === 'files' && manifest.files === null) refuse('it holds no files');
  return {
    files: wish.only === 'databases' || manifest.files === null ? [] : 'all',
    databases: wish.only === 'files' ? [] : manifest.databases.map(({ name }) => ({ name, tables: 'all' })),
  };
}

async function readPaths(paths: readonly string[], point: OpenPoint): Promise<'all' | readonly string[]> {
  const wanted = [...new Set(paths.map((path) => normalisePath(path, point)))];
  if (wanted.includes('')) return 'all';
  for (const path of wanted) {
    try {
      await point.view.stat(storedPathOf(point.manifest, path));
    } catch (cause) {
      if (!(cause instanceof Error && 'code' in cause && cause.code === 'path-unknown')) throw cause;
      throw new SalvorError('path-unknown', { point: point.manifest.point, path }, { cause });
    }
  }
  return wanted.filter((path) => !wanted.some((other) => path.startsWith(`${other}/`))).toSorted();
}

function normalisePath(path: string, point: OpenPoint): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (path.startsWith('/') || parts.includes('..') || path.includes('\0'))
    throw new SalvorError('path-unknown', { point: point.manifest.point, path });
  return parts.join('/');
}

function readTables(tables: readonly string[], point: OpenPoint): DatabaseScope[] {
  const chosen = new Map<string, Set<string>>();
  for (const wanted of tables) {
    const found = findTables(wanted, point);
    const [first] = found;
    if (first === undefined || found.length > 1)
      throw new SalvorError('table-unknown', { point: point.manifest.point, table: wanted });
    const names = chosen.get(first.database) ?? new Set();
    chosen.set(first.database, names.add(first.table));
  }
  return [...chosen].map(([name, names]) => ({ name, tables: [...names].toSorted() }));
}

/** A bare name may hold dots itself: whatever fits is looked at, and more than one is nobody's table. */
function findTables(wanted: string, point: OpenPoint): { database: string; table: string }[] {
  return point.manifest.databases.flatMap((database) =>
    database.files
      .filter(({ table }) => table !== null && (table === wanted || `${database.name}.${table}` === wanted))
      .map(({ table }) => ({ database: database.name, table: table ?? '' })),
  );
}

/** Whether the point's path, relative to the site's directory, is restored, or leads to something that is. */
export function isInScope(scope: RestoreScope, path: string): boolean {
  if (scope.files === 'all' || path === '') return scope.files === 'all' || scope.files.length > 0;
  return scope.files.some(
    (wanted) => path === wanted || path.startsWith(`${wanted}/`) || wanted.startsWith(`${path}/`),
  );
}
