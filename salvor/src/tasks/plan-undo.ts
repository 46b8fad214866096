/**
 * What an undo is going to switch back, as a value: found by looking at disk and server, before anything is touched. What
 * would keep it from being done is all there at once; `undo-restore.ts` asks the same and ends at the first of it.
 */
import { lstatSync } from 'node:fs';
import type { Problem, UndoPlan } from '@salvor/contract';
import { openConnection } from '../databases/mariadb/connect.ts';
import { readTables } from '../databases/mariadb/probe.ts';
import { planSwapBack } from '../databases/mariadb/plan-swap-back.ts';
import { SalvorError } from '../errors.ts';
import { openSpot } from '../lib/beneath/spot.ts';
import { walkTree } from '../lib/beneath/walk-tree.ts';
import type { Policy } from '../policies/settings.ts';
import { listHooks } from '../policies/task-steps.ts';
import { stayingNames } from '../points/left-out.ts';
import { type Journal, isMaking, siteAfter } from './journal.ts';
import { type Move, type PlaceMove, isMoveKept } from './move-site.ts';
import { findRelocationFault } from './relocate-directory.ts';
import { scratchName } from './scratch-names.ts';
import type { Switch, SwitchTools, TableSwap } from './switch-site.ts';

export type PlanUndoTools = Pick<SwitchTools, 'administratorOf'> & {
  readonly policy: Policy;
  readonly signal: AbortSignal;
  readonly now: Date;
};

/** What journals were kept for that don't say it: of before the policy decided. */
const FORMER_GRACE_HOURS = 72;
/** More names than a person reads. */
const MAX_NAMES = 50;

/** `refused` is what is known already that keeps it from being done: reasons of `nothing-to-undo`. */
export async function planUndo(original: Journal, refused: readonly string[], tools: PlanUndoTools): Promise<UndoPlan> {
  const { switch: done, undoUntil } = original;
  const now = siteAfter(original);
  const findings: Findings = { obstacles: refused.map(nameRefused), notes: [] };
  const sinceMs = timeOfSwitch(original);
  const written: Written = { files: 0, tables: 0, names: [] };
  const databases: UndoPlan['databases'][number][] = [];
  if (original.phase === 'kept' && done !== null) {
    findings.obstacles.push(...judgeKept(done).map(nameRefused));
    if (isNothingKept(done)) findings.obstacles.push(nameRefused(WRITTEN_BY_OTHERS));
    findings.notes.push(...tellChangedHosts(done));
    for (const swap of done.tables) {
      const planned = await planTables(original, swap, { sinceMs, written }, tools, findings);
      if (planned !== null) databases.push(planned);
    }
    if (sinceMs !== null) for (const move of done.moves) await findWritten(move, sinceMs, written, tools.signal);
  }
  if (undoUntil !== null && Date.parse(undoUntil) < tools.now.getTime()) {
    const message = `its time is over since ${undoUntil}: the next task may drop what it needs`;
    findings.notes.push({ code: 'undo-overdue', message, path: null });
  }
  return {
    account: now.account,
    uri: now.uri,
    newUri: isMaking(original.operation) ? null : original.site.uri,
    task: original.task,
    operation: original.operation,
    since: sinceMs === null ? null : new Date(sinceMs).toISOString(),
    undoUntil,
    databases,
    places: (done?.moves ?? []).map(placeOf),
    names: done === null ? [] : namesOf(done),
    written,
    hooks: listHooks(tools.policy, 'undo'),
    ...findings,
  };
}

type Findings = { readonly obstacles: Problem[]; readonly notes: Problem[] };
type Written = { files: number; tables: number; readonly names: string[] };

export const WRITTEN_BY_OTHERS = 'its virtual host was written by someone else since';

/** Every part must be where the task has put it; whoever moved one since would lose what he put there. */
export function judgeKept({ moves }: Switch): readonly string[] {
  const places = new Set(moves.map(({ staging }) => staging));
  const away = new Set([...places].filter((path) => lstatSync(path, { throwIfNoEntry: false }) === undefined));
  return [
    ...[...away].map((path) => `${path} is not there: is its file system mounted?`),
    ...moves
      .filter((move) => !away.has(move.staging) && !isMoveKept(move))
      .map((move) => {
        const path = 'inode' in move ? findRelocationFault(move) : move.live;
        return 'inode' in move && path === move.live
          ? `there is something at ${path} again, where the site would go back to`
          : `${path} is not where the task has put it, or what it replaced is not kept any more`;
      }),
  ];
}

/** Whether the task had switched a virtual host alone, which somebody else has written since: it is his. */
export function isNothingKept({ tables, moves, virtualHosts }: Switch): boolean {
  return tables.length + moves.length + (virtualHosts?.moves ?? []).filter(isMoveKept).length === 0;
}

/** Files beside the site that an undo leaves alone. */
export function tellChangedHosts({ names = [], virtualHosts }: Switch): readonly Problem[] {
  return [...names, ...(virtualHosts?.moves ?? [])]
    .filter((move) => !isMoveKept(move))
    .map(({ live }) => ({
      code: 'virtual-host-changed',
      message: 'was written by someone else since the task, and stays as it is',
      path: live,
    }));
}

/** From when on the site was the new one; null where the task has not ended. */
function timeOfSwitch({ phase, undoUntil, graceHours }: Journal): number | null {
  if (phase !== 'kept' || undoUntil === null) return null;
  return Date.parse(undoUntil) - (graceHours ?? FORMER_GRACE_HOURS) * 3_600_000;
}

/** Null where it can't be planned: then that is an obstacle. */
async function planTables(
  original: Journal,
  { server, plan }: TableSwap,
  { sinceMs, written }: { readonly sinceMs: number | null; readonly written: Written },
  tools: PlanUndoTools,
  { obstacles }: Findings,
): Promise<UndoPlan['databases'][number] | null> {
  try {
    const admin = await tools.administratorOf(server, original.site.home);
    const { moves } = await planSwapBack(admin, plan, scratchName(original.task, 'back'));
    await using connection = await openConnection(admin, { signal: tools.signal });
    const live = await readTables(connection, plan.live);
    const leaves = moves.filter((move) => move.leaves).map(({ table }) => table);
    if (sinceMs !== null && leaves.length > 0) {
      const late = await connection.query<{ name: string }>(
        `SELECT TABLE_NAME AS name FROM information_schema.TABLES
         WHERE TABLE_SCHEMA = ? AND UNIX_TIMESTAMP(UPDATE_TIME) >= ? AND TABLE_NAME IN (?) ORDER BY 1`,
        [plan.live, Math.ceil(sinceMs / 1000), leaves],
      );
      written.tables += late.length;
      addNames(
        written,
        late.map(({ name }) => `${plan.live}.${name}`),
      );
    }
    return {
      name: plan.live,
      restored: moves.filter(({ comes }) => comes).length,
      deleted: moves.filter((move) => move.leaves && !move.comes).length,
      kept: live.length - leaves.length,
    };
  } catch (error) {
    if (!(error instanceof SalvorError) || error.code === 'cancelled') throw error;
    obstacles.push({ code: error.code, message: error.message, path: plan.live });
    return null;
  }
}

/** Files that leave and were written since. A directory that only moves takes them along. */
async function findWritten(move: Move, sinceMs: number, written: Written, signal: AbortSignal): Promise<void> {
  if ('to' in move) return;
  const isByEntries = 'entries' in move;
  const stays = new Set(isByEntries ? stayingNames(move.live) : []);
  const sinceNs = BigInt(Math.ceil(sinceMs)) * 1_000_000n;
  try {
    using spot = openSpot(move.home, move.live);
    for await (const { path, stat } of walkTree(spot)) {
      signal.throwIfAborted();
      if (stat.isDirectory() || stays.has(path.split('/')[0] ?? '')) continue;
      // The very switch is a change of an entry that moves by itself.
      if ((isByEntries || path === '' ? stat.mtimeNs : stat.ctimeNs) <= sinceNs) continue;
      written.files += 1;
      addNames(written, [[move.path ?? '', path].filter((part) => part !== '').join('/') || move.live]);
    }
  } catch (error) {
    // Gone since, with the directory that it lay in: the obstacles say so.
    if (!(error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'path-leads-out')))
      throw error;
  }
}

function addNames(written: Written, names: readonly string[]): void {
  written.names.push(...names.slice(0, Math.max(0, MAX_NAMES - written.names.length)));
}

/** Of the move that was made, what its way back does. */
function placeOf(move: Move): UndoPlan['places'][number] {
  if ('to' in move) return { path: move.to, change: 'moved', newPath: move.live };
  return { path: move.live, change: 'entries' in move ? 'replaced' : changeOf(move), newPath: null };
}

function changeOf({ liveInode, stagedInode }: PlaceMove): 'replaced' | 'restored' | 'deleted' {
  if (liveInode === null) return 'deleted';
  return stagedInode === null ? 'restored' : 'replaced';
}

const NAME_CHANGES = { replaced: 'changed', restored: 'made', deleted: 'removed' } as const;

function namesOf({ names = [], virtualHosts }: Switch): UndoPlan['names'] {
  const shown = (moves: readonly Move[], kind: 'name' | 'virtual-host'): UndoPlan['names'] =>
    moves.filter(isMoveKept).flatMap((move) => {
      const { path, change } = placeOf(move);
      return change === 'moved' ? [] : [{ path, change: NAME_CHANGES[change], kind }];
    });
  return [...shown(names, 'name'), ...shown(virtualHosts?.moves ?? [], 'virtual-host')];
}

function nameRefused(why: string): Problem {
  return { code: 'nothing-to-undo', message: why, path: null };
}
