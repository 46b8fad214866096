/**
 * Tables that need not change places, because the one that comes holds the very same as the one that is there: the live
 * one stays, and the one that was to come is kept as what was replaced. A server syncs its disk about ten times for each
 * table that changes places, and all that time visitors wait.
 *
 *   before the switch   which are equal, value by value, and what their rows sum up to      → in the plan, in the journal
 *   in the switch       lock them against writes → summed again → those that differ by now move as all others do
 *                       → one RENAME TABLE of these → unlock → the copies move to what is kept
 *
 * Where a table moves as fast as it is summed, or few move at all, none stays.
 */
import { type DatabaseConnection, type DatabaseLogin, openConnection, quoteName } from './connect.ts';
import { readForeignKeys } from './foreign-keys.ts';
import { inSessions, SESSIONS } from './in-sessions.ts';
import { locateTables } from './inspect-swap.ts';
import { type EqualTable, stubsOf, type SwapPlan } from './plan-swap.ts';
import { checksumTables, readTables } from './probe.ts';

export type FindOptions = {
  readonly signal?: AbortSignal;
  /** From how many tables on it is looked for any; default 40. */
  readonly fromTables?: number;
  /** What a table costs that changes places; measured on the server where it is not given. */
  readonly moveMs?: number;
};

/** Fewer change places in less than half a second on the slowest disk that was measured. */
const FROM_TABLES = 40;
/** A switch that is shorter needs nothing of this. */
const SHORT_SWITCH_MS = 300;
/** What summing them may add to the switch. */
const MAX_HOLD_MS = 500;
/** A larger one changes places sooner than it is read. */
const MAX_TABLE_BYTES = 2 * 1024 * 1024;

/**
 * Which tables of a plan are equal on both sides: definition, number of rows, and every value of every row, to the byte.
 * Empty where that would save nothing. Reads only, but for a scratch table that it renames there and back.
 */
export async function findEqualTables(
  admin: DatabaseLogin,
  plan: SwapPlan,
  options: FindOptions = {},
): Promise<readonly EqualTable[]> {
  const { signal, fromTables = FROM_TABLES } = options;
  const pairs = plan.moves.filter(({ leaves, comes }) => leaves && comes).map(({ table }) => table);
  if (pairs.length < fromTables) return [];
  await using connection = await openConnection(admin, { signal });
  const plain = await findPlainTables(connection, plan, pairs);
  const [first] = plain;
  if (first === undefined || plain.length < fromTables) return [];
  const moveMs = options.moveMs ?? (await measureMove(connection, plan.scratch, first));
  if (moveMs * pairs.length < SHORT_SWITCH_MS) return [];

  const columns = await readColumns(connection, plan.live, plain);
  const stamps = await readStamps(connection, plan.live, plain);
  const found: (EqualTable & { readonly ms: number })[] = [];
  await inSessions(plain, { admin, signal }, async (session, table) => {
    const began = performance.now();
    const [coming] = await checksumTables(session, plan.scratch, [table]);
    const ms = performance.now() - began;
    // Half of it: a table that stays is read, and one that is not equal any more is read and moves.
    if (ms > moveMs / 2) return;
    const [live] = await checksumTables(session, plan.live, [table]);
    if (coming === undefined || coming.checksum === null || coming.checksum !== live?.checksum) return;
    if (!(await isEqual(session, plan, table, columns.get(table) ?? []))) return;
    found.push({ table, checksum: coming.checksum, stamp: stamps.get(table) ?? '', ms });
  });
  const taken = takeWithin(found);
  // One at least moves: by where it is the server is asked how far a switch has come.
  return taken.length < plan.moves.length ? taken : taken.slice(1);
}

/** The cheapest first: the most of them in the time that they may take. */
function takeWithin(found: readonly (EqualTable & { readonly ms: number })[]): readonly EqualTable[] {
  const taken: EqualTable[] = [];
  let spentMs = 0;
  for (const { ms, ...equal } of found.toSorted((a, b) => a.ms - b.ms)) {
    spentMs += ms / SESSIONS;
    if (spentMs > MAX_HOLD_MS) break;
    taken.push(equal);
  }
  return taken.toSorted((a, b) => (a.table < b.table ? -1 : 1));
}

/** Tables that stay where they are for as long as this is held: nobody can write to them. */
export type HeldTables = AsyncDisposable & { readonly tables: ReadonlySet<string> };

/**
 * Locks those that may stay and sums them again. Waits for nobody: a table that is being written to fails it with the
 * server's error for that. One that was written to, altered or dropped since is not among what it gives.
 */
export async function holdEqualTables(admin: DatabaseLogin, plan: SwapPlan): Promise<HeldTables> {
  const equal = plan.mayStay ?? [];
  if (equal.length === 0) return { tables: new Set(), [Symbol.asyncDispose]: async () => {} };
  await using resources = new AsyncDisposableStack();
  const keeper = resources.use(await openConnection(admin, { lockWaitSeconds: 0 }));
  const names = equal.map(({ table }) => `${quoteName(plan.live, table)} READ`);
  await keeper.execute(`LOCK TABLES ${names.join(', ')}`);
  const stamps = await readStamps(
    keeper,
    plan.live,
    equal.map(({ table }) => table),
  );
  const tables = new Set<string>();
  await inSessions(equal, { admin }, async (session, { table, checksum, stamp }) => {
    if (!isSameStamp(stamp, stamps.get(table))) return;
    const [now] = await checksumTables(session, plan.live, [table]);
    if (now?.checksum === checksum) tables.add(table);
  });
  const kept = resources.move();
  return {
    tables,
    [Symbol.asyncDispose]: async () => {
      // At once: to end the session takes a while longer.
      await keeper.execute('UNLOCK TABLES').catch(() => undefined);
      await kept.disposeAsync();
    },
  };
}

/**
 * Puts the copies of those that stayed where what was replaced is kept: after the switch, when nobody waits for it.
 * Idempotent, for after a crash.
 */
export async function keepCopies(admin: DatabaseLogin, plan: SwapPlan): Promise<void> {
  const equal = plan.mayStay ?? [];
  if (equal.length === 0) return;
  await using connection = await openConnection(admin);
  // Of a switch that was taken back they stay where they are.
  if ((await locateTables(connection, plan)).state !== 'after') return;
  const there = new Set((await readTables(connection, plan.scratch)).map(({ name }) => name));
  const renames = equal
    .filter(({ table }) => there.has(table))
    .map(({ table }) => `${quoteName(plan.scratch, table)} TO ${quoteName(plan.old, table)}`);
  if (renames.length > 0) await connection.execute(`RENAME TABLE ${renames.join(', ')}`);
}

/** Those that are of one piece for themselves: no trigger, no foreign key on either side, no partition, no old rows. */
async function findPlainTables(
  connection: DatabaseConnection,
  plan: SwapPlan,
  pairs: readonly string[],
): Promise<readonly string[]> {
  const bound = new Set<string>([...stubsOf(plan).leaving, ...stubsOf(plan).coming, ...plan.partitioned]);
  for (const object of [...plan.incoming, ...plan.outgoing, ...plan.scratchTriggers])
    if (object.kind === 'trigger') bound.add(object.table ?? '');
  for (const key of await readForeignKeys(connection, [plan.live, plan.scratch]))
    bound.add(key.table).add(key.refersToTable);
  const readPlain = async (database: string): Promise<ReadonlySet<string>> => {
    const tables = await readTables(connection, database);
    const plain = tables.filter(
      ({ kind, engine, hasPrimaryKey, isVersioned, isPartitioned, approximateDataBytes }) =>
        kind === 'table' &&
        engine === 'InnoDB' &&
        hasPrimaryKey &&
        !isVersioned &&
        !isPartitioned &&
        approximateDataBytes <= MAX_TABLE_BYTES,
    );
    return new Set(plain.map(({ name }) => name));
  };
  const [live, scratch] = [await readPlain(plan.live), await readPlain(plan.scratch)];
  return pairs.filter((table) => live.has(table) && scratch.has(table) && !bound.has(table));
}

/** What one table costs this server that leaves while another one comes: the middle one of three tries. */
async function measureMove(connection: DatabaseConnection, scratch: string, table: string): Promise<number> {
  const [here, away] = [quoteName(scratch, table), quoteName(scratch, AWAY)];
  const tries: number[] = [];
  for (let number = 0; number < 3; number += 1) {
    const began = performance.now();
    await connection.execute(`RENAME TABLE ${here} TO ${away}, ${away} TO ${here}`);
    tries.push(performance.now() - began);
  }
  return tries.toSorted((a, b) => a - b)[1] ?? 0;
}

/** In a scratch database, for the length of one statement, which is all or nothing. */
const AWAY = 'salvor: renamed to see how long that takes';

type Column = { readonly name: string; readonly isKey: boolean; readonly isText: boolean };

async function readColumns(
  connection: DatabaseConnection,
  database: string,
  tables: readonly string[],
): Promise<ReadonlyMap<string, readonly Column[]>> {
  const rows = await connection.query<{ base: string; name: string; type: string; key_position: string | null }>(
    `SELECT c.TABLE_NAME AS base, c.COLUMN_NAME AS name, c.DATA_TYPE AS type, c.COLUMN_KEY AS key_position
     FROM information_schema.COLUMNS c WHERE c.TABLE_SCHEMA = ? AND c.TABLE_NAME IN (?)`,
    [database, tables],
  );
  const columns = rows.map(({ base, name, type, key_position }) => ({
    base,
    name,
    isKey: key_position === 'PRI',
    isText: !NUMBERS.has(type.toLowerCase()),
  }));
  return Map.groupBy(columns, ({ base }) => base);
}

/** Compared as what they are; in all others every byte counts, whatever their collation takes for the same. */
const NUMBERS: ReadonlySet<string> = new Set(
  'tinyint smallint mediumint int bigint decimal float double bit year date time datetime timestamp'.split(' '),
);

/** A checksum is a sum of 32 bits, and takes 'ab' beside 'c' for 'a' beside 'bc': rows are held against each other. */
async function isEqual(
  connection: DatabaseConnection,
  { live, scratch }: SwapPlan,
  table: string,
  columns: readonly Column[],
): Promise<boolean> {
  const [here, there] = [quoteName(live, table), quoteName(scratch, table)];
  if ((await readDefinition(connection, here)) !== (await readDefinition(connection, there))) return false;
  const keys = columns.filter(({ isKey }) => isKey);
  if (keys.length === 0) return false;
  const on = keys.map(({ name }) => `a.${quoteName(name)} = b.${quoteName(name)}`);
  const values = columns.map(({ name, isText }) => {
    const [left, right] = [`a.${quoteName(name)}`, `b.${quoteName(name)}`];
    return isText ? `BINARY ${left} <=> BINARY ${right}` : `${left} <=> ${right}`;
  });
  const [counts] = await connection.query<{ same: string; live: string; scratch: string }>(
    `SELECT (SELECT COUNT(*) FROM ${here} a JOIN ${there} b ON ${on.join(' AND ')} WHERE ${values.join(' AND ')}) AS same,
      (SELECT COUNT(*) FROM ${here}) AS live, (SELECT COUNT(*) FROM ${there}) AS scratch`,
  );
  if (counts === undefined) return false;
  return Number(counts.same) === Number(counts.live) && Number(counts.same) === Number(counts.scratch);
}

async function readDefinition(connection: DatabaseConnection, name: string): Promise<string> {
  const [row] = await connection.query<{ 'Create Table': string }>(`SHOW CREATE TABLE ${name}`);
  return row?.['Create Table'] ?? '';
}

/** When each was made or altered and last written to, as far as the server remembers. */
async function readStamps(
  connection: DatabaseConnection,
  database: string,
  tables: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const rows = await connection.query<{ name: string; made: string; written: string | null }>(
    `SELECT TABLE_NAME AS name, CREATE_TIME AS made, UPDATE_TIME AS written FROM information_schema.TABLES
     WHERE TABLE_SCHEMA = ? AND TABLE_NAME IN (?)`,
    [database, tables],
  );
  return new Map(rows.map(({ name, made, written }) => [name, `${made}/${written ?? ''}`]));
}

/** A server that has closed a table in between remembers no time of writing: then its sum alone says it. */
function isSameStamp(before: string, now: string | undefined): boolean {
  const [madeBefore, writtenBefore] = before.split('/');
  const [made, written] = (now ?? '').split('/');
  return made === madeBefore && (written === writtenBefore || written === '');
}
