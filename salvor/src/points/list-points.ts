import { type Repository, type Snapshot, listSnapshots } from '@salvor/engine';
import type { PointDocument, Problem } from '@salvor/contract';
import type { Store } from '../store/open-store.ts';
import type { MadeSnapshotRow, PointRow } from '../store/tables.ts';
import type { FoundArchive } from './archive-catalogue.ts';
import { forgetPoints, readCatalogue, rememberPoints, rowOfManifest } from './catalogue.ts';
import { type AccountSnapshots, halfOf, readAccountManifest, readSiteManifest } from './account-point.ts';
import { readMadePoints } from './made-snapshots.ts';
import { openPoint, pointTagOf } from './open-point.ts';
import type { CopyName } from './repositories.ts';
import type { StoredPoint } from './stored-point.ts';
import { codeOf } from '../lib/errno.ts';

/** One point and where it lies. */
export type ListedPoint = {
  readonly row: PointRow;
  readonly stored: StoredPoint;
  readonly copies: readonly CopyName[];
};

export type PointList = {
  /** Newest first. */
  readonly points: readonly ListedPoint[];
  /** Snapshots that could not be read: they are named and not listed. */
  readonly problems: readonly Problem[];
};

/**
 * The points in an account's repository: of a night's point of the account one for each site. The repository decides what
 * there is; the store only remembers what each manifest said, and is brought up to date on the way. `seen` are the
 * snapshots that this opening of the repository has met.
 */
export async function listPoints(
  repository: Repository,
  account: string,
  store: Store,
  seen: Set<string>,
): Promise<PointList> {
  const { snapshots, problems } = await listSnapshots(repository, { tags: ['salvor'] });
  // Another process may have committed them: what their trees are made of is in an index that we have not read.
  if (snapshots.some(({ id }) => !seen.has(id))) repository.dropIndex();
  for (const { id } of snapshots) seen.add(id);
  const known = Map.groupBy(await readCatalogue(store, account), ({ snapshot }) => snapshot);
  const remote = new Set((await readMadePoints(store, account, 'remote')).values());
  const made = await readMadePoints(store, account, 'local');
  const found = new Map<string, ListedPoint>();
  const fresh = new Map<string, PointRow>();
  const unreadable: Problem[] = problems.map(({ code, path, message }) => ({ code, path, message }));
  for (const [id, kept] of groupByPoint(snapshots)) {
    const from = idsOf(kept);
    let rows = known.get(from);
    if (rows === undefined) {
      try {
        rows = await readRows(repository, kept, from);
      } catch (error) {
        unreadable.push(asProblem(error, id));
        continue;
      }
      for (const row of rows) fresh.set(`${row.id} ${from}`, row);
    }
    const copies: readonly CopyName[] = remote.has(id) ? ['local', 'remote'] : ['local'];
    for (const row of rows) {
      // Whoever has the account's key can say of a snapshot what another one says of itself: ours is the point.
      if (found.has(row.id) && !isMadeOf(row, made)) continue;
      const stored: StoredPoint =
        kept.kind === 'site' ? kept : { kind: 'account', snapshots: kept.snapshots, uri: row.uri };
      found.set(row.id, { row, stored, copies });
    }
  }
  const points = [...found.values()];
  await rememberPoints(
    store,
    points.flatMap(({ row }) => fresh.get(`${row.id} ${row.snapshot}`) ?? []),
  );
  // A snapshot that can't be read just now is not a snapshot that is gone.
  if (problems.length === 0 && unreadable.length === 0) {
    const gone = [...known.values()].flat().filter(({ id }) => !found.has(id));
    await forgetPoints(
      store,
      gone.map(({ id }) => id),
    );
  }
  points.sort((one, other) => (one.row.time < other.row.time ? 1 : one.row.time > other.row.time ? -1 : 0));
  return { points, problems: unreadable };
}

/** Whether all that a row was read from was made by this host's agent: `made` has what was. */
export function isMadeOf({ snapshot }: PointRow, made: ReadonlyMap<string, string>): boolean {
  return snapshot.split(' ').every((id) => id === '-' || made.has(id));
}

/** Every snapshot of a point, and whether it is complete, as the manifests in a repository say. One that can't be read is none. */
export async function readStoredPoints(
  repository: Repository,
  account: string,
  copy: CopyName,
): Promise<readonly (MadeSnapshotRow & { readonly time: string })[]> {
  const { snapshots } = await listSnapshots(repository, { tags: ['salvor'] });
  const found: (MadeSnapshotRow & { readonly time: string })[] = [];
  for (const [point, kept] of groupByPoint(snapshots)) {
    try {
      const rows = await readRows(repository, kept, '');
      const complete = rows.every((row) => row.complete === 1) ? 1 : 0;
      const of = kept.kind === 'site' ? [kept.snapshot] : [kept.snapshots.files, kept.snapshots.databases];
      for (const snapshot of of)
        if (snapshot !== null)
          found.push({ snapshot: snapshot.id, account, copy, point, complete, time: snapshot.time });
    } catch {
      // It counts for nothing, as it did when it was found.
    }
  }
  return found;
}

type KeptPoint =
  | { readonly kind: 'site'; readonly snapshot: Snapshot }
  | { readonly kind: 'account'; readonly snapshots: AccountSnapshots };

/** By point. Of two snapshots that say the same half of it (a copy that came back) the newer counts. */
function groupByPoint(snapshots: readonly Snapshot[]): ReadonlyMap<string, KeptPoint> {
  const points = new Map<string, KeptPoint>();
  for (const snapshot of snapshots) {
    const id = pointTagOf(snapshot);
    if (id === null) continue;
    const half = halfOf(snapshot);
    const before = points.get(id);
    if (half === null) points.set(id, { kind: 'site', snapshot });
    else {
      const known = before?.kind === 'account' ? before.snapshots : { files: null, databases: null };
      points.set(id, { kind: 'account', snapshots: { ...known, [half]: snapshot } });
    }
  }
  return points;
}

/** What a row was read from. */
function idsOf(kept: KeptPoint): string {
  if (kept.kind === 'site') return kept.snapshot.id;
  const { databases, files } = kept.snapshots;
  return `${databases?.id ?? '-'} ${files?.id ?? '-'}`;
}

async function readRows(repository: Repository, kept: KeptPoint, from: string): Promise<PointRow[]> {
  if (kept.kind === 'site')
    return [rowOfManifest((await openPoint(repository, kept.snapshot)).manifest, kept.snapshot)];
  const { sites } = await readAccountManifest(repository, kept.snapshots);
  const rows: PointRow[] = [];
  for (const site of sites)
    rows.push(rowOfManifest(await readSiteManifest(repository, kept.snapshots, site), { id: from, tags: [] }));
  return rows;
}

/** `archive`: the file that holds the same. */
export function documentOfPoint({ row, copies }: ListedPoint, archive: FoundArchive | null): PointDocument {
  const holds: ('files' | 'databases')[] = [];
  if (row.holds_files === 1) holds.push('files');
  if (row.holds_databases === 1) holds.push('databases');
  return {
    id: row.id,
    time: row.time,
    origin: row.origin as PointDocument['origin'],
    holds,
    reason: row.reason,
    bytes: row.bytes,
    copies: [...copies],
    proof: null,
    complete: row.complete === 1,
    archive: archive === null ? null : { path: archive.file.path, bytes: archive.file.bytes },
    safety: row.safety === 1,
  };
}

/** A point that is an archive or a dump alone. What keeps it from being read is its reason. */
export function documentOfArchive({ id, time, origin, file, look }: FoundArchive): PointDocument {
  const { files, databases } = look.holds;
  const holds: ('files' | 'databases')[] = [];
  // What was not seen within the bounds of a look is there in whatever Aegir writes.
  if (files ?? origin === 'archive') holds.push('files');
  if (databases ?? origin === 'archive') holds.push('databases');
  return {
    id,
    time,
    origin,
    holds,
    reason: look.description ?? look.problems[0]?.message ?? null,
    bytes: file.bytes,
    copies: [],
    proof: null,
    complete: look.problems.length === 0,
    archive: { path: file.path, bytes: file.bytes },
    safety: false,
  };
}

function asProblem(error: unknown, path: string): Problem {
  const code = codeOf(error) ?? 'point-unreadable';
  return { code, path, message: error instanceof Error ? error.message : String(error) };
}
