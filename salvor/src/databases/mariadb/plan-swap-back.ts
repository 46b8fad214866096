import { SalvorError } from '../../errors.ts';
import type { DatabaseLogin } from './connect.ts';
import { readSwapFacts } from './inspect-swap.ts';
import { findStubs, isInScope, requireNoBorderKeys, stubsOf, type SwapPlan, withoutBroken } from './plan-swap.ts';
import { requireOurName } from './scratch.ts';

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
