import type { PointRow } from '../store/tables.ts';
import { isMadeOf } from './list-copy.ts';

/**
 * Tags of the points that hold what is each site's newest complete one, of its files and of its databases: they never go,
 * whatever became of the nights since, and of the account's other sites. A point of databases alone says nothing of files.
 * What others wrote with the account's key does not count, nor a time that lies ahead.
 */
export function findNewestWhole(
  rows: readonly PointRow[],
  made: ReadonlyMap<string, string>,
  now: Date,
): readonly string[] {
  const newest = new Map<string, PointRow>();
  for (const row of rows) {
    if (row.complete !== 1 || !isMadeOf(row, made) || Date.parse(row.time) > now.getTime()) continue;
    for (const content of [row.holds_files === 1 ? 'files' : '', row.holds_databases === 1 ? 'databases' : '']) {
      const key = `${content} ${row.uri}`;
      const before = newest.get(key);
      if (content !== '' && (before === undefined || before.time < row.time)) newest.set(key, row);
    }
  }
  const held = [...newest.values()].flatMap(({ snapshot }) => snapshot.split(' ').map((id) => made.get(id) ?? null));
  return held.filter((point) => point !== null);
}
