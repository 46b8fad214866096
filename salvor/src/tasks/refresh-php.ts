/**
 * PHP's code cache compares a file's time and nothing else. A restored file has the time that it had; where the one
 * that is served now has other content and happens to have the same time, or a newer one was cached, visitors would
 * go on seeing it. So each PHP file whose content the switch changes gets the time of the switch.
 */
import { join } from 'node:path';
import { hold, setTimes } from '../lib/beneath/held.ts';
import { openOwnDirectory } from '../lib/beneath/own-directory.ts';
import { readFileBeneath } from '../lib/beneath/read-file.ts';
import { parseSafePath } from '../lib/beneath/safe-path.ts';
import { ownerOfDirectory, spotBeneath } from '../lib/beneath/spot.ts';
import { stayingNames } from '../points/left-out.ts';
import { hasSameBytes } from './compare-files.ts';
import type { Move } from './move-site.ts';
import { pairTrees, walkDisk } from './pair-trees.ts';

/** What PHP runs on the systems that are recognised: Drupal's own endings count. */
const PHP_FILE = /\.(?:php\d?|phtml|phar|inc|module|install|theme|profile|engine)$/i;

/** Files, relative to both, that are PHP in both trees and differ in content. */
export async function findChangedPhp(now: string, next: string, signal?: AbortSignal): Promise<readonly string[]> {
  const changed: string[] = [];
  for await (const { path, left, right } of pairTrees(walkDisk(now), walkDisk(next))) {
    signal?.throwIfAborted();
    if (left === null || right === null || !left.isFile() || !right.isFile()) continue;
    // Of `--path FILE` the root is the file.
    if (!PHP_FILE.test(path === '' ? next : path)) continue;
    const isSame =
      left.size === right.size && (await hasSameBytes(readFileBeneath(now, path), readFileBeneath(next, path)));
    if (!isSame) changed.push(path);
  }
  return changed;
}

/** The files of a switch that need it. */
export type ChangedPhp = {
  readonly staging: string;
  /** What comes, where it was built, and the paths of such files in it; empty for itself. */
  readonly staged: string;
  readonly paths: readonly string[];
  /** The same files as the site sees them. */
  readonly shown: readonly string[];
};

/** Of each of these moves, before they are made. */
export async function findChangedIn(moves: readonly Move[], signal: AbortSignal): Promise<readonly ChangedPhp[]> {
  const changed: ChangedPhp[] = [];
  for (const move of moves) {
    const stays = new Set('entries' in move ? stayingNames(move.live) : []);
    const found = await findChangedPhp(move.live, move.staged, signal);
    const paths = found.filter((path) => !stays.has(path.split('/')[0] ?? ''));
    const shown = paths.map((path) => [move.path ?? '', path].filter((part) => part !== '').join('/'));
    changed.push({ staging: move.staging, staged: move.staged, paths, shown });
  }
  return changed;
}

/**
 * Gives them the time of the switch. In what was a tenant's site a program of his may still be at work: no link is
 * followed, and what has a name elsewhere too is left alone where it belongs to somebody else than its directory.
 */
export function refreshTimes({ staging, staged, paths }: ChangedPhp, now: Date): void {
  const ns = BigInt(now.getTime()) * 1_000_000n;
  using place = openOwnDirectory(staging);
  for (const path of paths) {
    using spot = spotBeneath(place, parseSafePath(join(staged.slice(staging.length + 1), path)));
    using held = hold(spot, null);
    if (held === null || (held.stat.nlink > 1n && held.stat.uid !== ownerOfDirectory(spot))) continue;
    setTimes(held, { accessNs: ns, modifiedNs: ns });
  }
}
