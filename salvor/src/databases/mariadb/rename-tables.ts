/**
 * The one statement in which tables change places, and what is waited for before it and between its tries: a try that waits for
 * a lock keeps every visitor behind it. Triggers are dropped for each try, and are there again when it has failed.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { SalvorError } from '../../errors.ts';
import {
  type DatabaseConnection,
  type DatabaseLogin,
  openConnection,
  quoteName,
  serverErrorNumber,
} from './connect.ts';
import { type HeldTables, holdEqualTables } from './equal-tables.ts';
import {
  ER_LOCK_WAIT_TIMEOUT,
  executeInTries,
  isLockedOut,
  LOCK_WAIT_SECONDS,
  PAUSE_MS,
  QUICK_PAUSE_MS,
  setWaits,
  STATEMENT_SECONDS,
} from './lock-waits.ts';
import { createObjects, type DatabaseObject, dropObjects, readObjects } from './objects.ts';
import { stubsOf, type SwapPlan } from './plan-swap.ts';

export type SwapOptions = {
  /** How often to try when tables are in use; default 20, each waits at most a second. */
  readonly attempts?: number;
  /** Heeded before the tables move, never between that and the end. */
  readonly signal?: AbortSignal;
  /** Told after each try that had to give way. */
  readonly onWait?: (transactions: readonly string[]) => void;
};

const DEFAULT_ATTEMPTS = 20;

/**
 * Moves the tables of all plans in one statement. Throws 'swap-locked' (and everything is as before), 'swap-obstructed'
 * where triggers could not be made again, what the signal says, or as a statement does.
 */
export async function renameTables(
  connection: DatabaseConnection,
  all: readonly SwapPlan[],
  options: SwapOptions,
): Promise<void> {
  const plans = all.filter((plan) => renamesOf(plan).length > 0);
  if (plans.length === 0) return;
  const lives = plans.map(({ live }) => live);
  const mayStay = plans.flatMap((plan) => plan.mayStay ?? []);
  const attempts = options.attempts ?? DEFAULT_ATTEMPTS;
  // Dropped and made again for each try: of tables that have some, fewer are made.
  let quick = plans.every((plan) => objectsOnTheWay(plan).length === 0) ? QUICK_TRIES : QUICK_TRIES_WITH_OBJECTS;
  let holds = mayStay.length > 0 ? MAX_HOLDS : 0;
  let patienceMs = attempts * PATIENCE_PER_ATTEMPT_MS;
  for (let attempt = 0; ;) {
    try {
      patienceMs -= await passOpenTransactions(connection, lives, { ...options, patienceMs });
      options.signal?.throwIfAborted();
      await using held = new AsyncDisposableStack();
      await setWaits(connection, holds + quick > 0 ? 0 : LOCK_WAIT_SECONDS);
      const renames: string[] = [];
      for (const plan of plans) {
        const { tables } = holds > 0 ? held.use(await holdWhatMayStay(connection.login, plan)) : NONE_HELD;
        renames.push(...renamesOf(plan, tables));
      }
      for (const plan of plans) {
        await dropObjects(connection, plan.scratch, plan.scratchTriggers);
        await dropObjects(connection, plan.live, objectsOnTheWay(plan));
      }
      // To lock and to sum tables again would take longer than the statements in the way.
      if (renames.length > 0)
        await executeInTries(connection, `RENAME TABLE ${renames.join(', ')}`, holds > 0 ? HELD_MS : 0);
      return;
    } catch (error) {
      const number = serverErrorNumber(error);
      if (isLost(error)) throw error;
      await setWaits(connection, LOCK_WAIT_SECONDS);
      // The site must not be without its triggers while we wait, nor after we gave up.
      for (const plan of plans) await bringBack(connection, plan.live, objectsOnTheWay(plan));
      if (holds > 0 && number !== null) {
        // Whatever keeps them from being held: they can move as all others do.
        holds = number === ER_LOCK_WAIT_TIMEOUT ? holds - 1 : 0;
        await sleep(PAUSE_MS);
        continue;
      }
      if (!isLockedOut(error)) throw error;
      if (quick > 0) {
        quick -= 1;
        await sleep(QUICK_PAUSE_MS);
        continue;
      }
      attempt += 1;
      const transactions = await findLongTransactions(connection);
      options.onWait?.(transactions);
      if (attempt >= attempts) {
        const context = { database: lives.join(', '), transactions: describe(transactions) };
        throw new SalvorError('swap-locked', context, { cause: error });
      }
      await sleep(PAUSE_MS);
    }
  }
}

/** Triggers can't move with their tables; a view stands where a table comes. All other views stay till they are made anew. */
function objectsOnTheWay(plan: SwapPlan): readonly DatabaseObject[] {
  const stubs = stubsOf(plan);
  const coming = new Set(plan.moves.filter(({ comes }) => comes).map(({ table }) => table));
  for (const table of [...stubs.leaving, ...stubs.coming]) coming.add(table);
  return [
    ...plan.outgoing.filter((object) => object.kind === 'trigger'),
    ...plan.outgoing.filter((object) => object.kind === 'view' && coming.has(object.name)),
  ];
}

/** Where it is not possible, for lack of a right or of a free connection, all tables move. */
async function holdWhatMayStay(admin: DatabaseLogin, plan: SwapPlan): Promise<HeldTables> {
  try {
    return await holdEqualTables(admin, plan);
  } catch (error) {
    if (serverErrorNumber(error) === ER_LOCK_WAIT_TIMEOUT) throw error;
    return NONE_HELD;
  }
}

const NONE_HELD: HeldTables = { tables: new Set(), [Symbol.asyncDispose]: async () => {} };
/** How often tables that may stay are held; then all move. */
const MAX_HOLDS = 4;
/** Visitors can't write to tables that are held, and all tables are without their triggers. */
const HELD_MS = 150;

/**
 * What RENAME TABLE is told, all of it in one statement. First all leave, then all come: the server, and all visitors with
 * it, took a quarter less time for that than for one table after the other (10.11.19, 300 tables on ext4).
 */
function renamesOf(plan: SwapPlan, stays: ReadonlySet<string> = NONE_HELD.tables): readonly string[] {
  const stubs = stubsOf(plan);
  const move = (table: string, from: string, to: string): string =>
    `${quoteName(from, table)} TO ${quoteName(to, table)}`;
  const moves = plan.moves.filter(({ table }) => !stays.has(table));
  return [
    // In and out again: on its way it takes the children with it, and nobody sees it among the live tables.
    ...stubs.leaving.flatMap((table) => [move(table, plan.old, plan.live), move(table, plan.live, plan.old)]),
    ...moves.filter(({ leaves }) => leaves).map(({ table }) => move(table, plan.live, plan.old)),
    ...moves.filter(({ comes }) => comes).map(({ table }) => move(table, plan.scratch, plan.live)),
    ...stubs.coming.map((table) => move(table, plan.scratch, plan.live)),
  ];
}

/**
 * A try that waits for a lock keeps every visitor waiting behind it, a try that does not costs them nothing: the first
 * ones take the instant at which no statement is at work on any of the tables, of which there are many in a second.
 */
const QUICK_TRIES = 60;
const QUICK_TRIES_WITH_OBJECTS = 5;

/** A try that meets an open transaction keeps every visitor behind it for a second: better to look before. All of it may be used for the first. */
const PATIENCE_PER_ATTEMPT_MS = 500;
const LOOK_STEP_MS = 50;

/** The same for whoever has more than one server to wait for: he looks at each before anything moves on the first. */
export async function waitForOpenTransactions(admin: DatabaseLogin, lives: readonly string[]): Promise<void> {
  await using connection = await openConnection(admin);
  await passOpenTransactions(connection, lives, { patienceMs: DEFAULT_ATTEMPTS * PATIENCE_PER_ATTEMPT_MS });
}

/**
 * Waits until no transaction in the live databases is open for longer than the time between two looks, or until it has
 * waited long enough: then the rename is tried all the same, and says what is in its way. Gives the time that it took.
 */
async function passOpenTransactions(
  connection: DatabaseConnection,
  lives: readonly string[],
  options: Pick<SwapOptions, 'signal'> & { readonly patienceMs: number },
): Promise<number> {
  let before = await listTransactions(connection, lives);
  let waited = 0;
  for (; before.size > 0 && waited < options.patienceMs; waited += LOOK_STEP_MS) {
    options.signal?.throwIfAborted();
    await sleep(LOOK_STEP_MS);
    const now = await listTransactions(connection, lives);
    before = new Set([...now].filter((transaction) => before.has(transaction)));
  }
  return waited;
}

/** Those of sessions that are in these databases, each with its beginning: one of the same session a moment later is another. */
async function listTransactions(
  connection: DatabaseConnection,
  lives: readonly string[],
): Promise<ReadonlySet<string>> {
  const rows = await connection.query<{ id: string; began: string; trx: string }>(
    `SELECT t.trx_mysql_thread_id AS id, t.trx_started AS began, t.trx_id AS trx
     FROM information_schema.INNODB_TRX t JOIN information_schema.PROCESSLIST p ON p.ID = t.trx_mysql_thread_id
     WHERE p.DB IN (?) AND p.ID <> ?`,
    [lives, connection.id],
  );
  return new Set(rows.map(({ id, began, trx }) => `${id} ${began} ${trx}`));
}

/** The last ones are those of a server that is slow, not of one that is busy. */
const BRING_BACK_TRIES = DEFAULT_ATTEMPTS + 10;

/** Makes again what was dropped for a rename that did not come about. Throws 'swap-obstructed' naming what is missing. */
async function bringBack(
  connection: DatabaseConnection,
  live: string,
  objects: readonly DatabaseObject[],
): Promise<void> {
  const there = new Set((await readObjects(connection, live)).map((object) => `${object.type} ${object.name}`));
  let missing = objects.filter((object) => !there.has(`${object.type} ${object.name}`));
  for (let attempt = 1; missing.length > 0; attempt += 1) {
    let problems;
    try {
      await setWaits(connection, LOCK_WAIT_SECONDS, attempt > DEFAULT_ATTEMPTS ? 0 : STATEMENT_SECONDS);
      problems = await createObjects(connection, live, missing);
    } catch (error) {
      if (isLost(error) || attempt >= BRING_BACK_TRIES) throw error;
      await sleep(PAUSE_MS);
      continue;
    }
    if (problems.length === 0) break;
    // What is still missing stands in the plan: `revertSwap` makes it when the tables are free again.
    if (attempt >= BRING_BACK_TRIES) {
      throw new SalvorError('swap-obstructed', {
        database: live,
        why: problems.map((problem) => problem.message).join('; '),
      });
    }
    const names = new Set(problems.map((problem) => problem.name));
    missing = missing.filter((object) => names.has(object.name));
    await sleep(PAUSE_MS);
  }
  await setWaits(connection, LOCK_WAIT_SECONDS);
}

/** Transactions open for more than a second, the oldest first: what the RENAME most likely waits for. */
async function findLongTransactions(connection: DatabaseConnection): Promise<string[]> {
  const rows = await connection.query<{ id: string; seconds: string; user: string | null; base: string | null }>(
    // A transaction's time is the server's own whatever the session's is.
    `SET STATEMENT time_zone = 'SYSTEM' FOR
     SELECT t.trx_mysql_thread_id AS id, TIMESTAMPDIFF(SECOND, t.trx_started, SYSDATE()) AS seconds, p.USER AS user, p.DB AS base
     FROM information_schema.INNODB_TRX t LEFT JOIN information_schema.PROCESSLIST p ON p.ID = t.trx_mysql_thread_id
     WHERE t.trx_mysql_thread_id <> ? ORDER BY t.trx_started LIMIT 10`,
    [connection.id],
  );
  return rows.map(
    (row) =>
      `connection ${row.id} of ${row.user ?? 'nobody'} in ${row.base ?? 'no database'}, open for ${row.seconds} s`,
  );
}

function describe(transactions: readonly string[]): string {
  return transactions.length === 0 ? 'no open transaction is known' : transactions.join('; ');
}

function isLost(error: unknown): boolean {
  return error instanceof SalvorError && error.code === 'database-unreachable';
}
