/** A point as people see it: once, with the copies that have it. */
import type { PointDocument } from '@salvor/contract';
import type { PointRow } from '../store/tables.ts';
import type { FoundArchive } from './archive-catalogue.ts';
import type { CopyPoint } from './list-copy.ts';
import type { CopyName } from './repositories.ts';
import type { StoredPoint } from './stored-point.ts';

/** One point, as the local copy says of it; where that has it not, or not whole, as the remote one does. */
export type ListedPoint = {
  readonly row: PointRow;
  /** Those that have all that the row says; the local one first. */
  readonly copies: readonly CopyName[];
  /** Where it lies in them, as far as they were looked into just now. */
  readonly stored: ReadonlyMap<CopyName, StoredPoint>;
};

export type MergeWanted = {
  readonly local: readonly CopyPoint[];
  /** As it was found just now, or as it was known: then it says of none where it lies. */
  readonly remote: readonly { readonly row: PointRow; readonly stored: StoredPoint | null }[];
  /** Tags of points that are known to have been put into the remote copy; of some nothing else may be known yet. */
  readonly putRemote: ReadonlySet<string>;
};

/**
 * Each point once, newest first. What the rules have let go of in the local copy is not of the point any more, though the
 * remote one still waits with it: what is local can be restored while the remote place is away.
 */
export function mergeCopies({ local, remote, putRemote }: MergeWanted): readonly ListedPoint[] {
  const points = new Map<string, ListedPoint>();
  const others = new Map(remote.map((one) => [one.row.id, one]));
  for (const { row, stored, tag } of local) {
    const other = others.get(row.id);
    const here = ['local', stored] as const;
    const there = other === undefined || other.stored === null ? [] : [['remote', other.stored] as const];
    const isThere = other === undefined ? putRemote.has(tag) : holdsAllOf(other.row, row);
    const isWholeHere = other === undefined || !holdsTheSame(row, other.row) || row.complete >= other.row.complete;
    if (isThere && !isWholeHere && other !== undefined)
      points.set(row.id, { row: other.row, copies: ['remote'], stored: new Map(there) });
    else if (isThere) points.set(row.id, { row, copies: ['local', 'remote'], stored: new Map([here, ...there]) });
    else points.set(row.id, { row, copies: ['local'], stored: new Map([here]) });
  }
  for (const { row, stored } of remote)
    if (!points.has(row.id))
      points.set(row.id, { row, copies: ['remote'], stored: new Map(stored === null ? [] : [['remote', stored]]) });
  return [...points.values()].toSorted(({ row: one }, { row: other }) =>
    one.time < other.time ? 1 : one.time > other.time ? -1 : 0,
  );
}

function holdsTheSame(one: PointRow, other: PointRow): boolean {
  return one.holds_files === other.holds_files && one.holds_databases === other.holds_databases;
}

function holdsAllOf(one: PointRow, other: PointRow): boolean {
  return (
    one.holds_files >= other.holds_files &&
    one.holds_databases >= other.holds_databases &&
    one.complete >= other.complete
  );
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
