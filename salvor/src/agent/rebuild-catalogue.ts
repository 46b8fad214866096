/**
 * The catalogue out of what it is a cache of: points of all repositories that this host has made, in both copies, and the archives
 * on the disk. Points are listed without it too; what only the lost list knew is here taken for the host's own again.
 */
import type { Problem } from '@salvor/contract';
import type { HostPoints } from '../points/host-points.ts';
import { type RepositoryPlaces, copiesOf, listMade } from '../points/repositories.ts';
import type { FoundSites } from '../sites/find-sites.ts';
import { asProblem } from './recover-account.ts';

export type RebuiltCatalogue = {
  readonly points: number;
  /** Archives of tasks that are known again. */
  readonly archives: number;
  readonly problems: readonly Problem[];
};

export type RebuildOptions = {
  /** Tags of points that the host is known to have made; null where nobody knows. */
  readonly made: ReadonlySet<string> | null;
  readonly now: Date;
  readonly signal: AbortSignal;
};

export async function rebuildCatalogue(
  places: RepositoryPlaces,
  points: HostPoints,
  { accounts, sites }: FoundSites,
  { made, now, signal }: RebuildOptions,
): Promise<RebuiltCatalogue> {
  const problems: Problem[] = [];
  const attempt = async (path: string, work: () => Promise<number>): Promise<number> => {
    try {
      signal.throwIfAborted();
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      problems.push(asProblem(error, path));
      return 0;
    }
  };
  const known = new Set<string>();
  for (const copy of copiesOf(places))
    for (const { account, url } of listMade(places, copy)) {
      known.add(account);
      await attempt(url, () => points.adoptMade(account, copy, { points: made, now }));
      await attempt(url, async () => (await points.listCopy(account, copy)).points.length);
    }
  let count = 0;
  for (const account of known)
    count += await attempt(account, async () => (await points.listAll(account)).points.length);
  let archives = 0;
  for (const account of accounts)
    archives += await attempt(account.home, async () => {
      await points.listArchives(account, sites);
      return await points.adoptArchives(account.name);
    });
  return { points: count, archives, problems };
}
