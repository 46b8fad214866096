import { openConnection } from '../databases/mariadb/connect.ts';
import { compareTables } from '../databases/mariadb/compare.ts';
import { type LoadPart, type LoadResult, loadDump } from '../databases/mariadb/load.ts';
import { createScratch } from '../databases/mariadb/scratch.ts';
import { SalvorError } from '../errors.ts';
import type { OpenPoint } from '../points/open-point.ts';
import type { Site } from '../sites/site.ts';
import type { ScratchDatabase } from './journal.ts';
import type { PlannedDatabase } from './plan-restore.ts';
import type { SwitchTools } from './switch-site.ts';
import type { TaskRun } from './task-run.ts';

/** The databases of a task: where a dump is loaded (`new`), and where what it replaces is kept (`old`). */
export function nameDatabases(
  task: string,
  planned: PlannedDatabase,
  index: number,
): { built: ScratchDatabase; old: ScratchDatabase } {
  const server = planned.database.login.address;
  const number = index === 0 ? '' : String(index + 1);
  const make = (kind: string): ScratchDatabase => {
    const name = `salvor_${task}_${kind}${number}`;
    return { server, name, user: name };
  };
  return { built: make('new'), old: make('old') };
}

export type BuiltDatabase = { readonly planned: PlannedDatabase; readonly definers: LoadResult['definers'] };

/**
 * Loads the point's tables in scope into a scratch database and counts every row of them. Throws `restore-differs`
 * where the loaded database is not what the manifest says, and what the load throws.
 */
export async function buildDatabase(
  site: Site,
  point: OpenPoint,
  planned: PlannedDatabase,
  built: ScratchDatabase,
  tools: SwitchTools,
  run: TaskRun,
): Promise<BuiltDatabase> {
  const { stored, isWhole } = planned;
  const admin = await tools.administratorOf(built.server, site.account.home);
  const scratch = await createScratch(admin, {
    name: built.name,
    user: built.user,
    password: Buffer.from(run.randomBytes(24)).toString('base64url'),
    charset: stored.charset,
    collation: stored.collation,
    signal: run.signal,
  });
  const { definers } = await loadDump(scratch, partsOf(point, planned), {
    defaultsDirectory: run.scratch,
    admin,
    signal: run.signal,
    onProgress: ({ file, bytes }) => run.progress({ bytes, current: file }),
  });
  const coming = new Set(planned.incoming);
  const expected = stored.files.flatMap(({ table, rows }) =>
    table === null || !coming.has(table) ? [] : [{ table, rows: rows ?? 0 }],
  );
  await using connection = await openConnection(admin, { signal: run.signal });
  const differences = await compareTables(connection, built.name, expected);
  if (differences.length > 0) {
    const what = differences.slice(0, 5).map(({ message }) => message);
    throw new SalvorError('restore-differs', { site: site.uri, what: what.join('; ') });
  }
  return { planned, definers: isWhole ? definers : [] };
}

/** Head and tables as they are in the point; its tail makes views and triggers, which single tables come without. */
function partsOf(point: OpenPoint, { stored, incoming, isWhole }: PlannedDatabase): readonly LoadPart[] {
  const coming = new Set(incoming);
  return stored.files
    .filter(({ table }) => table === null || coming.has(table))
    .map(({ name, kind, table }) => ({
      file: name,
      kind,
      table,
      open: () => (kind === 'tail' && !isWhole ? emptyTail() : point.view.read(`/databases/${stored.name}/${name}`)),
    }));
}

async function* emptyTail(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('-- Dump completed\n');
}
