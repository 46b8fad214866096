/**
 * What is left of a switch when the tables have changed places: views, triggers, routines and events, defaults and
 * stand-ins. It needs tables that visitors use by now, and the site's files may not have moved yet: so it is tried
 * without any waiting first, and what is in use has time when they have.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { setBoundDefaults } from './bound-defaults.ts';
import { type DatabaseConnection, type DatabaseLogin, openConnection } from './connect.ts';
import { holdSwap } from './inspect-swap.ts';
import { createObjects, type DatabaseObject, dropObjects } from './objects.ts';
import { stubsOf, type SwapPlan } from './plan-swap.ts';
import type { DatabaseProblem } from './probe.ts';
import { isLockedOut, LOCK_WAIT_SECONDS, PAUSE_MS, QUICK_PAUSE_MS, setWaits, STATEMENT_SECONDS } from './lock-waits.ts';
import { dropStubs } from './stubs.ts';

export type SwapResult = { readonly problems: readonly DatabaseProblem[] };

/** Half a minute or more, of which each try waits for half a second at most and the visitors behind it have their turn in between. */
const TRIES = 45;
/** The last ones of them: a second, and statements take as long as they take. */
const UNHURRIED_TRIES = 20;
const BRIEF_TRIES = 5;

/** Settles one switch whose tables have moved. Idempotent. Throws as a statement does, also where a table stays in use. */
export async function settleSwap(admin: DatabaseLogin, plan: SwapPlan): Promise<SwapResult> {
  await using connection = await openConnection(admin);
  await holdSwap(connection, plan.live);
  return await settleInTries(connection, plan);
}

/**
 * The same without waiting for anybody: null where a table is in use, and `settleSwap` has to be called when the files
 * have moved. A trigger of that table may be missing until then.
 */
export async function settleSwapBriefly(admin: DatabaseLogin, plan: SwapPlan): Promise<SwapResult | null> {
  await using connection = await openConnection(admin);
  await holdSwap(connection, plan.live);
  try {
    return await settleInTries(connection, plan, { tries: BRIEF_TRIES, waitSeconds: 0, pauseMs: QUICK_PAUSE_MS });
  } catch (error) {
    if (isLockedOut(error)) return null;
    throw error;
  }
}

/** `settleSwap` on a session that is there already. */
export async function settleInTries(
  connection: DatabaseConnection,
  plan: SwapPlan,
  { tries, waitSeconds, pauseMs } = { tries: TRIES, waitSeconds: LOCK_WAIT_SECONDS, pauseMs: PAUSE_MS },
): Promise<SwapResult> {
  for (let left = tries; ; left -= 1) {
    // A try that failed in an object has left the object's mode.
    await connection.execute("SET SESSION sql_mode = ''");
    // The last tries are those of a server that is slow, not of one that is busy.
    await setWaits(connection, waitSeconds, left > UNHURRIED_TRIES ? STATEMENT_SECONDS : 0);
    try {
      return { problems: await settle(connection, plan) };
    } catch (error) {
      if (!isLockedOut(error) || left <= 1) throw error;
    }
    await sleep(pauseMs);
  }
}

/** A view may have the name of a stand-in, which goes first. */
async function settle(connection: DatabaseConnection, plan: SwapPlan): Promise<readonly DatabaseProblem[]> {
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

export async function listTableNames(connection: DatabaseConnection, database: string): Promise<string[]> {
  const rows = await connection.query<{ name: string }>(
    "SELECT TABLE_NAME AS name FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_TYPE <> 'VIEW'",
    [database],
  );
  return rows.map((row) => row.name);
}
