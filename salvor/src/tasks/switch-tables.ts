/**
 * The databases of a switch, all of them or none: those of one server change places in one statement. Of several
 * servers each is waited for before the first one moves, the next ones wait no longer than a try, and where one has to
 * give way those that have moved go back at once.
 */
import type { Problem } from '@salvor/contract';
import type { DatabaseLogin } from '../databases/mariadb/connect.ts';
import type { SwapPlan } from '../databases/mariadb/plan-swap.ts';
import { waitForOpenTransactions } from '../databases/mariadb/rename-tables.ts';
import { settleSwap, settleSwapBriefly, type SwapResult } from '../databases/mariadb/settle-swap.ts';
import { finishSwaps, moveTables, revertSwaps } from '../databases/mariadb/swap.ts';
import { type WriteTimes, readWriteTimes, writtenSince } from '../databases/mariadb/written-since.ts';
import { SalvorError } from '../errors.ts';
import type { SwitchTools, TableSwap } from './switch-site.ts';

type OfServer = { readonly admin: DatabaseLogin; readonly plans: readonly SwapPlan[] };

/** Throws 'swap-locked' where nothing has moved, or has moved back; what else it throws leaves it open. */
export async function moveAllTables(tables: readonly TableSwap[], home: string, tools: SwitchTools): Promise<void> {
  const servers = await groupByServer(tables, home, tools);
  if (servers.length > 1)
    for (const { admin, plans } of servers)
      await waitForOpenTransactions(
        admin,
        plans.map(({ live }) => live),
      );
  const moved: (OfServer & { readonly before: WriteTimes })[] = [];
  for (const server of servers) {
    const { admin, plans } = server;
    const names = plans.map(({ live }) => live).join(', ');
    const onWait = (transactions: readonly string[]): void =>
      tools.say(`${names} waits for: ${transactions.join('; ') || 'an unknown lock'}`);
    // Only those of which another one is waited for can have to go back.
    const before = server === servers.at(-1) ? new Map<string, string>() : await readWriteTimes(admin, plans);
    try {
      await moveTables(admin, plans, moved.length === 0 ? { onWait } : { onWait, attempts: 1 });
    } catch (error) {
      if (error instanceof SalvorError && error.code === 'swap-locked')
        for (const one of moved.toReversed()) {
          tools.say(`${one.plans.map(({ live }) => live).join(', ')} goes back: ${names} can't move`);
          await revertSwaps(one.admin, one.plans);
          for (const table of writtenSince(one.before, await readWriteTimes(one.admin, one.plans)))
            tools.say(`${table} was written to while the restored one was live: what was written then goes with that`);
        }
      throw error;
    }
    moved.push({ ...server, before });
  }
}

/** What could be settled without waiting; the rest has to be when the files have moved: `settleRest`. */
export type Settled = { readonly problems: readonly Problem[]; readonly rest: readonly TableSwap[] };

export async function settleTables(tables: readonly TableSwap[], home: string, tools: SwitchTools): Promise<Settled> {
  const problems: Problem[] = [];
  const rest: TableSwap[] = [];
  for (const swap of tables) {
    const settled = await settleSwapBriefly(await tools.administratorOf(swap.server, home), swap.plan);
    if (settled === null) rest.push(swap);
    else problems.push(...nameProblems(swap, settled));
  }
  return { problems, rest };
}

export async function settleRest(
  rest: readonly TableSwap[],
  home: string,
  tools: SwitchTools,
): Promise<readonly Problem[]> {
  const problems: Problem[] = [];
  for (const swap of rest) {
    tools.say(`${swap.plan.live}: views and triggers are made now that the files have moved, its tables were in use`);
    problems.push(...nameProblems(swap, await settleSwap(await tools.administratorOf(swap.server, home), swap.plan)));
  }
  return problems;
}

function nameProblems({ plan }: TableSwap, { problems }: SwapResult): readonly Problem[] {
  return problems.map(({ code, name, message }) => ({ code, message, path: `${plan.live}.${name}` }));
}

/** After a crash: moves what has not moved yet. */
export async function finishTables(tables: readonly TableSwap[], home: string, tools: SwitchTools): Promise<void> {
  for (const { admin, plans } of await groupByServer(tables, home, tools))
    for (const result of await finishSwaps(admin, plans)) tellProblems(result, tools);
}

/** Moves back what has moved. */
export async function revertTables(tables: readonly TableSwap[], home: string, tools: SwitchTools): Promise<void> {
  for (const { admin, plans } of (await groupByServer(tables, home, tools)).toReversed())
    for (const result of await revertSwaps(admin, plans)) tellProblems(result, tools);
}

function tellProblems({ problems }: SwapResult, tools: Pick<SwitchTools, 'say'>): void {
  for (const { message } of problems) tools.say(message);
}

async function groupByServer(
  tables: readonly TableSwap[],
  home: string,
  tools: SwitchTools,
): Promise<readonly OfServer[]> {
  const servers: OfServer[] = [];
  for (const swaps of Map.groupBy(tables, ({ server }) => JSON.stringify(server)).values()) {
    const [first] = swaps;
    if (first !== undefined)
      servers.push({ admin: await tools.administratorOf(first.server, home), plans: swaps.map(({ plan }) => plan) });
  }
  return servers;
}
