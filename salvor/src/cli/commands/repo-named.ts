/** The snapshot that a verb is about: by its id, or the newest that some flags choose. */
import { EngineError, findSnapshot, listSnapshots, matchesFilter } from '@salvor/engine';
import type { Repository, Snapshot } from '@salvor/engine';
import { toFilter } from './repo-filter.ts';
import type { FilterFlags } from './repo-filter.ts';

/** `--host`, `--tag` and `--path` choose among snapshots where `latest` is named, as in restic; an id needs no choice. */
export async function findNamed(
  repository: Repository,
  named: string,
  flags: Omit<FilterFlags, 'repo'>,
  signal: AbortSignal,
): Promise<Snapshot> {
  const filter = toFilter(flags);
  const isChosen = [filter.hosts, filter.tags, filter.paths].some((list) => (list ?? []).length > 0);
  if (named !== 'latest' || !isChosen) return findSnapshot(repository, named);
  const { snapshots } = await listSnapshots(repository, { signal });
  const newest = snapshots.findLast((snapshot) => matchesFilter(snapshot, filter));
  if (newest === undefined)
    throw new EngineError('snapshot-unknown', { snapshot: 'latest of this host, these tags and these paths' });
  return newest;
}
