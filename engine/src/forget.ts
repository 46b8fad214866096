/**
 * Removes the snapshots that a policy does not keep. Only snapshot files go: what they alone referred to is still
 * there until a prune. The decision is `plan-forget.ts`'s.
 *
 *   lock (alone) → list → plan → remove, each file on its own: a crash leaves a part of them, which the next run removes
 */
import { EngineError, throwIfCancelled } from './errors.ts';
import type { Problem } from './errors.ts';
import type { Snapshot } from './format/snapshot-file.ts';
import type { SnapshotId } from './ids.ts';
import { inParallel } from './lib/in-parallel.ts';
import type { HeldLock } from './lock/lock.ts';
import { PIN_TAG, isEmptyPolicy, planForget } from './plan-forget.ts';
import type { ForgetPlan, ForgetPolicy, PlanForgetOptions } from './plan-forget.ts';
import type { Repository } from './repository.ts';
import { isFilterEmpty, selectSnapshots } from './snapshot-filter.ts';
import type { SnapshotFilter } from './snapshot-filter.ts';

/** A policy, and which snapshots it is applied to. */
export type ForgetOptions = Omit<PlanForgetOptions, 'now'> & {
  readonly policy: ForgetPolicy;
  /** Only these snapshots are planned for; others are left alone. */
  readonly filter?: Omit<SnapshotFilter, 'ids'>;
  /** Show what would go, and remove nothing. */
  readonly dryRun?: boolean;
  readonly signal?: AbortSignal;
};

/** What a policy decided and what became of it. Complete where `problems` is empty. */
export type ForgetResult = {
  readonly plan: ForgetPlan;
  /** What was removed, or would be. */
  readonly removed: readonly SnapshotId[];
  /** Snapshots that could not be read (and are kept) or removed. */
  readonly problems: readonly Problem[];
};

/** Files that are removed at a time: a remote storage answers slowly, not seldom. */
const REMOVALS_AT_ONCE = 8;

/**
 * Applies a policy to the snapshots of a repository.
 * @throws EngineError `policy-empty`, `policy-removes-all`, `repository-locked`, `repository-version`,
 *   `storage-failed`, `lock-lost`, `cancelled`. Whatever is thrown, nothing was removed.
 */
export async function forget(repository: Repository, options: ForgetOptions): Promise<ForgetResult> {
  const { policy, filter = {}, dryRun = false, signal } = options;
  // "Everything of this host" may be meant; "everything" is not said by leaving things out.
  if (isEmptyPolicy(policy) && isFilterEmpty(filter)) throw new EngineError('policy-empty');
  const cancellable = repository.withSignal(signal);
  return withForgetLock(cancellable, dryRun, async (lock) => {
    const { snapshots, problems } = await selectSnapshots(cancellable, filter, signal);
    const plan = planForget(snapshots, policy, { ...options, now: repository.clock() });
    throwIfCancelled(signal);
    const gone = plan.groups.flatMap(({ remove }) => remove);
    const { removed, failed } = await removeSnapshots(repository, gone, dryRun, lock);
    return { plan, removed, problems: [...problems, ...failed] };
  });
}

/** As `ForgetOptions`, where a caller names the snapshots himself. */
export type ForgetNamedOptions = Pick<ForgetOptions, 'isPinned' | 'dryRun' | 'signal'>;

/**
 * Removes named snapshots, whatever a policy says. A pinned one stays, and is a problem `snapshot-pinned`.
 * @throws EngineError `snapshot-unknown`, `snapshot-ambiguous`, `snapshot-damaged`, `repository-locked`,
 *   `repository-version`, `lock-lost`, `cancelled`. Whatever is thrown, nothing was removed.
 */
export async function forgetNamed(
  repository: Repository,
  ids: readonly string[],
  options: ForgetNamedOptions = {},
): Promise<Omit<ForgetResult, 'plan'>> {
  const { isPinned, dryRun = false, signal } = options;
  if (ids.length === 0) return { removed: [], problems: [] };
  const cancellable = repository.withSignal(signal);
  return withForgetLock(cancellable, dryRun, async (lock) => {
    const { snapshots } = await selectSnapshots(cancellable, { ids }, signal);
    const pinned = snapshots.filter((each) => each.tags.includes(PIN_TAG) || isPinned?.(each) === true);
    throwIfCancelled(signal);
    const gone = snapshots.filter((each) => !pinned.includes(each));
    const { removed, failed } = await removeSnapshots(repository, gone, dryRun, lock);
    return { removed, problems: [...pinned.map(pinnedProblem), ...failed] };
  });
}

/** A preview changes nothing, so that it need not keep backups out. */
async function withForgetLock<T>(
  repository: Repository,
  dryRun: boolean,
  work: (lock: HeldLock) => Promise<T>,
): Promise<T> {
  if (repository.version !== 2)
    throw new EngineError('repository-version', { version: repository.version, reason: 'only version 2 is written' });
  return repository.withLock(dryRun ? 'shared' : 'exclusive', async (confirmed, lock) => {
    await confirmed;
    return work(lock);
  });
}

/** Goes on after a failure: the others are not in its way. Begun, it is not cancelled: a half would be told as none. */
async function removeSnapshots(
  repository: Repository,
  snapshots: readonly Snapshot[],
  dryRun: boolean,
  lock: HeldLock,
): Promise<{ readonly removed: readonly SnapshotId[]; readonly failed: readonly Problem[] }> {
  if (!dryRun && snapshots.length > 0) await lock.requireHeld();
  const failed: Problem[] = [];
  const removed = new Set<SnapshotId>();
  await inParallel(snapshots, REMOVALS_AT_ONCE, async ({ id }) => {
    try {
      if (!dryRun) await repository.storage.remove({ kind: 'snapshots', id });
      removed.add(id);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      failed.push({ code: error.code, path: `snapshots/${id}`, message: error.message });
    }
  });
  return { removed: snapshots.map(({ id }) => id).filter((id) => removed.has(id)), failed };
}

function pinnedProblem({ id }: Snapshot): Problem {
  return { code: 'snapshot-pinned', path: `snapshots/${id}`, message: 'is pinned and was kept' };
}
