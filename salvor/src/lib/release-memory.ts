import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { fixMmapThreshold, trimMemory } from '@salvor/engine/libc';

const COLLECTIONS = 3;

/**
 * Gives back to the system what a long piece of work has left behind: a process that waits for hours collects no garbage by
 * itself, and the C library keeps what was freed.
 */
export function releaseMemory(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: { type: 'major'; flavor: 'last-resort' }) => void;
  // Code that was not run between two collections is let go of too.
  for (let times = 0; times < COLLECTIONS; times++) collect({ type: 'major', flavor: 'last-resort' });
  trimMemory();
}

const MMAP_BYTES = 128 * 1024;

/** For a process that lives for months, before it begins: lets `releaseMemory` find more to give back. */
export function prepareForMonths(): void {
  fixMmapThreshold(MMAP_BYTES);
}
