/** Removes locks that nobody holds any more, or all of them. */
import { EngineError, throwIfCancelled } from './errors.ts';
import type { LockRecord } from './format/lock-file.ts';
import { isStale, readLock } from './lock/lock.ts';
import type { Repository } from './repository.ts';
import { signalStorage } from './storage/signal-storage.ts';

/** Which locks go; by default stale ones only. */
export type UnlockOptions = {
  /** Also locks that are held, or can't be read: only where it is known that nobody works on the repository. */
  readonly all?: boolean;
  readonly signal?: AbortSignal;
};

/** `record` is null where the file can't be read. */
export type FoundLock = { readonly id: string; readonly record: LockRecord | null };

/** Which locks went and which stayed. */
export type UnlockResult = { readonly removed: readonly FoundLock[]; readonly left: readonly FoundLock[] };

/**
 * A lock is stale when it was not renewed for half an hour, or is of a process of this machine that is dead.
 * @throws EngineError `storage-failed`.
 */
export async function unlock(
  repository: Pick<Repository, 'storage' | 'key' | 'clock'>,
  options: UnlockOptions = {},
): Promise<UnlockResult> {
  const { key, clock } = repository;
  const storage = options.signal === undefined ? repository.storage : signalStorage(repository.storage, options.signal);
  const removed: FoundLock[] = [];
  const left: FoundLock[] = [];
  for (const { id } of await storage.list('locks')) {
    throwIfCancelled(options.signal);
    const found = await look(id);
    if (found === null) continue;
    const isGone = options.all === true || (found.record !== null && isStale(found.record, clock()));
    if (isGone) await storage.remove({ kind: 'locks', id });
    (isGone ? removed : left).push(found);
  }
  return { removed, left };

  async function look(id: string): Promise<FoundLock | null> {
    try {
      const record = await readLock(storage, key, id);
      return record === null ? null : { id, record };
    } catch (error) {
      if (error instanceof EngineError && error.code === 'repository-locked') return { id, record: null };
      throw error;
    }
  }
}
