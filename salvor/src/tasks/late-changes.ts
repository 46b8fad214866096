import { relative } from 'node:path';
import type { BigIntStats } from 'node:fs';
import type { ViewEntry } from '@salvor/engine';
import type { OpenPoint } from '../points/open-point.ts';
import type { Move } from './move-site.ts';
import { pairTrees, walkDisk, walkView } from './pair-trees.ts';

/**
 * What visitors and editors changed between the safety point and the switch: the old files, where they lie after the
 * switch, beside the safety point. Paths are relative to the site's directory.
 */
export async function findLateFiles(
  safety: OpenPoint,
  sitePath: string,
  moves: readonly Move[],
): Promise<readonly string[]> {
  const late: string[] = [];
  for (const { live, staged, liveInode } of moves) {
    // Nothing was there before.
    if (liveInode === null) continue;
    const top = relative(sitePath, live);
    const stored = top === '' ? '/site' : `/site/${top}`;
    for await (const { path, left, right } of pairTrees(walkStored(safety, stored), walkDisk(staged))) {
      if (isSame(left, right)) continue;
      late.push([top, path].filter((part) => part !== '').join('/'));
    }
  }
  return late;
}

async function* walkStored(safety: OpenPoint, path: string): AsyncGenerator<{ path: string; value: ViewEntry }> {
  try {
    yield* walkView(safety.view, path);
  } catch (error) {
    // Made after the safety point: all of it is late.
    if (!(error instanceof Error && 'code' in error && error.code === 'path-unknown')) throw error;
  }
}

/** The times of directories change with every file in them and are no change of their own. */
function isSame(stored: ViewEntry | null, now: BigIntStats | null): boolean {
  if (stored === null || now === null) return false;
  const isSameOwner = BigInt(stored.uid) === now.uid && BigInt(stored.gid) === now.gid;
  const isSameMode = (Number(now.mode) & 0o7777) === stored.mode;
  if (!isSameOwner || !isSameMode) return false;
  if (stored.type === 'dir') return now.isDirectory();
  if (stored.type === 'symlink') return now.isSymbolicLink();
  if (stored.type !== 'file') return !now.isFile() && !now.isDirectory();
  return now.isFile() && BigInt(stored.size) === now.size && stored.mtimeNs === now.mtimeNs;
}
