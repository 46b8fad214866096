import {
  type DatabaseAccount,
  type DatabaseConnection,
  type DatabaseLogin,
  openConnection,
  quoteName,
  readAccount,
} from '../databases/mariadb/connect.ts';
import { compareTables } from '../databases/mariadb/compare.ts';
import { findEqualTables } from '../databases/mariadb/equal-tables.ts';
import { findSequences } from '../databases/mariadb/find-sequences.ts';
import { readSwapFacts } from '../databases/mariadb/inspect-swap.ts';
import { type LoadPart, loadDump } from '../databases/mariadb/load.ts';
import { dropObjects } from '../databases/mariadb/objects.ts';
import { type SwapScope, WHOLE_DATABASE, planSwap } from '../databases/mariadb/plan-swap.ts';
import { findReachingViews } from '../databases/mariadb/reaching-views.ts';
import { type Scratch, createScratch } from '../databases/mariadb/scratch.ts';
import type { ViewEntry } from '@salvor/engine';
import { SalvorError } from '../errors.ts';
import { dumpPathOf, type ManifestDatabase } from '../points/manifest.ts';
import type { OpenPoint } from '../points/open-point.ts';
import type { Site, SiteDatabase } from '../sites/site.ts';
import { emptyTables } from './empty-tables.ts';
import { isOfOther, keepOwnAddresses } from './into-site.ts';
import type { ScratchDatabase } from './journal.ts';
import { type PlannedDatabase, bytesOfDump } from './plan-database.ts';
import { scratchDatabase, scratchName } from './scratch-names.ts';
import type { SwitchTools, TableSwap } from './switch-site.ts';
import type { TaskRun } from './task-run.ts';

/** The databases of a task: where a dump is loaded (`new`), and where what it replaces is kept (`old`). */
export function nameDatabases(
  task: string,
  planned: PlannedDatabase,
  index: number,
): { built: ScratchDatabase; old: ScratchDatabase } {
  const server = planned.database.login.address;
  return {
    built: scratchDatabase(server, scratchName(task, 'new', index)),
    old: scratchDatabase(server, scratchName(task, 'old', index)),
  };
}

/** Changes rows of a database that was built and that nobody uses yet. */
export type ChangeTables = (
  connection: DatabaseConnection,
  built: { readonly database: string; readonly planned: PlannedDatabase },
) => Promise<void>;

/**
 * Loads the point's tables in scope into a scratch database and counts every row of them. Throws `restore-differs`
 * where the loaded database is not what the manifest says, and what the load and the plan of the swap throw. `change` is
 * called when all is compared: its tables have no triggers then, which come with the switch.
 */
export async function buildDatabase(
  site: Site,
  point: OpenPoint,
  planned: PlannedDatabase,
  names: { readonly built: ScratchDatabase; readonly old: ScratchDatabase },
  tools: Pick<SwitchTools, 'administratorOf'>,
  run: TaskRun,
  change?: ChangeTables,
): Promise<TableSwap> {
  const { stored, database, isWhole } = planned;
  const { built, old } = names;
  const admin = await tools.administratorOf(built.server, site.account.home);
  const create = (): Promise<Scratch> =>
    createScratch(admin, {
      name: built.name,
      user: built.user,
      password: Buffer.from(run.randomBytes(24)).toString('base64url'),
      charset: stored.charset,
      collation: stored.collation,
      signal: run.signal,
    });
  const scratch = await run.audit('create-database', `database ${built.name}`, create);
  const parts = await partsOf(point, planned);
  const { definers } = await run.audit('load-dump', `database ${built.name}`, () =>
    loadDump(scratch, parts, {
      defaultsDirectory: run.scratch,
      admin,
      signal: run.signal,
      onProgress: ({ file, bytes }) => run.progress({ bytes, bytesTotal: bytesOfDump(planned), current: file }),
    }),
  );
  const coming = new Set(planned.incoming);
  const loaded = new Set(parts.map(({ table }) => table));
  const expected = stored.files.flatMap(({ table, rows }) =>
    table === null || !loaded.has(table) ? [] : [{ table, rows: rows ?? 0 }],
  );
  if (planned.facts === null)
    await run.audit('create-database', `database ${database.name}`, () =>
      remakeDatabase(admin, database.name, stored, run.signal),
    );
  const differences = await compareTables(admin, built.name, expected, { signal: run.signal });
  if (differences.length > 0) {
    const what = differences.slice(0, 5).map(({ message }) => message);
    throw new SalvorError('restore-differs', { site: site.uri, what: what.join('; ') });
  }
  await using connection = await openConnection(admin, { signal: run.signal });
  await emptyTables(connection, built.name, planned.emptied);
  if (isOfOther(site, point.manifest) && planned.facts !== null && coming.has(`${database.prefix}options`))
    await keepOwnAddresses(admin, site, database, built.name);
  const wish = { live: database.name, scratch: built.name };
  const plan = planSwap(await readSwapFacts(admin, wish, { signal: run.signal }), {
    ...wish,
    old: old.name,
    scope: isWhole ? await findScope(admin, planned) : { tables: planned.incoming },
    definer: await readDefiner(database, run.signal),
    definers,
  });
  if (change !== undefined) {
    await dropObjects(connection, built.name, plan.scratchTriggers);
    await change(connection, { database: built.name, planned });
  }
  // Of another site's point, and for another database, it is the very wish that what was that one's own becomes this one's.
  const isAnother = isOfOther(site, point.manifest) || database.name !== stored.name;
  const given = isAnother ? definers.filter(({ definer }) => definer.user === stored.user) : [];
  // Of an archive they were the user's that loaded it to look what it holds.
  const ours = definers.filter(({ definer }) => isLoader(definer.user));
  const isGiven = (name: string): boolean => [...given, ...ours].some((found) => found.name === name);
  run.note(
    ...plan.problems
      .filter(({ code, name }) => code !== 'definer-rewritten' || !isGiven(name))
      .map(({ code, name, message }) => ({ code, message, path: `${database.name}.${name}` })),
  );
  return {
    server: built.server,
    plan: { ...plan, mayStay: await findEqualTables(admin, plan, { signal: run.signal }) },
  };
}

async function findScope(admin: DatabaseLogin, { database, names }: PlannedDatabase): Promise<SwapScope> {
  if (names === null) return WHOLE_DATABASE;
  await using connection = await openConnection(admin);
  return { names, stays: [...(await findReachingViews(connection, database.name, names))] };
}

function isLoader(user: string): boolean {
  return /^salvor_[0-9a-z]{12}_new\d*$/.test(user);
}

/** A database that is gone is made again, empty: the grants of the site's user are of its name and still there. */
async function remakeDatabase(
  admin: DatabaseLogin,
  name: string,
  stored: ManifestDatabase,
  signal: AbortSignal,
): Promise<void> {
  await using connection = await openConnection(admin, { signal });
  const { charset, collation } = stored;
  await connection.make(() =>
    connection.execute(
      `CREATE DATABASE IF NOT EXISTS ${quoteName(name)} CHARACTER SET ${quoteName(charset)} COLLATE ${quoteName(collation)}`,
    ),
  );
}

/** The site's own account as the server knows it: what is made in the live database is made in its name. */
async function readDefiner(database: SiteDatabase, signal: AbortSignal): Promise<DatabaseAccount> {
  await using connection = await openConnection(database.login, { signal });
  return await readAccount(connection);
}

/**
 * Head and tables as they are in the point; its tail makes views and triggers, which single tables come without. These
 * come with all sequences: defaults of their columns may name them.
 */
async function partsOf(point: OpenPoint, { stored, incoming, isWhole }: PlannedDatabase): Promise<readonly LoadPart[]> {
  const read = readParts(point, dumpPathOf(stored));
  const all = stored.files.map(({ name, kind, table, bytes }) => ({
    file: name,
    kind,
    table,
    size: bytes,
    open: () => (kind === 'tail' && !isWhole ? emptyTail() : read(name)),
  }));
  // With a dump's tail all that it may name is loaded, also what is another site's by now: that part is not switched.
  if (isWhole) return all;
  const wanted = new Set(incoming);
  const sequences = new Set(await findSequences(all));
  return all.filter((part) => part.table === null || wanted.has(part.table) || sequences.has(part));
}

/** Looks for all parts at once: the listing of a large dump is long, and would be read again for each of its tables. */
function readParts(point: OpenPoint, directory: string): (name: string) => AsyncIterable<Uint8Array> {
  let listed: Promise<ReadonlyMap<string, ViewEntry>> | null = null;
  const list = async (): Promise<ReadonlyMap<string, ViewEntry>> => {
    const entries = new Map<string, ViewEntry>();
    for await (const entry of point.view.list(directory)) entries.set(entry.name, entry);
    return entries;
  };
  return async function* (name) {
    const entry = (await (listed ??= list())).get(name);
    if (entry === undefined) yield* point.view.read(`${directory}/${name}`);
    else yield* point.view.readEntry(entry);
  };
}

async function* emptyTail(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('-- Dump completed\n');
}
