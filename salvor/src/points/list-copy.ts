import { PIN_TAG, type Repository, type Snapshot, listSnapshots } from '@salvor/engine';
import type { Problem } from '@salvor/contract';
import { codeOf } from '../lib/errno.ts';
import type { Store } from '../store/open-store.ts';
import type { MadeSnapshotRow, PointRow } from '../store/tables.ts';
import { type AccountSnapshots, halfOf, readAccountManifest, readSiteManifest } from './account-point.ts';
import { forgetPoints, readCatalogueOf, rememberPoints, rowOfManifest } from './catalogue.ts';
import { forgetMade, readMadePoints } from './made-snapshots.ts';
import { openPoint, pointTagOf } from './open-point.ts';
import type { CopyName } from './repositories.ts';
import type { StoredPoint } from './stored-point.ts';

/** A point of one site as one copy has it; `tag` is the point that its snapshots say they are of. */
export type CopyPoint = { readonly row: PointRow; readonly stored: StoredPoint; readonly tag: string };

export type CopyList = {
  /** Newest first. */
  readonly points: readonly CopyPoint[];
  /** Snapshots that could not be read: they are named and not listed. */
  readonly problems: readonly Problem[];
};

export type ListCopyTools = {
  readonly account: string;
  readonly copy: CopyName;
  readonly store: Store;
  /** The snapshots that this opening of the repository has met. */
  readonly seen: Set<string>;
  /** What the other copy was found to have: what is equal there need not be read here. */
  readonly others: readonly CopyPoint[];
};

/**
 * The points in one of an account's repositories: of a night's point of the account one for each site. The repository decides
 * what there is; the store only remembers what each manifest said, and is brought up to date on the way.
 */
export async function listCopy(repository: Repository, tools: ListCopyTools): Promise<CopyList> {
  const { account, copy, store, seen } = tools;
  // Before the snapshots are: what another process makes meanwhile is not among what is gone.
  const made = await readMadePoints(store, account, copy);
  const { snapshots, problems } = await listSnapshots(repository, { tags: ['salvor'] });
  // Another process may have committed them: what their trees are made of is in an index that we have not read.
  if (snapshots.some(({ id }) => !seen.has(id))) repository.dropIndex();
  for (const { id } of snapshots) seen.add(id);
  const known = Map.groupBy(await readCatalogueOf(store, account, copy), ({ snapshot }) => snapshot);
  const twins = Map.groupBy(tools.others, ({ stored }) => contentOf(stored));
  const found = new Map<string, CopyPoint>();
  const fresh = new Map<string, PointRow>();
  const unreadable: Problem[] = problems.map(({ code, path, message }) => ({ code, path, message }));
  for (const [tag, kept] of groupByPoint(snapshots)) {
    const from = idsOf(kept);
    let rows = known.get(from);
    if (rows === undefined) {
      try {
        rows = rowsOfTwins(twins.get(contentOf(kept)), kept, copy) ?? (await readRows(repository, kept, copy));
      } catch (error) {
        unreadable.push(asProblem(error, tag));
        continue;
      }
      for (const row of rows) fresh.set(`${row.id} ${from}`, row);
    }
    for (const row of rows) {
      // Whoever has the account's key can say of a snapshot what another one says of itself: ours is the point.
      if (found.has(row.id) && !isMadeOf(row, made)) continue;
      const stored: StoredPoint =
        kept.kind === 'site' ? kept : { kind: 'account', snapshots: kept.snapshots, uri: row.uri };
      found.set(row.id, { row, stored, tag });
    }
  }
  const points = [...found.values()];
  await rememberPoints(
    store,
    points.flatMap(({ row }) => fresh.get(`${row.id} ${row.snapshot}`) ?? []),
  );
  // A snapshot that can't be read just now is not a snapshot that is gone.
  if (unreadable.length === 0) {
    const gone = [...known.values()].flat().filter(({ id }) => !found.has(id));
    await forgetPoints(
      store,
      gone.map(({ id }) => id),
      copy,
    );
    const there = new Set<string>(snapshots.map(({ id }) => id));
    await forgetMade(
      store,
      [...made.keys()].filter((id) => !there.has(id)),
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
      const rows = await readRows(repository, kept, copy);
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

/** The hashes of all that it holds: equal ones are the same in every copy. */
function contentOf(kept: KeptPoint): string {
  if (kept.kind === 'site') return kept.snapshot.tree;
  const { databases, files } = kept.snapshots;
  return `${databases?.tree ?? '-'} ${files?.tree ?? '-'}`;
}

/** What the other copy's manifests said of the same content; undefined where it has none. */
function rowsOfTwins(twins: readonly CopyPoint[] | undefined, kept: KeptPoint, copy: CopyName): PointRow[] | undefined {
  const isPinned = kept.kind === 'site' && kept.snapshot.tags.includes(PIN_TAG);
  return twins?.map(({ row }) => ({ ...row, copy, snapshot: idsOf(kept), pinned: isPinned ? 1 : 0 }));
}

async function readRows(repository: Repository, kept: KeptPoint, copy: CopyName): Promise<PointRow[]> {
  if (kept.kind === 'site')
    return [rowOfManifest((await openPoint(repository, kept.snapshot)).manifest, kept.snapshot, copy)];
  const { sites } = await readAccountManifest(repository, kept.snapshots);
  const as = { id: idsOf(kept), tags: [] };
  const rows: PointRow[] = [];
  for (const site of sites)
    rows.push(rowOfManifest(await readSiteManifest(repository, kept.snapshots, site), as, copy));
  return rows;
}

function asProblem(error: unknown, path: string): Problem {
  const code = codeOf(error) ?? 'point-unreadable';
  return { code, path, message: error instanceof Error ? error.message : String(error) };
}
