/**
 * Changes the tags of snapshots. A snapshot is immutable, so that a new one takes its place, which remembers the
 * first id it had (`original`; docs/format.md, Snapshots).
 *
 *   lock (alone) → per snapshot:
 *     1. save the new one     a crash leaves both; the next run changes the old one again, and nothing is lost
 *     2. tell the caller      who knows snapshots by their ids knows the new one before the old one is gone
 *     3. remove the old one
 */
import { EngineError, throwIfCancelled } from './errors.ts';
import type { Problem } from './errors.ts';
import type { Snapshot } from './format/snapshot-file.ts';
import type { SnapshotId } from './ids.ts';
import type { Repository } from './repository.ts';
import { selectSnapshots } from './snapshot-filter.ts';
import type { SnapshotFilter } from './snapshot-filter.ts';
import { saveSnapshot } from './snapshots.ts';

/** Either the tags that a snapshot shall have, or those to add and to remove (in this order). */
export type TagChange =
  | { readonly set: readonly string[] }
  | { readonly add?: readonly string[]; readonly remove?: readonly string[] };

/** Which tags change on which snapshots. */
export type TagOptions = {
  readonly change: TagChange;
  /** By default all snapshots. */
  readonly filter?: SnapshotFilter;
  /** Told of each new snapshot before the old one is removed, and waited for. */
  readonly onSaved?: (change: { readonly old: SnapshotId; readonly new: SnapshotId }) => void | Promise<void>;
  readonly signal?: AbortSignal;
};

/** Which snapshots took the place of which. Complete where `problems` is empty. */
export type TagResult = {
  /** A snapshot that has its tags already is not written again. */
  readonly changed: readonly { readonly old: SnapshotId; readonly new: SnapshotId; readonly tags: readonly string[] }[];
  readonly problems: readonly Problem[];
};

/**
 * @throws EngineError `snapshot-unknown`, `snapshot-ambiguous`, `snapshot-damaged`, `repository-locked`,
 *   `repository-version`, `storage-failed`, `storage-full`, `lock-lost`; `cancelled` before the first change.
 */
export async function tag(repository: Repository, options: TagOptions): Promise<TagResult> {
  if (repository.version !== 2)
    throw new EngineError('repository-version', { version: repository.version, reason: 'only version 2 is written' });
  const cancellable = repository.withSignal(options.signal);
  return cancellable.withLock('exclusive', async (confirmed, lock) => {
    await confirmed;
    const { snapshots, problems } = await selectSnapshots(cancellable, options.filter, options.signal);
    throwIfCancelled(options.signal);
    const changed: TagResult['changed'][number][] = [];
    for (const snapshot of snapshots) {
      const tags = changeTags(snapshot.tags, options.change);
      if (isSame(tags, snapshot.tags)) continue;
      // Whoever took the lock away may have forgotten the snapshot, and pruned what it needs.
      await lock.requireHeld(changed.length === 0 ? undefined : {});
      const saved = await saveSnapshot(repository, withTags(snapshot, tags));
      await options.onSaved?.({ old: snapshot.id, new: saved.id });
      await repository.storage.remove({ kind: 'snapshots', id: snapshot.id });
      changed.push({ old: snapshot.id, new: saved.id, tags });
    }
    return { changed, problems };
  });
}

/** The empty tag is no tag: `set: ['']` takes all away, as restic's does. */
function changeTags(tags: readonly string[], change: TagChange): readonly string[] {
  if ('set' in change) return unique(change.set);
  const { add = [], remove = [] } = change;
  return unique([...tags, ...add]).filter((each) => !remove.includes(each));
}

const unique = (tags: readonly string[]): readonly string[] => [...new Set(tags)].filter((each) => each !== '');

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((each, i) => each === b[i]);
}

function withTags(snapshot: Snapshot, tags: readonly string[]): Omit<Snapshot, 'id'> {
  return { ...snapshot, tags, original: snapshot.original ?? snapshot.id };
}
