import type { Problem } from '@salvor/contract';
import type { Repository } from '@salvor/engine';
import type { AccountSite } from './account-manifest.ts';
import { type AccountSnapshots, readAccountManifest, readSiteManifest } from './account-point.ts';
import { type Night, listNights } from './choose-night.ts';
import type { Manifest } from './manifest.ts';
import { pointIdOfSite } from './point-id.ts';

/** Of the sites that a night holds in part, by URI, what it lacks and which night before it has all of the site, with the command that brings it back from there. */
export async function findHeldInPart(
  repository: Repository,
  night: Night,
  { sites, made }: { readonly sites: readonly AccountSite[]; readonly made: ReadonlySet<string> },
): Promise<ReadonlyMap<string, Problem>> {
  const found = new Map<string, Problem>();
  for (const site of sites) {
    const held = await readSiteManifest(repository, night.snapshots, site);
    if (held.complete) continue;
    const name = `${night.manifest.account.name}/${site.uri}`;
    const whole = await findWhole(repository, night, site.uri, made);
    const lacks = held.problems[0]?.message ?? 'part of it was let go of';
    const message = `the night of ${night.time} does not hold all of it (${lacks}); ${whole === null ? 'no night before has all of it' : sayWhole(name, held, whole)}`;
    found.set(site.uri, { code: 'site-held-in-part', path: name, message });
  }
  return found;
}

/** `point`: the site's own. */
type Whole = { readonly point: string; readonly time: string; readonly manifest: Manifest };

function sayWhole(name: string, held: Manifest, { point, time, manifest }: Whole): string {
  const lacksDatabase = manifest.databases.some((one) => held.databases.every((other) => other.name !== one.name));
  const part = lacksDatabase && held.files !== null ? ' --only databases' : '';
  return `the one of ${time} has: salvor restore ${name} ${point}${part}`;
}

/** The newest; those that the host remembers to have made go before all others. */
async function findWhole(
  repository: Repository,
  night: Night,
  uri: string,
  made: ReadonlySet<string>,
): Promise<Whole | null> {
  const nights = [...(await listNights(repository, { now: new Date(night.time) }))].filter(
    ([id]) => id !== night.point,
  );
  const newestFirst = nights.toReversed();
  for (const [point, { time, ...halves }] of [
    ...newestFirst.filter(([id]) => made.has(id)),
    ...newestFirst.filter(([id]) => !made.has(id)),
  ]) {
    const manifest = await readOf(repository, halves, uri);
    if (manifest?.complete === true) return { point: pointIdOfSite(point, uri), time, manifest };
  }
  return null;
}

/** Null where the night has nothing of the site, or can't be read. */
async function readOf(repository: Repository, halves: AccountSnapshots, uri: string): Promise<Manifest | null> {
  try {
    const { sites } = await readAccountManifest(repository, halves);
    const site = sites.find((one) => one.uri === uri);
    return site === undefined ? null : await readSiteManifest(repository, halves, site);
  } catch {
    return null;
  }
}
