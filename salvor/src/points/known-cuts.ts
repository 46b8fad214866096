import { type Repository, listSnapshots } from '@salvor/engine';
import { halfOf, readAccountManifest } from './account-point.ts';
import { type KnownCut, cutsOfTags } from './dump-cut.ts';

/** How the databases of an account's sites were cut: the snapshots of single sites say it, and the last night's point. */
export async function readKnownCuts(repository: Repository, account: string): Promise<readonly KnownCut[]> {
  const { snapshots } = await listSnapshots(repository, { tags: ['salvor', `account:${account}`] });
  const single = snapshots.filter((snapshot) => halfOf(snapshot) === null);
  const databases = snapshots.findLast((snapshot) => halfOf(snapshot) === 'databases');
  if (databases === undefined) return cutsOfTags(single);
  const { sites } = await readAccountManifest(repository, { files: null, databases });
  const nightly = sites.flatMap(({ uri, cut }) => (cut === null ? [] : [{ ...cut, uri, time: databases.time }]));
  return [...nightly, ...cutsOfTags(single)];
}
