import { execFileSync } from 'node:child_process';

/** Waits until what earlier steps wrote lies on the disk, so that no run pays for another's pages. */
export function syncDisks(): void {
  execFileSync('sync');
}
