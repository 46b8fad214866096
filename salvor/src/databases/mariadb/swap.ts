/**
 * Carries out what `planSwap` decided, and its way back. The plan is in the caller's journal before any of this is
 * called; a crash at any instant leaves what `finishSwaps` or `revertSwaps` takes from there.
 *
 *   (1) old database made        a crash leaves an empty database, which both take as it is, and stand-ins for missing
 *                                parents of foreign keys (`stubs.ts`)
 *       and defaults set          of tables that come, as far as the live sequences that they name are there already: a
 *                                crash leaves scratch tables that say so (`bound-defaults.ts`)
 *   (2) triggers dropped         a crash leaves tables without triggers: the plan holds them, both make them again
 *   (3) one RENAME TABLE         the server does all or nothing, also when it is killed, and also of several databases
 *                                (but for a partitioned table that it was moving: `inspectSwap` finds a torn one)
 *   (4) views, triggers, routines, events made as they belong to the tables that are live now, defaults set that could
 *       not be before; stand-ins that came are dropped; both do it again (`settle-swap.ts`)
 *   (5) by `keepCopies`, when directories have moved too: tables that stayed have their copies kept (`equal-tables.ts`)
 *
 * No step waits for more than a second at a time on a lock: a statement that waits for a table keeps every visitor
 * behind it.
 */
import { SalvorError } from '../../errors.ts';
import { setBoundDefaults } from './bound-defaults.ts';
import { type DatabaseConnection, type DatabaseLogin, openConnection, quoteName } from './connect.ts';
import { keepCopies } from './equal-tables.ts';
import { holdSwap, inspectSwap, locateTables, type SwapState } from './inspect-swap.ts';
import { requireWritableServer } from './judge-server.ts';
import { dropObjects } from './objects.ts';
import { LOCK_WAIT_SECONDS } from './lock-waits.ts';
import { planSwapBack } from './plan-swap-back.ts';
import { reverseSwap, stubsOf, type SwapPlan } from './plan-swap.ts';
import { renameTables, type SwapOptions } from './rename-tables.ts';
import { requireOurName } from './scratch.ts';
import { listTableNames, settleInTries, settleSwap, type SwapResult } from './settle-swap.ts';
import { createStubs, dropStubs, withdrawStubs } from './stubs.ts';

/** Moves and settles one database: `moveTables`, then all of `settleSwap`. What could not be made again is in `problems`. */
export async function applySwap(admin: DatabaseLogin, plan: SwapPlan, options: SwapOptions = {}): Promise<SwapResult> {
  await moveTables(admin, [plan], options);
  return await settleSwap(admin, plan);
}

/**
 * (1) to (3), of all databases of one server that change together: one statement moves the tables of all of them, so
 * none waits for a lock while another has moved. `settleSwap` comes after it. Throws 'swap-locked' (and everything is
 * as before), 'swap-mixed' where the tables are not where a plan says, or as a statement does: then ask `inspectSwap`.
 */
export async function moveTables(
  admin: DatabaseLogin,
  plans: readonly SwapPlan[],
  options: SwapOptions = {},
): Promise<void> {
  await using connection = await openConnection(admin, { lockWaitSeconds: LOCK_WAIT_SECONDS });
  await requireWritableServer(connection);
  // In one order, so that two who want the same ones don't wait for each other.
  for (const live of plans.map((plan) => plan.live).toSorted()) await holdSwap(connection, live);
  for (const plan of plans) await requireState(connection, plan, 'before');
  options.signal?.throwIfAborted();
  for (const plan of plans) await prepareSwap(connection, plan); // (1)
  await renameTables(connection, plans, options); // (2) (3)
}

async function prepareSwap(connection: DatabaseConnection, plan: SwapPlan): Promise<void> {
  await makeOldDatabase(connection, plan);
  // One that a crash left there would be in the way.
  await dropStubs(connection, plan.live, stubsOf(plan).leaving);
  await createStubs(connection, { place: plan.old, of: plan.live }, stubsOf(plan).leaving);
  await createStubs(connection, { place: plan.scratch, of: plan.scratch }, stubsOf(plan).coming);
  // What can't be set yet is set in (4): its sequence comes with the table.
  await setBoundDefaults(connection, plan.scratch, plan.defaults ?? []);
}

/** After a crash: brings a switch to its end, from wherever it stands. Idempotent. One result a plan, in their order. */
export async function finishSwaps(
  admin: DatabaseLogin,
  plans: readonly SwapPlan[],
  options: SwapOptions = {},
): Promise<readonly SwapResult[]> {
  const waiting: SwapPlan[] = [];
  for (const plan of plans) if ((await requireKnownState(admin, plan)).state === 'before') waiting.push(plan);
  if (waiting.length > 0) await moveTables(admin, waiting, options);
  const results: SwapResult[] = [];
  for (const plan of plans) results.push(await settleSwap(admin, plan));
  return results;
}

/**
 * After a crash or a failure: brings everything back to where the switch found it. Idempotent. One result a plan, in
 * their order.
 */
export async function revertSwaps(
  admin: DatabaseLogin,
  plans: readonly SwapPlan[],
  options: SwapOptions = {},
): Promise<readonly SwapResult[]> {
  const moved: SwapPlan[] = [];
  for (const plan of plans) if ((await requireKnownState(admin, plan)).state === 'after') moved.push(plan);
  for (const plan of moved) {
    await keepCopies(admin, plan);
    await using connection = await openConnection(admin);
    // One that came and was not dropped yet would be a table that nobody knows.
    await dropStubs(connection, plan.live, stubsOf(plan).coming);
  }
  if (moved.length > 0) await moveTables(admin, moved.map(reverseSwap), options);
  const results: SwapResult[] = [];
  for (const plan of plans)
    results.push(await (moved.includes(plan) ? settleSwap(admin, reverseSwap(plan)) : settleUnmoved(admin, plan)));
  return results;
}

/** `finishSwaps` of one. */
export async function finishSwap(admin: DatabaseLogin, plan: SwapPlan): Promise<SwapResult> {
  const [result] = await finishSwaps(admin, [plan]);
  return result ?? { problems: [] };
}

/** `revertSwaps` of one. */
export async function revertSwap(admin: DatabaseLogin, plan: SwapPlan): Promise<SwapResult> {
  const [result] = await revertSwaps(admin, [plan]);
  return result ?? { problems: [] };
}

/** Of one whose tables are where they were: what was dropped or made before them. */
async function settleUnmoved(admin: DatabaseLogin, plan: SwapPlan): Promise<SwapResult> {
  await using connection = await openConnection(admin);
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
  const { problems } = await settleInTries(connection, reverse);
  return { problems: [...left, ...problems] };
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
