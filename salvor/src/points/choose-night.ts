import { type Repository, listSnapshots } from '@salvor/engine';
import type { AccountManifest } from './account-manifest.ts';
import { type AccountSnapshots, halfOf, readAccountManifest } from './account-point.ts';
import { pointTagOf } from './open-point.ts';

/** A night's point of an account, and what it holds. */
export type Night = {
  readonly point: string;
  readonly time: string;
  readonly snapshots: AccountSnapshots;
  readonly manifest: AccountManifest;
};

/**
 * The newest night of an account that holds its files, and its databases where it has any. Those that the host's agent
 * remembers to have made go before all others, and what is dated in the future is none. Null where there is none.
 */
export async function chooseNight(
  repository: Repository,
  {
    now,
    made,
    point = null,
  }: { readonly now: Date; readonly made: ReadonlySet<string>; readonly point?: string | null },
): Promise<Night | null> {
  const nights = await listNights(repository, { now, point });
  const rank = (id: string, night: AccountSnapshots): number =>
    (made.has(id) ? 4 : 0) + (night.files === null ? 0 : 2) + (night.databases === null ? 0 : 1);
  const inOrder = [...nights].toSorted(
    ([one, a], [other, b]) => rank(other, b) - rank(one, a) || Date.parse(b.time) - Date.parse(a.time),
  );
  for (const [id, { time, ...halves }] of inOrder) {
    if (halves.files === null) continue;
    try {
      const manifest = await readAccountManifest(repository, halves);
      return { point: id, time, snapshots: halves, manifest };
    } catch (error) {
      // One that can't be read is passed over for an older one; where it was asked for by its id it is the reason.
      if (point !== null) throw error;
    }
  }
  return null;
}

/** By the id of their point, oldest first; what is dated in the future is none. Of one point alone where it is named. */
export async function listNights(
  repository: Repository,
  { now, point = null }: { readonly now: Date; readonly point?: string | null },
): Promise<ReadonlyMap<string, AccountSnapshots & { readonly time: string }>> {
  const { snapshots } = await listSnapshots(repository, { tags: ['salvor'] });
  const nights = new Map<string, AccountSnapshots & { readonly time: string }>();
  for (const snapshot of snapshots) {
    const [id, half] = [pointTagOf(snapshot), halfOf(snapshot)];
    if (id === null || half === null || Date.parse(snapshot.time) > now.getTime()) continue;
    if (point !== null && id !== point) continue;
    nights.set(id, { ...(nights.get(id) ?? { files: null, databases: null }), [half]: snapshot, time: snapshot.time });
  }
  return nights;
}
