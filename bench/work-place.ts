import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MOST_ROUNDS_PER_RUN } from './measure/contest.ts';
import type { SiteTree } from './trees/site-tree.ts';

/** Where a bench works: `work` for trees and repositories, `target` for restores. Gone when it is disposed, and at exit. */
export type WorkPlace = Disposable & {
  readonly work: string;
  readonly target: string;
  /** The trees that rows share, once they are made. */
  siteTree: SiteTree | null;
};

/** With margin: trees of 2 GB and four repositories of the larger, and the 200,000 files with theirs. */
const WORK_BYTES = 9e9;
/** One restore; in memory it is removed before the next, elsewhere all are kept to the end. */
const RESTORE_BYTES = 1.7e9;
const MEMORY = '/dev/shm';

const PREFIX = 'salvor-bench-';

/** Throws where there is too little room. */
export function openWorkPlace(options: {
  readonly work: string | null;
  readonly target: string | null;
  readonly scale: number;
  readonly runs: number;
}): WorkPlace {
  const work = makeDirectory(options.work ?? tmpdir(), WORK_BYTES * options.scale);
  const remove = (): void => {
    for (const path of made) rmSync(path, { recursive: true, force: true, maxRetries: 3 });
    process.off('exit', remove);
  };
  const made = [work];
  process.on('exit', remove);
  try {
    const above = options.target ?? MEMORY;
    const restores = isInMemory(above) ? 1 : 2 * (1 + options.runs * MOST_ROUNDS_PER_RUN);
    const target = makeDirectory(above, RESTORE_BYTES * restores * options.scale);
    made.push(target);
    return { work, target, siteTree: null, [Symbol.dispose]: remove };
  } catch (error) {
    remove();
    throw error;
  }
}

/** Whether a removed tree slows no later one down, as it does on ext4. */
export function isInMemory(path: string): boolean {
  return `${path}/`.startsWith(`${MEMORY}/`);
}

function makeDirectory(above: string, bytes: number): string {
  mkdirSync(above, { recursive: true });
  removeStale(above);
  const { bavail, bsize } = statfsSync(above);
  if (bavail * bsize < bytes) {
    const [needed, free] = [bytes, bavail * bsize].map((count) => `${(count / 1e9).toFixed(1)} GB`);
    throw new Error(`${above} has ${free} free and ${needed} are needed: name another with --work or --target`);
  }
  // The process is named, so that what a killed bench left is known as such.
  return realpathSync(mkdtempSync(join(above, `${PREFIX}${process.pid}-`)));
}

function removeStale(above: string): void {
  for (const name of readdirSync(above)) {
    const pid = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) rmSync(join(above, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
