/**
 * Lets go of what the policy keeps no longer in one of an account's repositories: which snapshots is decided by
 * `policies/retention.ts` alone; then their data. Nothing goes that is pinned.
 */
import type { Problem } from '@salvor/contract';
import { PIN_TAG, type Repository, type Snapshot, forgetNamed, listSnapshots, prune } from '@salvor/engine';
import { halfOf } from '../points/account-point.ts';
import { tagOf } from '../points/open-point.ts';
import { type LivedTime, ageLived } from '../policies/lived-time.ts';
import { type Content, type RetainedSnapshot, type RetentionPlan, planRetention } from '../policies/retention.ts';
import type { Policy } from '../policies/settings.ts';
import type { TaskRun } from './task-run.ts';

/** Whether the host's clock is believed, and what the host has lived through by it. */
export type NightClock = LivedTime & { readonly isTrusted: boolean };

/** What decides: the rules, and what is known of the snapshots. */
export type LetGoRules = {
  readonly account: string;
  readonly policy: Pick<Policy, 'keepFilesMs' | 'keepDatabasesMs'>;
  /** Added to what the policy keeps, in milliseconds. */
  readonly waitMs: number;
  readonly clock: NightClock;
  /** Snapshots that this agent made, and whether they are complete. */
  readonly made: ReadonlyMap<string, boolean>;
  /** Points that nothing may remove, by id or tag: nobody confirmed their task, or they are a site's newest complete one. */
  readonly held: ReadonlySet<string>;
};

export type LetGoWanted = LetGoRules & { readonly repository: Repository };

export type LetGo = {
  readonly forgotten: readonly string[];
  readonly kept: number;
  readonly bytesFreed: number;
  readonly problems: readonly Problem[];
};

export async function letGo(wanted: LetGoWanted, run: TaskRun): Promise<LetGo> {
  const { repository } = wanted;
  const { snapshots, problems } = await listSnapshots(repository);
  const plan = planLetGo(snapshots, wanted, run.clock());
  const { removed, problems: failed } = await forgetNamed(repository, plan.expire, { signal: run.signal });
  // Without anything gone there may still be what a night that was killed has left.
  const { bytesFreed } = await prune(repository, { signal: run.signal });
  return { forgotten: removed, kept: plan.keep.length, bytesFreed, problems: [...problems, ...failed].map(asProblem) };
}

function planLetGo(snapshots: readonly Snapshot[], rules: LetGoRules, now: Date): RetentionPlan {
  const { policy, clock, waitMs } = rules;
  const retained = snapshots.map((snapshot) => asRetained(snapshot, rules));
  const ageOf = (time: Date): number => ageLived(clock, time);
  return planRetention(retained, policy, { now, isClockTrusted: clock.isTrusted, ageOf, waitMs });
}

/** What would go now, for people: newest first. Changes nothing. */
export async function previewLetGo(
  repository: Repository,
  rules: LetGoRules,
  now: Date,
): Promise<{ readonly goes: readonly Gone[]; readonly kept: number }> {
  const { snapshots } = await listSnapshots(repository);
  const plan = planLetGo(snapshots, rules, now);
  const expire = new Set(plan.expire);
  const goes = snapshots
    .filter(({ id }) => expire.has(id))
    .map((snapshot) => {
      const { scope: of, holds } = contentOf(snapshot, rules.account);
      return { snapshot: snapshot.id, time: new Date(Date.parse(snapshot.time)), of, holds };
    });
  return { goes: goes.toReversed(), kept: plan.keep.length };
}

export type Gone = {
  readonly snapshot: string;
  readonly time: Date;
  /** The account or ACCOUNT/URI. */
  readonly of: string;
  readonly holds: readonly Content[];
};

function contentOf(snapshot: Snapshot, account: string): Pick<RetainedSnapshot, 'scope' | 'holds'> {
  const half = halfOf(snapshot);
  const uri = tagOf(snapshot, 'site');
  return {
    scope: uri === null ? account : `${account}/${uri}`,
    holds: half !== null ? [half] : uri !== null ? ['files', 'databases'] : [],
  };
}

/** A snapshot that says nothing of what it holds is none of ours: the rules leave it alone. */
function asRetained(snapshot: Snapshot, { account, made, held }: LetGoRules): RetainedSnapshot {
  const { scope, holds } = contentOf(snapshot, account);
  const isOfHost = snapshot.tags.includes('salvor') && tagOf(snapshot, 'account') === account;
  return {
    id: snapshot.id,
    time: new Date(Date.parse(snapshot.time)),
    scope,
    within: account,
    holds: isOfHost ? holds : [],
    isComplete: made.get(snapshot.id) === true,
    isOurs: made.has(snapshot.id),
    isPinned: snapshot.tags.includes(PIN_TAG) || held.has(tagOf(snapshot, 'point') ?? ''),
  };
}

function asProblem({ code, path, message }: Problem): Problem {
  return { code, message, ...(path === undefined ? {} : { path }) };
}
