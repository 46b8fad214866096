import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** The mount points of this process, longest path last where one lies in another. */
export function readMountPoints(): readonly string[] {
  return readFileSync('/proc/self/mountinfo', 'latin1')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => unescapeMountPath(line.split(' ')[4] ?? '/'));
}

/** The mount that `path` lies on: a rename works inside one and never out of it, even on one file system. */
export function mountPointOf(path: string, mounts: readonly string[] = readMountPoints()): string {
  const points = new Set(mounts);
  for (let at = path; ; at = dirname(at)) {
    if (points.has(at) || at === '/') return at;
  }
}

/** Mounts at `path` and below it. */
export function mountsWithin(path: string, mounts: readonly string[] = readMountPoints()): readonly string[] {
  return mounts.filter((point) => point === path || point.startsWith(`${path}/`));
}

/** The kernel writes blank, tab, line feed and backslash as three octal digits. */
function unescapeMountPath(text: string): string {
  return Buffer.from(
    text.replace(/\\([0-7]{3})/g, (_all, digits: string) => String.fromCharCode(Number.parseInt(digits, 8))),
    'latin1',
  ).toString('utf8');
}
