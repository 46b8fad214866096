/**
 * PHP's code cache compares a file's time and nothing else. A restored file has the time that it had; where the one
 * that is served now has other content and happens to have the same time, or a newer one was cached, visitors would
 * go on seeing it. So each PHP file whose content the switch changes gets the time of the switch.
 */
import { hold, setTimes } from '../lib/beneath/held.ts';
import { openOwnDirectory } from '../lib/beneath/own-directory.ts';
import { readFileAt } from '../lib/beneath/read-file.ts';
import { parseSafePath } from '../lib/beneath/safe-path.ts';
import { ownerOfDirectory, spotBeneath } from '../lib/beneath/spot.ts';
import { stayingNames } from '../points/left-out.ts';
import { hasSameBytes, isStill } from './compare-files.ts';
import type { Move } from './move-site.ts';
import { pairTrees, walkDisk } from './pair-trees.ts';

/** What PHP runs on the systems that are recognised: Drupal's own endings count. */
const PHP_FILE = /\.(?:php\d?|phtml|phar|inc|module|install|theme|profile|engine)$/i;

/** Files that are PHP in both trees and differ in content, by their bytes relative to both, a character each. */
export async function findChangedPhp(now: string, next: string, signal?: AbortSignal): Promise<readonly string[]> {
  const changed: string[] = [];
  for await (const { path, key, left, right } of pairTrees(walkDisk(now), walkDisk(next))) {
    signal?.throwIfAborted();
    if (left === null || right === null || !left.stat.isFile() || !right.stat.isFile()) continue;
    // Of `--path FILE` the root is the file.
    if (!PHP_FILE.test(path === '' ? next : path)) continue;
    if (
      left.stat.size !== right.stat.size ||
      !(await isStill(hasSameBytes(readFileAt(left.spot), readFileAt(right.spot))))
    )
      changed.push(key);
  }
  return changed;
}

/** The files of a switch that need it. */
export type ChangedPhp = {
  readonly staging: string;
  /** What comes, where it was built, and the paths of such files in it, a character a byte; empty for itself. */
  readonly staged: string;
  readonly paths: readonly string[];
  /** The same files as the site sees them. */
  readonly shown: readonly string[];
};

/** Of each of these moves, before they are made. */
export async function findChangedIn(moves: readonly Move[], signal: AbortSignal): Promise<readonly ChangedPhp[]> {
  const changed: ChangedPhp[] = [];
  for (const move of moves) {
    // It goes along as it is; what changes in it is new.
    if ('to' in move) continue;
    const stays = new Set('entries' in move ? stayingNames(move.live) : []);
    const found = await findChangedPhp(move.live, move.staged, signal);
    const paths = found.filter((path) => !stays.has(bytesOf(path.split('/')[0] ?? '').toString()));
    const shown = paths.map((path) => [move.path ?? '', bytesOf(path).toString()].filter(Boolean).join('/'));
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
    const top = Buffer.from(staged.slice(staging.length + 1) + (path === '' ? '' : '/'));
    using spot = spotBeneath(place, parseSafePath(Buffer.concat([top, bytesOf(path)])));
    using held = hold(spot, null);
    if (held === null || (held.stat.nlink > 1n && held.stat.uid !== ownerOfDirectory(spot))) continue;
    setTimes(held, { accessNs: ns, modifiedNs: ns });
  }
}

function bytesOf(path: string): Buffer {
  return Buffer.from(path, 'latin1');
}
