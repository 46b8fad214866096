import { type Repository, type Snapshot, listSnapshots } from '@salvor/engine';
import type { PointDocument, Problem } from '@salvor/contract';
import type { Store } from '../store/open-store.ts';
import type { PointRow } from '../store/tables.ts';
import { forgetPoints, readCatalogue, rememberPoints, rowOfManifest } from './catalogue.ts';
import { openPoint, pointTagOf } from './open-point.ts';

/** One point with the snapshot that holds it. */
export type ListedPoint = { readonly row: PointRow; readonly snapshot: Snapshot };

export type PointList = {
  /** Newest first. */
  readonly points: readonly ListedPoint[];
  /** Snapshots that could not be read: they are named and not listed. */
  readonly problems: readonly Problem[];
};

/**
 * The points in an account's repository. The repository decides what there is; the store only remembers what each
 * manifest said, and is brought up to date on the way. `seen` are the snapshots that this opening of the repository
 * has met.
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
  const known = new Map((await readCatalogue(store, account)).map((row) => [row.id, row]));
  const found: ListedPoint[] = [];
  const fresh: PointRow[] = [];
  const unreadable: Problem[] = problems.map(({ code, path, message }) => ({ code, path, message }));
  for (const snapshot of snapshots) {
    const id = pointTagOf(snapshot);
    if (id === null) continue;
    let row = known.get(id);
    if (row === undefined || row.snapshot !== snapshot.id) {
      try {
        row = rowOfManifest((await openPoint(repository, snapshot)).manifest, snapshot);
      } catch (error) {
        unreadable.push(asProblem(error, id));
        continue;
      }
      fresh.push(row);
    }
    known.delete(id);
    found.push({ row, snapshot });
  }
  await rememberPoints(store, fresh);
  // A snapshot that can't be read just now is not a snapshot that is gone.
  if (problems.length === 0 && unreadable.length === 0) await forgetPoints(store, [...known.keys()]);
  found.sort((one, other) => (one.row.time < other.row.time ? 1 : one.row.time > other.row.time ? -1 : 0));
  return { points: found, problems: unreadable };
}

export function documentOfPoint({ row }: ListedPoint): PointDocument {
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
    copies: ['local'],
    proof: null,
    complete: row.complete === 1,
    safety: row.safety === 1,
  };
}

function asProblem(error: unknown, path: string): Problem {
  const code =
    error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'point-unreadable';
  return { code, path, message: error instanceof Error ? error.message : String(error) };
}
