/**
 * Which product a server is, by what it says of itself, and whether we write to it. Switching tables rests on things that
 * are MariaDB's own (one RENAME TABLE that a killed server does wholly or not at all) and that were tried there only.
 */
import { SalvorError } from '../../errors.ts';
import { type DatabaseConnection, describeAddress } from './connect.ts';

export type ServerProduct = {
  readonly product: 'mariadb' | 'mysql' | 'percona' | 'unknown';
  /** `MariaDB 10.11.19`: for people. */
  readonly name: string;
  /** Whether scratch databases are made and tables switched there; dumps are made of all. */
  readonly isWritable: boolean;
  /** Whether this very version was tried, killed at every step; another one of the family is written to and named. */
  readonly isTried: boolean;
};

/** RENAME TABLE of several tables is undone by the start of a server that was killed in it since this one. */
const FIRST_WRITABLE = [10, 6] as const;

/** What `docs/databases.md` says was tried. */
const TRIED = [10, 11] as const;

/** Pure. `version` is `VERSION()`, `comment` is `@@version_comment`; a hoster may have changed either. */
export function judgeServer({
  version,
  comment,
}: {
  readonly version: string;
  readonly comment: string;
}): ServerProduct {
  const says = (word: string): boolean => `${version} ${comment}`.toLowerCase().includes(word);
  // Replicas of old once needed a version below 10: MariaDB may put one in front of its own.
  const number = /^(?:5\.5\.5-)?(\d+)\.(\d+)(?:\.(\d+))?/.exec(version);
  const [major, minor] = [Number(number?.[1] ?? 0), Number(number?.[2] ?? 0)];
  const shown = number === null ? version : number.slice(1).filter(Boolean).join('.');
  if (says('percona'))
    return { product: 'percona', name: `Percona Server ${shown}`, isWritable: false, isTried: false };
  if (says('mysql') || [5, 8, 9].includes(major))
    return says('mariadb') && major < 8
      ? { product: 'mariadb', name: `MariaDB ${shown}`, isWritable: false, isTried: false }
      : { product: 'mysql', name: `MySQL ${shown}`, isWritable: false, isTried: false };
  if (!version.toLowerCase().includes('mariadb') && !comment.toLowerCase().includes('mariadb'))
    return {
      product: 'unknown',
      name: `an unknown server (${version}, ${comment})`,
      isWritable: false,
      isTried: false,
    };
  const isWritable = major > FIRST_WRITABLE[0] || (major === FIRST_WRITABLE[0] && minor >= FIRST_WRITABLE[1]);
  const isTried = major === TRIED[0] && minor === TRIED[1];
  return { product: 'mariadb', name: `MariaDB ${shown}`, isWritable, isTried };
}

export async function readServerProduct(connection: DatabaseConnection): Promise<ServerProduct> {
  const [row] = await connection.query<{ version: string; comment: string }>(
    'SELECT VERSION() AS version, @@version_comment AS comment',
  );
  return judgeServer(row ?? { version: '', comment: '' });
}

/** Throws 'database-server-untested'. */
export async function requireWritableServer(connection: DatabaseConnection): Promise<void> {
  const { isWritable, name } = await readServerProduct(connection);
  if (isWritable) return;
  throw new SalvorError('database-server-untested', {
    server: describeAddress(connection.login.address),
    product: name,
  });
}
