/**
 * A night's point of an account, as its two snapshots hold it, and the point of one of its sites: what the site has in
 * both, arranged as a point of its own. Same view, same restore; where the rules have let go of one snapshot the point
 * holds what the other has.
 */
import {
  type ArrangedEntry,
  type Repository,
  type Snapshot,
  type SnapshotView,
  arrange,
  openView,
} from '@salvor/engine';
import { SalvorError } from '../errors.ts';
import { type AccountManifest, type AccountSite, parseAccountManifest } from './account-manifest.ts';
import { MAX_MANIFEST_BYTES, type Manifest, parseManifest } from './manifest.ts';
import { type OpenPoint, readFileOfView, tagOf } from './open-point.ts';

/** The snapshots that carry the id of one point of an account: one at least. */
export type AccountSnapshots = { readonly files: Snapshot | null; readonly databases: Snapshot | null };

/** Which half of an account's point a snapshot is; null for the snapshot of a single site. */
export function halfOf(snapshot: Snapshot): 'files' | 'databases' | null {
  const holds = tagOf(snapshot, 'holds');
  return holds === 'files' || holds === 'databases' ? holds : null;
}

/** Throws `point-incomplete` where it can't be read. */
export async function readAccountManifest(
  repository: Repository,
  snapshots: AccountSnapshots,
): Promise<AccountManifest> {
  const snapshot = eitherOf(snapshots);
  const view = await openView(repository, snapshot);
  return await readParsed(view, '/manifest.json', snapshot, parseAccountManifest);
}

/** The point of one site. Throws `point-incomplete`, and the engine's codes for damage. */
export async function openSitePoint(
  repository: Repository,
  snapshots: AccountSnapshots,
  site: AccountSite,
): Promise<OpenPoint> {
  const snapshot = eitherOf(snapshots);
  const manifest = await readSiteManifest(repository, snapshots, site);
  const entries: ArrangedEntry[] = [{ name: 'manifest.json', from: snapshot, path: site.manifest }];
  const { files, databases } = snapshots;
  if (manifest.files !== null && files !== null) {
    entries.push({ name: 'site', from: files, path: manifest.site.path });
    const moved = manifest.moved.map(({ place, target }) => ({
      name: place.slice('/moved/'.length),
      from: files,
      path: target,
    }));
    if (moved.length > 0) entries.push({ name: 'moved', entries: moved });
  }
  if (manifest.databases.length > 0 && databases !== null) {
    const dumps = manifest.databases.map(({ name, directory }) => ({
      name: directory ?? name,
      from: databases,
      path: `/databases/${site.databases[name] ?? name}`,
    }));
    entries.push({ name: 'databases', entries: dumps });
  }
  const arranged = await arrange(repository, entries, snapshot);
  return { manifest, ...arranged, view: await openView(arranged.repository, arranged.snapshot) };
}

/** What the point of a site holds now: what its night wrote, without what has been let go of since. */
export async function readSiteManifest(
  repository: Repository,
  snapshots: AccountSnapshots,
  site: AccountSite,
): Promise<Manifest> {
  const snapshot = eitherOf(snapshots);
  const view = await openView(repository, snapshot);
  const manifest = await readParsed(view, site.manifest, snapshot, parseManifest);
  const hasFiles = snapshots.files !== null;
  const hasDatabases = snapshots.databases !== null;
  return {
    ...manifest,
    files: hasFiles ? manifest.files : null,
    moved: hasFiles ? manifest.moved : [],
    databases: hasDatabases ? manifest.databases : [],
    complete:
      manifest.complete && (hasFiles || manifest.files === null) && (hasDatabases || manifest.databases.length === 0),
  };
}

/** The snapshot of files is the later one: its manifests say also what came to pass while files were read. */
function eitherOf({ files, databases }: AccountSnapshots): Snapshot {
  const snapshot = files ?? databases;
  if (snapshot === null) throw new RangeError('a point of an account has a snapshot');
  return snapshot;
}

async function readParsed<T>(
  view: SnapshotView,
  path: string,
  snapshot: Snapshot,
  parse: (bytes: Uint8Array) => { readonly manifest: T } | { readonly manifest: null; readonly why: string },
): Promise<T> {
  const point = tagOf(snapshot, 'point') ?? snapshot.id;
  const parsed = parse(await readFileOfView(view, path, MAX_MANIFEST_BYTES, point));
  if (parsed.manifest === null)
    throw new SalvorError('point-incomplete', { point, problem: 'why' in parsed ? parsed.why : '' });
  return parsed.manifest;
}
