/**
 * Tables that need not change places, because the one that comes holds the very same as the one that is there: the live
 * one stays, and the one that was to come is kept as what was replaced. A server syncs its disk about ten times for each
 * table that changes places, and all that time visitors wait.
 *
 *   before the switch   which are equal, value by value, and by what a write would be seen → in the plan, in the journal
 *   in the switch       lock them against writes → of those of which the server would know a write it is asked, all
 *                       others are summed again → those that differ by now move as all others do
 *                       → one RENAME TABLE of these → unlock → the copies move to what is kept
 *
 * While they are held visitors read all tables, and write to those that move. One that has to be summed, and would change
 * places as fast, moves; and where a switch is short anyway none stays.
 */
import { type DatabaseConnection, type DatabaseLogin, openConnection, quoteName } from './connect.ts';
import { readForeignKeys } from './foreign-keys.ts';
import { inSessions, SESSIONS } from './in-sessions.ts';
import { locateTables } from './inspect-swap.ts';
import { executeInTries } from './lock-waits.ts';
import { type EqualTable, stubsOf, type SwapPlan } from './plan-swap.ts';
import { checksumTables, readTables } from './probe.ts';
import { madeAt, readAmbiguousTimes, readStamps, writtenAt } from './table-stamps.ts';

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
/** What summing them may add to the switch: who writes to one of them waits for that and for the rename. */
const MAX_HOLD_MS = 400;
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
  // Before they are compared: what is written from here on is another stamp.
  const stamps = await readStamps(connection, plan.live, plain);
  const ambiguous = await readAmbiguousTimes(connection);
  const found: Found[] = [];
  await inSessions(plain, { admin, signal }, async (session, table) => {
    const stamp = stamps.get(table) ?? '';
    const isTold = writtenAt(stamp) !== '' && !ambiguous.has(writtenAt(stamp)) && !ambiguous.has(madeAt(stamp));
    const began = performance.now();
    const checksum = isTold ? null : await sum(session, plan.live, table);
    const ms = isTold ? 0 : performance.now() - began;
    // As many are summed at a time as there are sessions; they change places one after the other.
    if (ms > moveMs * SESSIONS || (!isTold && checksum === null)) return;
    if (await isEqual(session, plan, table, columns.get(table) ?? [])) found.push({ table, checksum, stamp, ms });
  });
  const taken = takeWithin(found);
  // One at least moves: by where it is the server is asked how far a switch has come.
  return taken.length < plan.moves.length ? taken : taken.slice(1);
}

type Found = EqualTable & { readonly ms: number };

async function sum(session: DatabaseConnection, database: string, table: string): Promise<string | null> {
  const [summed] = await checksumTables(session, database, [table]);
  return summed?.checksum ?? null;
}

/** The cheapest first, before them those that need no sum: the most of them in the time that they may take. */
function takeWithin(found: readonly Found[]): readonly EqualTable[] {
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
 * Locks those that may stay, and sums again those of which the server may have forgotten a write. Waits for nobody: a
 * table that is being written to fails it, after a few tries, with the server's error for that. One that was written to,
 * altered or dropped since is not among what it gives, nor locked, nor one for whose sum the time did not suffice.
 */
export async function holdEqualTables(admin: DatabaseLogin, plan: SwapPlan): Promise<HeldTables> {
  let equal = plan.mayStay ?? [];
  if (equal.length === 0) return { tables: new Set(), [Symbol.asyncDispose]: async () => {} };
  await using resources = new AsyncDisposableStack();
  const keeper = resources.use(await openConnection(admin, { lockWaitSeconds: 0 }));
  const release = async (): Promise<void> => await keeper.execute('UNLOCK TABLES').catch(() => undefined);
  // A lock is given back of all tables or of none: without those that move they are locked, and asked, once more.
  for (let left = LOCK_ROUNDS; equal.length > 0; left -= 1) {
    const names = equal.map(({ table }) => `${quoteName(plan.live, table)} READ`);
    await executeInTries(keeper, `LOCK TABLES ${names.join(', ')}`, LOCK_MS);
    const same = await findUnwritten(keeper, admin, plan, equal);
    if (same.length === equal.length) break;
    await release();
    equal = left > 1 ? same : [];
  }
  const kept = resources.move();
  return {
    tables: new Set(equal.map(({ table }) => table)),
    [Symbol.asyncDispose]: async () => {
      // At once: to end the session takes a while longer.
      await release();
      await kept.disposeAsync();
    },
  };
}

const LOCK_ROUNDS = 4;
/** Long enough to meet an instant at which nobody writes to any of them. */
const LOCK_MS = 150;

/** Of tables that are locked. Those for whose sum the time does not suffice count as written to. */
async function findUnwritten(
  keeper: DatabaseConnection,
  admin: DatabaseLogin,
  plan: SwapPlan,
  equal: readonly EqualTable[],
): Promise<readonly EqualTable[]> {
  const until = performance.now() + MAX_HOLD_MS;
  const names = equal.map(({ table }) => table);
  const stamps = await readStamps(keeper, plan.live, names);
  const same = equal.filter((one) => isUnwritten(one, stamps.get(one.table)));
  const written = new Set<EqualTable>();
  await inSessions(
    same.filter(({ checksum }) => checksum !== null),
    { admin },
    async (session, one) => {
      if (performance.now() > until || !(await isStill(session, plan, one))) written.add(one);
    },
  );
  return same.filter((one) => !written.has(one));
}

/** By its sum and its definition: one that was made and altered in the same second has the stamp that it had. */
async function isStill(session: DatabaseConnection, plan: SwapPlan, { table, checksum }: EqualTable): Promise<boolean> {
  return (await sum(session, plan.live, table)) === checksum && (await isAlike(session, plan, table));
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

/**
 * A checksum is a sum of 32 bits, and takes 'ab' beside 'c' for 'a' beside 'bc': rows are held against each other, in the
 * order in which both are stored.
 */
async function isEqual(
  connection: DatabaseConnection,
  plan: SwapPlan,
  table: string,
  columns: readonly Column[],
): Promise<boolean> {
  if (!(await isAlike(connection, plan, table))) return false;
  const [here, there] = [quoteName(plan.live, table), quoteName(plan.scratch, table)];
  const keys = columns.filter(({ isKey }) => isKey);
  if (keys.length === 0) return false;
  const on = keys.map(({ name }) => `a.${quoteName(name)} = b.${quoteName(name)}`);
  const values = columns.map(({ name, isText }) => {
    const [left, right] = [`a.${quoteName(name)}`, `b.${quoteName(name)}`];
    return isText ? `BINARY ${left} <=> BINARY ${right}` : `${left} <=> ${right}`;
  });
  // Columns of a key are never NULL: a row that has none beside it is not the same.
  const [counts] = await connection.query<{ same: string | null; live: string; scratch: string }>(
    `SELECT SUM(${values.join(' AND ')}) AS same, COUNT(*) AS live, (SELECT COUNT(*) FROM ${there}) AS scratch
     FROM ${here} a FORCE INDEX (PRIMARY) LEFT JOIN ${there} b FORCE INDEX (PRIMARY) ON ${on.join(' AND ')}`,
  );
  if (counts === undefined) return false;
  return Number(counts.same) === Number(counts.live) && Number(counts.same) === Number(counts.scratch);
}

/** Whether both are defined in the same words. */
async function isAlike(connection: DatabaseConnection, { live, scratch }: SwapPlan, table: string): Promise<boolean> {
  const [here, there] = [quoteName(live, table), quoteName(scratch, table)];
  return (await readDefinition(connection, here)) === (await readDefinition(connection, there));
}

async function readDefinition(connection: DatabaseConnection, name: string): Promise<string> {
  const [row] = await connection.query<{ 'Create Table': string }>(`SHOW CREATE TABLE ${name}`);
  return row?.['Create Table'] ?? '';
}

/** By the stamp alone where there is no sum; else a server that has closed the table since remembers no time of writing. */
function isUnwritten({ stamp, checksum }: EqualTable, now = ''): boolean {
  if (checksum === null) return stamp === now;
  return madeAt(stamp) === madeAt(now) && (writtenAt(stamp) === writtenAt(now) || writtenAt(now) === '');
}
