/**
 * Carries out what `planSwap` decided, and its way back. The plan is in the caller's journal before any of this is
 * called; a crash at any instant leaves what `finishSwap` or `revertSwap` takes from there.
 *
 *   (1) old database made        a crash leaves an empty database, which both take as it is, and stand-ins for missing
 *                                parents of foreign keys (`stubs.ts`)
 *       and defaults set          of tables that come, as far as the live sequences that they name are there already: a
 *                                crash leaves scratch tables that say so (`bound-defaults.ts`)
 *   (2) triggers dropped         a crash leaves tables without triggers: the plan holds them, both make them again
 *   (3) one RENAME TABLE         the server does all or nothing, also when it is killed
 *                                (but for a partitioned table that it was moving: `inspectSwap` finds a torn one)
 *   (4) views, triggers, routines, events made as they belong to the tables that are live now, defaults set that could
 *       not be before; stand-ins that came are dropped; both do it again
 *   (5) by `keepCopies`, when directories have moved too: tables that stayed have their copies kept (`equal-tables.ts`)
 *
 * No step waits for more than a second on a lock: a statement that waits for a table keeps every visitor behind it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { SalvorError } from '../../errors.ts';
import { setBoundDefaults } from './bound-defaults.ts';
import {
  type DatabaseConnection,
  type DatabaseLogin,
  openConnection,
  quoteName,
  serverErrorNumber,
} from './connect.ts';
import { type HeldTables, holdEqualTables, keepCopies } from './equal-tables.ts';
import { holdSwap, inspectSwap, locateTables, readSwapFacts, type SwapState } from './inspect-swap.ts';
import { requireWritableServer } from './judge-server.ts';
import { createObjects, type DatabaseObject, dropObjects, readObjects } from './objects.ts';
import {
  findStubs,
  isInScope,
  requireNoBorderKeys,
  reverseSwap,
  stubsOf,
  type SwapPlan,
  withoutBroken,
} from './plan-swap.ts';
import type { DatabaseProblem } from './probe.ts';
import { requireOurName } from './scratch.ts';
import { createStubs, dropStubs, withdrawStubs } from './stubs.ts';

export type SwapOptions = {
  /** How often to try when tables are in use; default 20, each waits at most a second. */
  readonly attempts?: number;
  /** Heeded before the tables move, never between that and the end. */
  readonly signal?: AbortSignal;
  /** Told after each try that had to give way. */
  readonly onWait?: (transactions: readonly string[]) => void;
};

export type SwapResult = { readonly problems: readonly DatabaseProblem[] };

const LOCK_WAIT_SECONDS = 1;
const DEFAULT_ATTEMPTS = 20;
/** Between two tries the visitors that queued up behind the first one get their turn. */
const PAUSE_MS = 300;
const ER_LOCK_WAIT_TIMEOUT = 1205;
const ER_LOCK_DEADLOCK = 1213;

/**
 * Switches. Throws 'swap-locked' (and everything is as before), 'swap-mixed' where the tables are not where the plan
 * says, or as a statement does: then ask `inspectSwap`. What could not be made again is in `problems`.
 */
export async function applySwap(admin: DatabaseLogin, plan: SwapPlan, options: SwapOptions = {}): Promise<SwapResult> {
  await using connection = await openConnection(admin, { lockWaitSeconds: LOCK_WAIT_SECONDS });
  await requireWritableServer(connection);
  await holdSwap(connection, plan.live);
  await requireState(connection, plan, 'before');
  options.signal?.throwIfAborted();
  await makeOldDatabase(connection, plan); // (1)
  // One that a crash left there would be in the way.
  await dropStubs(connection, plan.live, stubsOf(plan).leaving);
  await createStubs(connection, { place: plan.old, of: plan.live }, stubsOf(plan).leaving);
  await createStubs(connection, { place: plan.scratch, of: plan.scratch }, stubsOf(plan).coming);
  // What can't be set yet is set in (4): its sequence comes with the table.
  await setBoundDefaults(connection, plan.scratch, plan.defaults ?? []);
  await renameTables(connection, plan, options); // (2) (3)
  return { problems: await settleSwap(connection, plan) }; // (4)
}

/** After a crash: brings a switch to its end, from wherever it stands. Idempotent. */
export async function finishSwap(admin: DatabaseLogin, plan: SwapPlan, options: SwapOptions = {}): Promise<SwapResult> {
  const { state } = await requireKnownState(admin, plan);
  if (state === 'before') return await applySwap(admin, plan, options);
  await using connection = await openConnection(admin);
  return { problems: await settleSwap(connection, plan) };
}

/** After a crash or a failure: brings everything back to where the switch found it. Idempotent. */
export async function revertSwap(admin: DatabaseLogin, plan: SwapPlan, options: SwapOptions = {}): Promise<SwapResult> {
  const { state } = await requireKnownState(admin, plan);
  await using connection = await openConnection(admin);
  if (state === 'after') {
    await keepCopies(admin, plan);
    // One that came and was not dropped yet would be a table that nobody knows.
    await dropStubs(connection, plan.live, stubsOf(plan).coming);
    return await applySwap(admin, reverseSwap(plan), options);
  }
  const reverse = reverseSwap(plan);
  // A view of the same name may have been made again already: it goes for as long as that takes.
  const names = new Set(stubsOf(plan).leaving);
  const views = reverse.incoming.filter((object) => object.kind === 'view' && names.has(object.name));
  const tables = new Set(await listTableNames(connection, plan.live));
  await dropObjects(
    connection,
    plan.live,
    views.filter((view) => !tables.has(view.name)),
  );
  const left = await withdrawStubs(connection, { place: plan.old, live: plan.live }, stubsOf(plan).leaving);
  return { problems: [...left, ...(await settleSwap(connection, reverse))] };
}

/**
 * The plan of an undo, for the journal; `applySwap` carries it out. What is live now, also tables that the site has made
 * since, goes to `undone`; what the switch took away comes back. Throws 'swap-obstructed' where it is gone.
 */
export async function planSwapBack(admin: DatabaseLogin, plan: SwapPlan, undone: string): Promise<SwapPlan> {
  requireOurName(undone);
  const facts = await readSwapFacts(admin, { live: plan.live, scratch: plan.old });
  const there = new Set(facts.scratchTables);
  const wanted = plan.moves.filter((move) => move.leaves).map((move) => move.table);
  const gone = wanted.filter((table) => !there.has(table));
  if (gone.length > 0) {
    throw new SalvorError('swap-obstructed', { database: plan.live, why: `${gone.join(', ')} is not kept any more` });
  }
  const comes = new Set(wanted);
  // Of a chosen few only those move that moved; of a whole database also what the site has made since.
  const moved = new Set(plan.moves.filter((move) => move.comes).map((move) => move.table));
  const leaves = new Set(facts.liveTables.filter((table) => moved.has(table) || isInScope(table, plan.scope)));
  const wish = { live: plan.live, scratch: plan.old };
  const missing = findStubs(facts, wish, { leaving: leaves, coming: comes });
  const stubs = {
    leaving: missing.leaving,
    coming: [...new Set([...stubsOf(plan).leaving, ...missing.coming])].toSorted(),
  };
  // Children that stay: of a parent that was missing before, or made since.
  requireNoBorderKeys(facts.foreignKeys, wish, leaves, new Set([...comes, ...stubs.coming]));
  const taken = stubs.coming.filter((table) => facts.liveTables.includes(table) && !leaves.has(table));
  if (taken.length > 0) {
    const why = `${taken.join(', ')} was missing before it, and has been made since`;
    throw new SalvorError('swap-obstructed', { database: plan.live, why });
  }
  const leaving = facts.liveObjects.filter((object) =>
    object.kind === 'trigger'
      ? leaves.has(object.table ?? '')
      : !('tables' in plan.scope) && isInScope(object.name, plan.scope),
  );
  const comingViews = plan.outgoing.filter((object) => object.kind === 'view').map((view) => view.name);
  const outgoing = withoutBroken(leaving, new Set([...comes, ...comingViews]));
  return {
    live: plan.live,
    scratch: plan.old,
    old: undone,
    scope: plan.scope,
    moves: [...new Set([...comes, ...leaves])]
      .toSorted()
      .map((table) => ({ table, leaves: leaves.has(table), comes: comes.has(table) })),
    incoming: plan.outgoing,
    outgoing,
    scratchTriggers: [],
    partitioned: [...new Set([...plan.partitioned, ...facts.partitioned])],
    stubs,
    problems: [],
  };
}

/** Undo: `planSwapBack`, told to `journal` before anything moves, and carried out. */
export async function swapBack(
  admin: DatabaseLogin,
  plan: SwapPlan,
  options: SwapOptions & { readonly undone: string; readonly journal: (plan: SwapPlan) => Promise<void> },
): Promise<SwapResult> {
  const back = await planSwapBack(admin, plan, options.undone);
  await options.journal(back);
  const swapped = await applySwap(admin, back, options);
  await keepCopies(admin, back);
  return swapped;
}

async function renameTables(connection: DatabaseConnection, plan: SwapPlan, options: SwapOptions): Promise<void> {
  const stubs = stubsOf(plan);
  if (renamesOf(plan).length === 0) return;
  const coming = new Set(plan.moves.filter(({ comes }) => comes).map(({ table }) => table));
  for (const table of [...stubs.leaving, ...stubs.coming]) coming.add(table);
  const triggers = plan.outgoing.filter((object) => object.kind === 'trigger');
  // A view stands where a table comes: it goes first. All other views stay till they are made anew.
  const views = plan.outgoing.filter((object) => object.kind === 'view' && coming.has(object.name));
  const attempts = options.attempts ?? DEFAULT_ATTEMPTS;
  // Dropped and made again for each try: of tables that have some, fewer are made.
  let quick = triggers.length + views.length === 0 ? QUICK_TRIES : QUICK_TRIES_WITH_OBJECTS;
  let holds = (plan.mayStay ?? []).length > 0 ? MAX_HOLDS : 0;
  let patienceMs = attempts * PATIENCE_PER_ATTEMPT_MS;
  for (let attempt = 0; ;) {
    try {
      patienceMs -= await passOpenTransactions(connection, plan.live, { ...options, patienceMs });
      options.signal?.throwIfAborted();
      await using held = holds > 0 ? await holdWhatMayStay(connection.login, plan) : NONE_HELD;
      await connection.execute(`SET SESSION lock_wait_timeout = ${holds + quick > 0 ? 0 : LOCK_WAIT_SECONDS}`);
      await dropObjects(connection, plan.scratch, plan.scratchTriggers);
      await dropObjects(connection, plan.live, [...triggers, ...views]);
      await renameOnce(connection, renamesOf(plan, held.tables), holds > 0 ? HELD_TRIES : 1);
      return;
    } catch (error) {
      const number = serverErrorNumber(error);
      if (isLost(error)) throw error;
      // The site must not be without its triggers while we wait, nor after we gave up.
      await connection.execute(`SET SESSION lock_wait_timeout = ${LOCK_WAIT_SECONDS}`);
      await bringBack(connection, plan.live, [...triggers, ...views]);
      if (holds > 0 && number !== null) {
        // Whatever keeps them from being held: they can move as all others do.
        holds = number === ER_LOCK_WAIT_TIMEOUT ? holds - 1 : 0;
        await sleep(PAUSE_MS);
        continue;
      }
      if (number !== ER_LOCK_WAIT_TIMEOUT && number !== ER_LOCK_DEADLOCK) throw error;
      if (quick > 0) {
        quick -= 1;
        await sleep(QUICK_PAUSE_MS);
        continue;
      }
      attempt += 1;
      const transactions = await findLongTransactions(connection);
      options.onWait?.(transactions);
      if (attempt >= attempts) {
        throw new SalvorError(
          'swap-locked',
          { database: plan.live, transactions: describe(transactions) },
          { cause: error },
        );
      }
      await sleep(PAUSE_MS);
    }
  }
}

/** Several tries while tables are held: to lock and to sum them again would take longer than the statements in the way. */
async function renameOnce(connection: DatabaseConnection, renames: readonly string[], tries: number): Promise<void> {
  if (renames.length === 0) return;
  for (let left = tries; ; left -= 1) {
    try {
      return await connection.execute(`RENAME TABLE ${renames.join(', ')}`);
    } catch (error) {
      if (left <= 1 || serverErrorNumber(error) !== ER_LOCK_WAIT_TIMEOUT) throw error;
    }
    await sleep(QUICK_PAUSE_MS);
  }
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
/** Within a quarter of a second: visitors can't write to tables that are held. */
const HELD_TRIES = 30;

/** What RENAME TABLE is told, all of it in one statement. */
function renamesOf(plan: SwapPlan, stays: ReadonlySet<string> = NONE_HELD.tables): readonly string[] {
  const stubs = stubsOf(plan);
  const move = (table: string, from: string, to: string): string =>
    `${quoteName(from, table)} TO ${quoteName(to, table)}`;
  return [
    // In and out again: on its way it takes the children with it, and nobody sees it among the live tables.
    ...stubs.leaving.flatMap((table) => [move(table, plan.old, plan.live), move(table, plan.live, plan.old)]),
    ...plan.moves
      .filter(({ table }) => !stays.has(table))
      .flatMap(({ table, leaves, comes }) => [
        ...(leaves ? [move(table, plan.live, plan.old)] : []),
        ...(comes ? [move(table, plan.scratch, plan.live)] : []),
      ]),
    ...stubs.coming.map((table) => move(table, plan.scratch, plan.live)),
  ];
}

/**
 * A try that waits for a lock keeps every visitor waiting behind it, a try that does not costs them nothing: the first
 * ones take the instant at which no statement is at work on any of the tables, of which there are many in a second.
 */
const QUICK_TRIES = 60;
const QUICK_TRIES_WITH_OBJECTS = 5;
const QUICK_PAUSE_MS = 7;

/** A try that meets an open transaction keeps every visitor behind it for a second: better to look before. All of it may be used for the first. */
const PATIENCE_PER_ATTEMPT_MS = 500;
const LOOK_STEP_MS = 50;

/**
 * Waits until no transaction in the live database is open for longer than the time between two looks, or until it has
 * waited long enough: then the rename is tried all the same, and says what is in its way. Gives the time that it took.
 */
async function passOpenTransactions(
  connection: DatabaseConnection,
  live: string,
  options: Pick<SwapOptions, 'signal'> & { readonly patienceMs: number },
): Promise<number> {
  let before = await listTransactions(connection, live);
  let waited = 0;
  for (; before.size > 0 && waited < options.patienceMs; waited += LOOK_STEP_MS) {
    options.signal?.throwIfAborted();
    await sleep(LOOK_STEP_MS);
    const now = await listTransactions(connection, live);
    before = new Set([...now].filter((transaction) => before.has(transaction)));
  }
  return waited;
}

/** Those of sessions that are in this database, each with its beginning: one of the same session a moment later is another. */
async function listTransactions(connection: DatabaseConnection, live: string): Promise<ReadonlySet<string>> {
  const rows = await connection.query<{ id: string; began: string; trx: string }>(
    `SELECT t.trx_mysql_thread_id AS id, t.trx_started AS began, t.trx_id AS trx
     FROM information_schema.INNODB_TRX t JOIN information_schema.PROCESSLIST p ON p.ID = t.trx_mysql_thread_id
     WHERE p.DB = ? AND p.ID <> ?`,
    [live, connection.id],
  );
  return new Set(rows.map(({ id, began, trx }) => `${id} ${began} ${trx}`));
}

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
      problems = await createObjects(connection, live, missing);
    } catch (error) {
      if (isLost(error) || attempt >= DEFAULT_ATTEMPTS) throw error;
      await sleep(PAUSE_MS);
      continue;
    }
    if (problems.length === 0) return;
    // What is still missing stands in the plan: `revertSwap` makes it when the tables are free again.
    if (attempt >= DEFAULT_ATTEMPTS) {
      throw new SalvorError('swap-obstructed', {
        database: live,
        why: problems.map((problem) => problem.message).join('; '),
      });
    }
    const names = new Set(problems.map((problem) => problem.name));
    missing = missing.filter((object) => names.has(object.name));
    await sleep(PAUSE_MS);
  }
}

/** What is left when the tables have changed places. A view may have the name of a stand-in, which goes first. */
async function settleSwap(connection: DatabaseConnection, plan: SwapPlan): Promise<readonly DatabaseProblem[]> {
  // The tables are in place: what waits for a lock now may wait longer than the switch itself was allowed to.
  await connection.execute('SET SESSION lock_wait_timeout = 60');
  const left = await dropStubs(connection, plan.live, stubsOf(plan).coming);
  const unset = await setBoundDefaults(connection, plan.live, plan.defaults ?? []);
  return [...left, ...unset, ...(await settleObjects(connection, plan.live, plan.incoming, plan.outgoing))];
}

/** Makes what belongs to the live tables and drops what belongs to the others. */
async function settleObjects(
  connection: DatabaseConnection,
  live: string,
  wanted: readonly DatabaseObject[],
  unwanted: readonly DatabaseObject[],
): Promise<readonly DatabaseProblem[]> {
  const kept = new Set(wanted.map((object) => `${object.type} ${object.name}`));
  // A trigger fires in the order in which it was made: all of them go, and come in order.
  const triggers = [...wanted, ...unwanted].filter((object) => object.kind === 'trigger');
  const others = unwanted.filter((object) => object.kind !== 'trigger' && !kept.has(`${object.type} ${object.name}`));
  const tables = new Set(await listTableNames(connection, live));
  // DROP VIEW on a name that is a table now would be refused.
  await dropObjects(connection, live, [
    ...triggers,
    ...others.filter((object) => object.kind !== 'view' || !tables.has(object.name)),
  ]);
  return await createObjects(connection, live, wanted);
}

async function makeOldDatabase(connection: DatabaseConnection, plan: SwapPlan): Promise<void> {
  requireOurName(plan.old);
  const [live] = await connection.query<{ charset: string; collation: string }>(
    `SELECT DEFAULT_CHARACTER_SET_NAME AS charset, DEFAULT_COLLATION_NAME AS collation
     FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ?`,
    [plan.live],
  );
  await connection.execute(
    `CREATE DATABASE IF NOT EXISTS ${quoteName(plan.old)} CHARACTER SET ${quoteName(live?.charset ?? 'utf8mb4')}` +
      ` COLLATE ${quoteName(live?.collation ?? 'utf8mb4_general_ci')}`,
  );
}

async function listTableNames(connection: DatabaseConnection, database: string): Promise<string[]> {
  const rows = await connection.query<{ name: string }>(
    "SELECT TABLE_NAME AS name FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_TYPE <> 'VIEW'",
    [database],
  );
  return rows.map((row) => row.name);
}

async function requireKnownState(admin: DatabaseLogin, plan: SwapPlan): Promise<SwapState> {
  const found = await inspectSwap(admin, plan);
  if (found.state === 'mixed') throw mixed(plan, found);
  return found;
}

async function requireState(connection: DatabaseConnection, plan: SwapPlan, wanted: 'before'): Promise<void> {
  const found = await locateTables(connection, plan);
  if (found.state !== wanted) throw mixed(plan, found);
}

function mixed(plan: SwapPlan, found: SwapState): SalvorError {
  const why = found.details.length > 0 ? found.details.slice(0, 10).join('; ') : 'they have moved already';
  return new SalvorError('swap-mixed', { database: plan.live, why });
}

/** Transactions open for more than a second, the oldest first: what the RENAME most likely waits for. */
async function findLongTransactions(connection: DatabaseConnection): Promise<string[]> {
  const rows = await connection.query<{ id: string; seconds: string; user: string | null; base: string | null }>(
    `SELECT t.trx_mysql_thread_id AS id, TIMESTAMPDIFF(SECOND, t.trx_started, SYSDATE()) AS seconds, p.USER AS user, p.DB AS base
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
