/** Which snapshots a verb is about: named ones, or those of some hosts, tags and paths. */
import { EngineError } from './errors.ts';
import type { Problem } from './errors.ts';
import type { Snapshot } from './format/snapshot-file.ts';
import { hasTags } from './plan-forget.ts';
import type { Repository } from './repository.ts';
import { findSnapshot, listSnapshots } from './snapshots.ts';

/** Which snapshots a verb is about. */
export type SnapshotFilter = {
  /** Ids, their beginnings, or `latest`; the other members then only say of which snapshots the latest is meant. */
  readonly ids?: readonly string[];
  /** Of one of these hosts. */
  readonly hosts?: readonly string[];
  /** Carrying all tags of one of these lists; the tag `''` stands for having none. */
  readonly tags?: readonly (readonly string[])[];
  /** Made of all of these paths, and maybe more. */
  readonly paths?: readonly string[];
};

/**
 * Oldest first; each snapshot once. A snapshot file that can't be read is a problem, unless it was named.
 * @throws EngineError `snapshot-unknown`, `snapshot-ambiguous`, `snapshot-damaged`, `cancelled`.
 */
export async function selectSnapshots(
  repository: Repository,
  filter: SnapshotFilter = {},
  signal?: AbortSignal,
): Promise<{ readonly snapshots: readonly Snapshot[]; readonly problems: readonly Problem[] }> {
  if (filter.ids !== undefined && filter.ids.length > 0) {
    const named = new Map<string, Snapshot>();
    for (const id of filter.ids) {
      const snapshot = id === 'latest' ? await findLatest(repository, filter) : await findSnapshot(repository, id);
      named.set(snapshot.id, snapshot);
    }
    return { snapshots: [...named.values()], problems: [] };
  }
  const { snapshots, problems } = await listSnapshots(repository, signal === undefined ? {} : { signal });
  return { snapshots: snapshots.filter((snapshot) => matchesFilter(snapshot, filter)), problems };
}

async function findLatest(repository: Repository, filter: SnapshotFilter): Promise<Snapshot> {
  if (isFilterEmpty({ ...filter, ids: [] })) return findSnapshot(repository, 'latest');
  const newest = (await listSnapshots(repository)).snapshots.findLast((snapshot) => matchesFilter(snapshot, filter));
  if (newest === undefined)
    throw new EngineError('snapshot-unknown', { snapshot: 'latest of this host, these tags and these paths' });
  return newest;
}

/** Whether host, tags and paths fit; `ids` are not looked at. An empty list is no condition. */
export function matchesFilter(snapshot: Snapshot, { hosts = [], tags = [], paths = [] }: SnapshotFilter): boolean {
  if (hosts.length > 0 && !hosts.includes(snapshot.hostname)) return false;
  if (tags.length > 0 && !tags.some((list) => hasTags(snapshot, list))) return false;
  return paths.every((path) => snapshot.paths.includes(path));
}

/** Whether the filter leaves anything out. */
export function isFilterEmpty({ ids = [], hosts = [], tags = [], paths = [] }: SnapshotFilter): boolean {
  return ids.length + hosts.length + tags.length + paths.length === 0;
}
