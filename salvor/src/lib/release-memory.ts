import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { trimMemory } from '@salvor/engine/libc';

/**
 * Gives back to the system what a long piece of work has left behind: a process that waits for hours collects no garbage by
 * itself, and the C library keeps what was freed.
 */
export function releaseMemory(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  trimMemory();
}
