import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

const DAY_MS = 86_400_000;
const WINDOW_DAYS = 7;

/**
 * Bytes a day that a repository on a disk of this machine has grown by at most in its last week, by the times of its
 * packs. Its first day is the first backup and tells nothing of the next: a repository of less than two days gives 0.
 */
export async function readGrowth(repository: string, now: Date): Promise<number> {
  const packs: { readonly at: number; readonly bytes: number }[] = [];
  const data = join(repository, 'data');
  for (const name of await list(data)) {
    for (const pack of await list(join(data, name))) {
      // A prune may remove it meanwhile.
      const found = await stat(join(data, name, pack)).catch(() => null);
      if (found?.isFile() === true) packs.push({ at: found.mtimeMs, bytes: found.size });
    }
  }
  return growthOf(packs, now.getTime());
}

/** Pure, of times in milliseconds. */
export function growthOf(packs: readonly { readonly at: number; readonly bytes: number }[], now: number): number {
  const born = packs.reduce((least, { at }) => Math.min(least, at), now);
  const from = Math.max(born + DAY_MS, now - WINDOW_DAYS * DAY_MS);
  const days = (now - from) / DAY_MS;
  if (days < 1) return 0;
  return packs.filter(({ at }) => at >= from).reduce((sum, { bytes }) => sum + bytes, 0) / days;
}

async function list(directory: string): Promise<readonly string[]> {
  return await readdir(directory).catch(() => []);
}
