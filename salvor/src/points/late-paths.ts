import type { SourceEntry, StoredEntry } from '@salvor/engine';
import { leftOutWithin } from './left-out.ts';

/** Path in a point → where on disk lies what takes its place; null for nothing, which takes it out. */
export type LatePaths = ReadonlyMap<string, string | null>;

/** The account's home, and who files with several names in it may belong to. */
export type LateGuard = { readonly home: string; readonly linkOwners: readonly number[] };

/** A part of a point as it is stored, with what has changed at and below it in its place. */
export function insteadBelow(entry: StoredEntry, paths: LatePaths, guard: LateGuard): SourceEntry {
  const { name, from, path } = entry;
  const own = paths.get(path);
  if (typeof own === 'string') {
    const beneath = own.startsWith(`${guard.home}/`) ? { beneath: guard.home } : {};
    return { kind: 'tree', name, path: own, exclude: leftOutWithin(own), linkOwners: guard.linkOwners, ...beneath };
  }
  const names = new Set<string>();
  for (const late of paths.keys())
    if (late.startsWith(`${path}/`)) names.add(late.slice(path.length + 1).split('/')[0] ?? '');
  if (names.size === 0) return entry;
  const without = [...names].filter((child) => paths.get(`${path}/${child}`) === null);
  const instead = [...names]
    .filter((child) => paths.get(`${path}/${child}`) !== null)
    .map((child) => insteadBelow({ kind: 'stored', name: child, from, path: `${path}/${child}` }, paths, guard));
  return { ...entry, instead, without };
}
