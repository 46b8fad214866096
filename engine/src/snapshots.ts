/** The snapshots of a repository: list, find, save. */
import { EngineError, reasonOf, throwIfCancelled } from './errors.ts';
import type { Problem } from './errors.ts';
import { decodeSnapshot, encodeSnapshot } from './format/snapshot-file.ts';
import type { Snapshot } from './format/snapshot-file.ts';
import { parseTime } from './format/time.ts';
import { openUnpacked, sealUnpacked } from './format/unpacked.ts';
import { parseSnapshotId } from './ids.ts';
import type { SnapshotId } from './ids.ts';
import { MAX_SMALL_FILE_BYTES } from './limits.ts';
import type { Repository } from './repository.ts';
import { loadVerified, saveHashed } from './storage/load-verified.ts';
import { FileMissing } from './storage/storage.ts';

/** Which snapshots are listed; by default all. */
export type ListOptions = {
  /** Only snapshots that carry all of these. */
  readonly tags?: readonly string[];
  readonly host?: string;
  readonly signal?: AbortSignal;
};

/** Oldest first. A snapshot file that can't be read is a problem, and the others are listed. */
export async function listSnapshots(
  repository: Repository,
  options: ListOptions = {},
): Promise<{ readonly snapshots: readonly Snapshot[]; readonly problems: readonly Problem[] }> {
  const snapshots: Snapshot[] = [];
  const problems: Problem[] = [];
  for (const { id } of await repository.storage.list('snapshots')) {
    throwIfCancelled(options.signal);
    try {
      const snapshot = await loadSnapshot(repository, parseSnapshotId(id));
      if (snapshot !== null && isWanted(snapshot, options)) snapshots.push(snapshot);
    } catch (error) {
      if (!(error instanceof EngineError) || error.code !== 'snapshot-damaged') throw error;
      problems.push({ code: error.code, path: `snapshots/${id}`, message: error.message });
    }
  }
  snapshots.sort((a, b) => compareTimes(a, b));
  return { snapshots, problems };
}

/**
 * The snapshot whose id begins with `wanted`, or the newest of all for `latest`.
 * @throws EngineError `snapshot-unknown`, `snapshot-ambiguous`, `snapshot-damaged`.
 */
export async function findSnapshot(repository: Repository, wanted: string): Promise<Snapshot> {
  if (wanted === 'latest') {
    const newest = (await listSnapshots(repository)).snapshots.at(-1);
    if (newest === undefined) throw new EngineError('snapshot-unknown', { snapshot: 'latest: it has none at all' });
    return newest;
  }
  const files = await repository.storage.list('snapshots');
  const found = /^[0-9a-f]{1,64}$/.test(wanted) ? files.filter(({ id }) => id.startsWith(wanted)) : [];
  const only = found[0];
  if (only === undefined) throw new EngineError('snapshot-unknown', { snapshot: wanted });
  if (found.length > 1) throw new EngineError('snapshot-ambiguous', { snapshot: wanted });
  const snapshot = await loadSnapshot(repository, parseSnapshotId(only.id));
  if (snapshot === null) throw new EngineError('snapshot-unknown', { snapshot: wanted });
  return snapshot;
}

/** Saves a snapshot and reads it back. Everything it refers to must be durable before. */
export async function saveSnapshot(repository: Repository, snapshot: Omit<Snapshot, 'id'>): Promise<Snapshot> {
  const id = parseSnapshotId(
    await saveHashed(repository.storage, 'snapshots', sealUnpacked(repository.key, encodeSnapshot(snapshot))),
  );
  const saved = await loadSnapshot(repository, id);
  if (saved === null)
    throw new EngineError('snapshot-damaged', { file: id, reason: 'it is gone just after it was saved' });
  return saved;
}

/** One snapshot; null where it was removed meanwhile. */
async function loadSnapshot(repository: Repository, id: SnapshotId): Promise<Snapshot | null> {
  try {
    const sealed = await loadVerified(repository.storage, { kind: 'snapshots', id });
    return decodeSnapshot(id, openUnpacked(repository.key, sealed, MAX_SMALL_FILE_BYTES));
  } catch (error) {
    if (error instanceof FileMissing) return null;
    if (error instanceof RangeError)
      throw new EngineError('snapshot-damaged', { file: id, reason: reasonOf(error) }, { cause: error });
    throw error;
  }
}

function isWanted(snapshot: Snapshot, options: ListOptions): boolean {
  if (options.host !== undefined && snapshot.hostname !== options.host) return false;
  return (options.tags ?? []).every((tag) => snapshot.tags.includes(tag));
}

function compareTimes(a: Snapshot, b: Snapshot): number {
  const difference = parseTime(a.time) - parseTime(b.time);
  return difference < 0n ? -1 : difference > 0n ? 1 : a.id < b.id ? -1 : 1;
}
