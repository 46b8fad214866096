/** What a night's point of an account says of itself: a manifest for each of its sites, and one that leads to them. Pure. */
import { hostname } from 'node:os';
import type { Problem } from '@salvor/contract';
import type { AccountManifest } from './account-manifest.ts';
import type { CaptureAccountWanted, CaptureSite } from './account-wanted.ts';
import type { countFiles } from './count-files.ts';
import type { Manifest, ManifestDatabase } from './manifest.ts';
import { escapePlaceName, namePlaces } from './moved-places.ts';
import { pointIdOfSite } from './point-id.ts';

export type CountedFiles = Awaited<ReturnType<typeof countFiles>>;

export type NightOfSite = {
  readonly site: CaptureSite;
  /** Null where its files could not be looked at. */
  readonly counted: CountedFiles | null;
  /** Those that were dumped, and where each lies below `/databases/`. */
  readonly databases: readonly { readonly name: string; readonly place: string; readonly dumped: ManifestDatabase }[];
  /** As when its files are read. */
  readonly filesTime: Date;
  /** A task has switched it since the night began: the databases may be of before, some files of after. */
  readonly isMixed: boolean;
  /** What was met on the way, beside what was known before. */
  readonly met: readonly Problem[];
};

export type Night = { readonly wanted: CaptureAccountWanted; readonly time: Date };

/** The file of a site's manifest below `/manifests/`. */
export function nameManifest({ site }: CaptureSite): string {
  return `${escapePlaceName(site.uri)}.json`;
}

export function manifestOfSite(night: NightOfSite, { wanted, time }: Night): Manifest {
  const { site: captured, counted, isMixed, met } = night;
  const { site, leftOut } = captured;
  const { account, point } = wanted;
  const hasFiles = wanted.holds === 'all' && counted !== null;
  const databases = night.databases.map(({ dumped }) => dumped);
  const problems = [...captured.problems, ...captured.notes, ...met];
  const isWhole = captured.problems.length === 0 && counted !== null && databases.length === site.databases.length;
  return {
    format: 'salvor-point',
    version: 1,
    point: pointIdOfSite(point, site.uri),
    time: time.toISOString(),
    origin: 'daily',
    reason: null,
    safety: false,
    task: wanted.task,
    host: hostname(),
    account: { name: account.name, home: account.home, uid: account.uid, gid: account.gid },
    site: { uri: site.uri, path: site.path, cms: site.cms, version: site.version, schema: captured.schema },
    platform: { name: site.platform.name, root: site.platform.root, version: site.platform.version },
    files: hasFiles ? { count: counted.count, bytes: counted.bytes } : null,
    moved: hasFiles
      ? namePlaces(captured.movedOut).map(({ link, target, place, linked }) => ({ link, target, place, linked }))
      : [],
    databases,
    seconds: secondsBetween(night.filesTime, databases),
    owners: counted?.owners ?? { users: [], groups: [] },
    tools: {
      node: process.version,
      ...Object.fromEntries(databases.map((database) => [`server of ${database.name}`, database.server])),
    },
    complete: isWhole && !isMixed,
    leftOut: {
      files: leftOut.map(({ shown }) => shown),
      rows: captured.databases.flatMap(({ withoutRows = [] }) => withoutRows),
    },
    problems: problems.map(({ code, message, path }) => ({ code, message, path: path ?? null })),
  };
}

export function manifestOfAccount(nights: readonly NightOfSite[], { wanted, time }: Night): AccountManifest {
  const { account, point, homes } = wanted;
  return {
    format: 'salvor-account-point',
    version: 1,
    point,
    time: time.toISOString(),
    host: hostname(),
    account: { name: account.name, home: account.home, uid: account.uid, gid: account.gid },
    homes,
    sites: nights.map(({ site, databases }) => ({
      uri: site.site.uri,
      manifest: `/manifests/${nameManifest(site)}`,
      databases: Object.fromEntries(databases.map(({ name, place }) => [name, place])),
      cut: site.cut === null ? null : { bytes: site.cut.bytes, cutBytes: site.cut.cutBytes },
    })),
  };
}

/** Between the views of the databases and the files. */
function secondsBetween(files: Date, databases: readonly ManifestDatabase[]): number {
  return Math.max(0, ...databases.map(({ time }) => Math.abs(files.getTime() - Date.parse(time)) / 1000));
}
