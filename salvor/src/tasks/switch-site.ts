/**
 * What changes places in a restore, as a value: tables first, all of a server in one statement, then each directory
 * in one exchange. Between the first and the last the site is mixed, for less than a second. Virtual hosts go before
 * both, because the web server may refuse them, and are in force after both, when it has read them. What is kept of
 * tables that stayed where they were is put aside when all that is over.
 *
 * The value goes into the journal before the first part moves. It can be turned round, and each of its parts can be
 * asked whether it has moved, so that a crash at any instant is finished or undone from it.
 */
import type { Problem } from '@salvor/contract';
import type { DatabaseLogin, ServerAddress } from '../databases/mariadb/connect.ts';
import { findEqualTables, keepCopies } from '../databases/mariadb/equal-tables.ts';
import { inspectSwap } from '../databases/mariadb/inspect-swap.ts';
import type { SwapPlan } from '../databases/mariadb/plan-swap.ts';
import { planSwapBack } from '../databases/mariadb/plan-swap-back.ts';
import type { Audit } from '../lib/audit-log.ts';
import { planEntriesBack } from './move-entries.ts';
import { type Move, invertMove, isMoveKept, makeMove, surveyMove } from './move-site.ts';
import { finishTables, moveAllTables, revertTables, settleRest, settleTables } from './switch-tables.ts';
import { type WebServer, reloadWebServer, requireTested, testWebServer } from './web-server.ts';

export type Switch = {
  readonly tables: readonly TableSwap[];
  readonly moves: readonly Move[];
  /** Files and links outside of the site that name it; what somebody else has written there since stays. */
  readonly names?: readonly Move[];
  /** Absent where the web server has nothing to do with it. */
  readonly virtualHosts?: VirtualHostMoves;
};

/** Files of virtual hosts, and the server that reads them. */
export type VirtualHostMoves = { readonly server: WebServer; readonly moves: readonly Move[] };

/** The tables of one database, and the server that holds it. */
export type TableSwap = { readonly server: ServerAddress; readonly plan: SwapPlan };

export type SwitchTools = {
  /** The log-in that may create, swap and drop on this server; asked for the account whose home is given. */
  readonly administratorOf: (server: ServerAddress, home: string) => Promise<DatabaseLogin>;
  readonly say: (line: string) => void;
  readonly audit: Audit;
};

export type SwitchSurvey = {
  /** No part has changed places. */
  readonly isUntouched: boolean;
  /** Parts that are at neither place. */
  readonly lost: readonly string[];
  readonly summary: string;
};

/**
 * Switches, in order. Where it throws, ask `surveySwitch`; with `virtual-host-refused` nothing has moved. Returns what could
 * not be made again beside the tables, and what kept the web server from reading its new configuration.
 */
export async function makeSwitch(wanted: Switch, home: string, tools: SwitchTools): Promise<readonly Problem[]> {
  // One line before and one after: between the parts nothing is waited for.
  return await tools.audit('switch', nameParts(wanted), () => switchParts(wanted, home, tools));
}

function nameParts({ tables, moves, names = [], virtualHosts }: Switch): string {
  const paths = [...(virtualHosts?.moves ?? []), ...moves, ...names].map(({ live }) => live);
  return [...tables.map(({ plan }) => `database ${plan.live}`), ...paths].join(', ');
}

async function switchParts(wanted: Switch, home: string, tools: SwitchTools): Promise<readonly Problem[]> {
  await placeVirtualHosts(wanted.virtualHosts, tools);
  await moveAllTables(wanted.tables, home, tools);
  const { problems, rest } = await settleTables(wanted.tables, home, tools);
  for (const move of wanted.moves) makeMove(move);
  makeNames(wanted, tools);
  const unread = await reloadVirtualHosts(wanted.virtualHosts, tools);
  const settled = await settleRest(rest, home, tools);
  await keepAllCopies(wanted, home, tools);
  return [...problems, ...settled, ...unread];
}

async function keepAllCopies({ tables }: Switch, home: string, tools: SwitchTools): Promise<void> {
  for (const { server, plan } of tables) await keepCopies(await tools.administratorOf(server, home), plan);
}

function makeNames({ names = [] }: Switch, tools: SwitchTools): void {
  for (const move of names) if (isKnown(move, tools)) makeMove(move);
}

/** Into their places, and tested there; back again where the server does not take them. */
async function placeVirtualHosts(wanted: VirtualHostMoves | undefined, tools: SwitchTools): Promise<void> {
  if (wanted === undefined) return;
  const { server, moves } = wanted;
  const known = moves.filter((move) => isKnown(move, tools));
  for (const move of known) makeMove(move);
  try {
    await requireTested(
      server,
      moves.map(({ live }) => live),
      tools.say,
    );
  } catch (error) {
    for (const move of known.toReversed()) makeMove(invertMove(move));
    // Another task's file may have been there at the same instant, or somebody's who writes without a test.
    if ((await testWebServer(server, tools.say)) !== null)
      tools.say('it refuses what was there before too: somebody else has changed its configuration meanwhile');
    throw error;
  }
}

/** One that somebody else has written since is his: neither that nor what was built for it is moved any more. */
function isKnown(move: Move, tools: Pick<SwitchTools, 'say'>): boolean {
  if (surveyMove(move) !== 'lost') return true;
  tools.say(`${move.live} was written by someone else since, and stays`);
  return false;
}

async function reloadVirtualHosts(
  wanted: VirtualHostMoves | undefined,
  tools: Pick<SwitchTools, 'say'>,
): Promise<readonly Problem[]> {
  if (wanted === undefined) return [];
  const words = await reloadWebServer(wanted.server, tools.say);
  if (words === null) return [];
  const message = `the web server was not reloaded, and goes on as before: ${words}`;
  return [{ code: 'web-server-not-reloaded', message, path: wanted.moves[0]?.live ?? null }];
}

/** Moves what has not moved yet. */
export async function finishSwitch(wanted: Switch, home: string, tools: SwitchTools): Promise<void> {
  await tools.audit('switch', nameParts(wanted), async () => {
    await placeVirtualHosts(wanted.virtualHosts, tools);
    await finishTables(wanted.tables, home, tools);
    for (const move of wanted.moves) makeMove(move);
    makeNames(wanted, tools);
    for (const { message } of await reloadVirtualHosts(wanted.virtualHosts, tools)) tools.say(message);
    await keepAllCopies(wanted, home, tools);
  });
}

/** Moves back what has moved. */
export async function revertSwitch(wanted: Switch, home: string, tools: SwitchTools): Promise<void> {
  await tools.audit('switch-back', nameParts(wanted), async () => {
    for (const move of (wanted.names ?? []).toReversed()) if (isKnown(move, tools)) makeMove(invertMove(move));
    for (const move of wanted.moves.toReversed()) makeMove(invertMove(move));
    await revertTables(wanted.tables, home, tools);
    const { virtualHosts } = wanted;
    if (virtualHosts === undefined) return;
    const moved = virtualHosts.moves.filter((move) => isKnown(move, tools) && surveyMove(move) !== 'before');
    for (const move of moved.toReversed()) makeMove(invertMove(move));
    if (moved.length > 0) for (const { message } of await reloadVirtualHosts(virtualHosts, tools)) tools.say(message);
  });
}

/**
 * The switch that takes one back; what is live now goes to databases whose names `nameOf` gives. A virtual host that
 * somebody else has written since stays his.
 */
export async function planSwitchBack(
  done: Switch,
  home: string,
  nameOf: (index: number) => string,
  tools: SwitchTools,
): Promise<Switch> {
  const tables: TableSwap[] = [];
  for (const [index, { server, plan }] of done.tables.entries()) {
    const admin = await tools.administratorOf(server, home);
    const back = await planSwapBack(admin, plan, nameOf(index));
    tables.push({ server, plan: { ...back, mayStay: await findEqualTables(admin, back) } });
  }
  const moves = done.moves.toReversed().map((move) => ('entries' in move ? planEntriesBack(move) : invertMove(move)));
  const { virtualHosts } = done;
  const kept = (done.names ?? []).filter((move) => isMoveKept(move));
  const names = kept.length === 0 ? {} : { names: kept.toReversed().map(invertMove) };
  if (virtualHosts === undefined) return { tables, moves, ...names };
  const hosts = virtualHosts.moves.filter((move) => isMoveKept(move));
  const back = hosts.toReversed().map(invertMove);
  return { tables, moves, ...names, virtualHosts: { ...virtualHosts, moves: back } };
}

export async function surveySwitch(wanted: Switch, home: string, tools: SwitchTools): Promise<SwitchSurvey> {
  const parts = wanted.moves.map((move) => ({ name: move.live, side: surveyMove(move) as string }));
  for (const move of [...(wanted.names ?? []), ...(wanted.virtualHosts?.moves ?? [])]) {
    const side = surveyMove(move);
    // What somebody else has written since keeps nobody from finishing the rest.
    if (side !== 'lost') parts.push({ name: move.live, side });
  }
  for (const { server, plan } of wanted.tables) {
    const { state, details } = await inspectSwap(await tools.administratorOf(server, home), plan);
    const side = state === 'mixed' ? 'lost' : state;
    // A swap of no table at all has moved when it has not: the directories say which.
    if (plan.moves.length > 0) parts.push({ name: details[0] ?? plan.live, side });
  }
  const count = (side: string): number => parts.filter((part) => part.side === side).length;
  return {
    isUntouched: count('before') === parts.length,
    lost: parts.filter(({ side }) => side === 'lost').map(({ name }) => name),
    summary: `${count('before')} parts at their old places, ${count('after')} at their new ones, ${count('between')} on their way, ${count('lost')} at neither`,
  };
}
