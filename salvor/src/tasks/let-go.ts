/**
 * Lets go of what the policy keeps no longer in one of an account's repositories: which snapshots is decided by
 * `policies/retention.ts` alone; then their data. Nothing goes that is pinned.
 */
import type { Problem } from '@salvor/contract';
import { PIN_TAG, type Repository, type Snapshot, forgetNamed, listSnapshots, prune } from '@salvor/engine';
import { halfOf } from '../points/account-point.ts';
import { tagOf } from '../points/open-point.ts';
import { type RetainedSnapshot, planRetention } from '../policies/retention.ts';
import type { Policy } from '../policies/settings.ts';
import type { TaskRun } from './task-run.ts';

export type LetGoWanted = {
  readonly account: string;
  readonly repository: Repository;
  readonly policy: Pick<Policy, 'keepFilesMs' | 'keepDatabasesMs'>;
  /** Added to what the policy keeps, in milliseconds. */
  readonly waitMs: number;
  readonly isClockTrusted: boolean;
  /** Snapshots that this agent made, and whether they are complete. */
  readonly made: ReadonlyMap<string, boolean>;
  /** Points that are held, by id. */
  readonly pinned: ReadonlySet<string>;
};

export type LetGo = {
  readonly forgotten: readonly string[];
  readonly kept: number;
  readonly bytesFreed: number;
  readonly problems: readonly Problem[];
};

export async function letGo(wanted: LetGoWanted, run: TaskRun): Promise<LetGo> {
  const { repository, policy, waitMs, isClockTrusted } = wanted;
  const { snapshots, problems } = await listSnapshots(repository);
  const now = run.clock();
  const plan = planRetention(
    snapshots.map((snapshot) => asRetained(snapshot, wanted)),
    policy,
    { now, isClockTrusted, waitMs },
  );
  const { removed, problems: failed } = await forgetNamed(repository, plan.expire, { signal: run.signal });
  // Without anything gone there may still be what a night that was killed has left.
  const { bytesFreed } = await prune(repository, { signal: run.signal });
  return { forgotten: removed, kept: plan.keep.length, bytesFreed, problems: [...problems, ...failed].map(asProblem) };
}

/** A snapshot that says nothing of what it holds is none of ours: the rules leave it alone. */
function asRetained(snapshot: Snapshot, { account, made, pinned }: LetGoWanted): RetainedSnapshot {
  const half = halfOf(snapshot);
  const uri = tagOf(snapshot, 'site');
  const isOfHost = snapshot.tags.includes('salvor') && tagOf(snapshot, 'account') === account;
  const holds = half !== null ? [half] : uri !== null ? (['files', 'databases'] as const) : [];
  return {
    id: snapshot.id,
    time: new Date(Date.parse(snapshot.time)),
    scope: uri === null ? account : `${account}/${uri}`,
    within: account,
    holds: isOfHost ? holds : [],
    isComplete: made.get(snapshot.id) === true,
    isOurs: made.has(snapshot.id),
    isPinned: snapshot.tags.includes(PIN_TAG) || pinned.has(tagOf(snapshot, 'point') ?? ''),
  };
}

function asProblem({ code, path, message }: Problem): Problem {
  return { code, message, ...(path === undefined ? {} : { path }) };
}
