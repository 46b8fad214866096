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
import { SalvorError } from '../../errors.ts';
import { setBoundDefaults } from './bound-defaults.ts';
import { type DatabaseConnection, type DatabaseLogin, openConnection, quoteName } from './connect.ts';
import { keepCopies } from './equal-tables.ts';
import { holdSwap, inspectSwap, locateTables, type SwapState } from './inspect-swap.ts';
import { requireWritableServer } from './judge-server.ts';
import { createObjects, type DatabaseObject, dropObjects } from './objects.ts';
import { planSwapBack } from './plan-swap-back.ts';
import { reverseSwap, stubsOf, type SwapPlan } from './plan-swap.ts';
import type { DatabaseProblem } from './probe.ts';
import { LOCK_WAIT_SECONDS, renameTables, type SwapOptions } from './rename-tables.ts';
import { requireOurName } from './scratch.ts';
import { createStubs, dropStubs, withdrawStubs } from './stubs.ts';

export type SwapResult = { readonly problems: readonly DatabaseProblem[] };

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
