import { type StatsFs, lstatSync, statSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Problem } from '@salvor/contract';

/** What will be written to the file system of a path, which need not exist. */
export type SpaceNeed = { readonly path: string; readonly bytes: number; readonly files: number };

/**
 * Each file system must hold what is built on it so many times; by default twice: once for that, once for what the site
 * writes meanwhile, what indexes and the server's logs take, and what a repository on the same disk grows by.
 */
export function findSpaceProblems(
  needs: readonly SpaceNeed[],
  { what = 'the restore', times = 2 }: { readonly what?: string; readonly times?: number } = {},
): readonly Problem[] {
  const disks = new Map<number, { path: string; bytes: number; files: number }>();
  for (const need of needs) {
    const path = nearest(need.path);
    const { dev } = statSync(path);
    const disk = disks.get(dev) ?? { path, bytes: 0, files: 0 };
    disks.set(dev, { path: disk.path, bytes: disk.bytes + need.bytes, files: disk.files + need.files });
  }
  return [...disks.values()].flatMap(({ path, bytes, files }) =>
    compare(path, { bytes: bytes * times, files: files * times }, what, statfsSync(path)),
  );
}

function compare(
  path: string,
  need: { readonly bytes: number; readonly files: number },
  what: string,
  disk: StatsFs,
): Problem[] {
  const free = disk.bavail * disk.bsize;
  const problems: Problem[] = [];
  const refuse = (message: string): void => void problems.push({ code: 'space-missing', message, path });
  if (free < need.bytes) refuse(`${what} needs ${need.bytes} bytes on the disk of ${path}, and ${free} are free`);
  // File systems without a table of inodes say zero.
  if (disk.files > 0 && disk.ffree < need.files)
    refuse(`the disk of ${path} has room for ${disk.ffree} more files, and ${what} needs ${need.files}`);
  return problems;
}

function nearest(path: string): string {
  return lstatSync(path, { throwIfNoEntry: false }) === undefined ? nearest(dirname(path)) : path;
}
