/**
 * Asks the server what a switch has to know, before it and after a crash. Reads only; assumes nothing.
 */
import { createHash } from 'node:crypto';
import { SalvorError } from '../../errors.ts';
import { readBoundDefaults } from './bound-defaults.ts';
import {
  type DatabaseConnection,
  type DatabaseLogin,
  openConnection,
  quoteName,
  serverErrorNumber,
} from './connect.ts';
import { readForeignKeys } from './foreign-keys.ts';
import { readObjects } from './objects.ts';
import { type ForeignKey, stubsOf, type SwapFacts, type SwapPlan } from './plan-swap.ts';
import { readTables } from './probe.ts';
import { addGrants } from './routine-grants.ts';
import { findStubsIn } from './stubs.ts';

/**
 * `before`: every table is where the plan found it. `after`: every table is where the plan puts it (views, triggers,
 * routines and events may still be missing: `finishSwap` makes them). `mixed`: neither, each table named.
 */
export type SwapState = { readonly state: 'before' | 'after' | 'mixed'; readonly details: readonly string[] };

/** What `planSwap` needs. Needs the administrator's log-in: only it sees foreign keys that point in from elsewhere. */
export async function readSwapFacts(
  admin: DatabaseLogin,
  wish: { readonly live: string; readonly scratch: string },
  options: { readonly signal?: AbortSignal } = {},
): Promise<SwapFacts> {
  await using connection = await openConnection(admin, options);
  const live = await readTables(connection, wish.live);
  const scratch = await readTables(connection, wish.scratch);
  const tables = new Map([
    [wish.live, new Set(live.map((table) => table.name))],
    [wish.scratch, new Set(scratch.map((table) => table.name))],
  ]);
  const keys = await readForeignKeys(connection, [wish.live, wish.scratch]);
  const isDangling = (key: ForeignKey): boolean =>
    key.database === key.refersToDatabase && tables.get(key.database)?.has(key.refersToTable) === false;
  return {
    liveTables: live.map((table) => table.name),
    scratchTables: scratch.map((table) => table.name),
    partitioned: [...live, ...scratch].filter((table) => table.isPartitioned).map((table) => table.name),
    liveObjects: await addGrants(connection, wish.live, await readObjects(connection, wish.live)),
    scratchObjects: await readObjects(connection, wish.scratch),
    scratchDefaults: await readBoundDefaults(connection, wish.scratch),
    foreignKeys: keys.filter((key) => !isDangling(key)),
    danglingKeys: keys.filter(isDangling),
  };
}

/**
 * Lets one session at a time switch a database, or ask how far a switch has come. A client that was killed leaves its
 * last statement to the server, which carries it out to the end: who asked meanwhile would be told `before`, and what
 * was done upon that would meet the tables on their way. Held until the session ends. Throws 'swap-locked'.
 */
export async function holdSwap(connection: DatabaseConnection, live: string): Promise<void> {
  // A name of its own, of the 64 characters that the server takes: sites use such locks too.
  const name = createHash('sha256').update(`salvor swap of ${live}`).digest('hex');
  const [row] = await connection.query<{ held: string | number | null }>('SELECT GET_LOCK(?, ?) AS held', [
    name,
    HOLD_WAIT_SECONDS,
  ]);
  if (Number(row?.held ?? 0) !== 1)
    throw new SalvorError('swap-locked', { database: live, transactions: 'another switch of it is not over yet' });
}

/** One statement that moves 10,000 tables takes half of it. */
const HOLD_WAIT_SECONDS = 60;

/** Where the tables of a plan are now. Waits for a switch that is being carried out just now. */
export async function inspectSwap(admin: DatabaseLogin, plan: SwapPlan): Promise<SwapState> {
  await using connection = await openConnection(admin);
  await holdSwap(connection, plan.live);
  const found = await locateTables(connection, plan);
  const torn = await findTorn(connection, plan);
  return torn.length === 0 ? found : { state: 'mixed', details: [...found.details, ...torn] };
}

/**
 * Partitioned tables that the server cannot open any more. RENAME TABLE is all or nothing for whole tables, but a server
 * that is killed while it moves the partitions of one leaves some of them in the other database.
 */
async function findTorn(connection: DatabaseConnection, plan: SwapPlan): Promise<string[]> {
  const torn: string[] = [];
  for (const table of plan.partitioned) {
    for (const base of [plan.live, plan.scratch, plan.old]) {
      try {
        // Opens every partition, reads at most a row. Lists of the server show a torn table as a whole one.
        await connection.query(`SELECT 1 FROM ${quoteName(base, table)} LIMIT 1`);
      } catch (error) {
        const number = serverErrorNumber(error);
        if (number === null) throw error;
        if (number === ER_NO_SUCH_TABLE || number === ER_BAD_DB) continue;
        torn.push(`${table} in ${base} is torn: some of its partitions are in another database`);
      }
    }
  }
  return torn;
}

const ER_NO_SUCH_TABLE = 1146;
const ER_BAD_DB = 1049;

/** `inspectSwap` on a session that is there already. */
export async function locateTables(connection: DatabaseConnection, plan: SwapPlan): Promise<SwapState> {
  const rows = await connection.query<{ base: string; name: string }>(
    `SELECT TABLE_SCHEMA AS base, TABLE_NAME AS name FROM information_schema.TABLES
     WHERE TABLE_SCHEMA IN (?, ?, ?) AND TABLE_TYPE NOT IN ('VIEW', 'SYSTEM VIEW')`,
    [plan.live, plan.scratch, plan.old],
  );
  // The separator is the one character that no name holds.
  const there = new Set(rows.map((row) => `${row.base}\0${row.name}`));
  // A stand-in is no table of anybody's: it says nothing of where the switch stands.
  const stubs = stubsOf(plan);
  const standing = await findStubsIn(
    connection,
    [plan.live, plan.scratch, plan.old],
    [...stubs.leaving, ...stubs.coming],
  );
  for (const { base, name } of standing) there.delete(`${base}\0${name}`);
  const has = (base: string, table: string): boolean => there.has(`${base}\0${table}`);
  const mayStay = new Set((plan.mayStay ?? []).map(({ table }) => table));
  let before = 0;
  let staying = 0;
  let after = 0;
  const details: string[] = [];
  for (const { table, leaves, comes } of plan.moves) {
    const live = has(plan.live, table);
    const scratch = has(plan.scratch, table);
    const old = has(plan.old, table);
    if (live === leaves && scratch === comes && !old) {
      before += 1;
      if (mayStay.has(table)) staying += 1;
    } else if (live === comes && !scratch && old === leaves) after += 1;
    else
      details.push(
        `${table} is in ${[live && plan.live, scratch && plan.scratch, old && plan.old].filter(Boolean).join(' and ') || 'none of the three'}`,
      );
  }
  // All that move do so in one statement, and a copy of one that stayed moves after it: where one has moved, all have.
  if (details.length === 0 && before > staying && after > 0)
    details.push(`${before} tables have not moved and ${after} have`);
  return { state: details.length > 0 ? 'mixed' : after > 0 ? 'after' : 'before', details };
}
