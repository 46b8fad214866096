import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** What is mounted, as `/proc/self/mountinfo` tells it. */
export type Mount = {
  readonly point: string;
  /** `MAJOR:MINOR` */
  readonly device: string;
  /** What of the file system is seen there: `/` is all of it. */
  readonly root: string;
  readonly type: string;
  readonly source: string;
};

/** The mount that `path` lies on; null where none is seen, as in a changed root. */
export function mountOf(path: string, mounts: readonly Mount[] = readMounts()): Mount | null {
  const point = mountPointOf(
    path,
    mounts.map((mount) => mount.point),
  );
  // Of two at one place the later one hides the other.
  return mounts.findLast((mount) => mount.point === point) ?? null;
}

export function readMounts(text: string = readFileSync('/proc/self/mountinfo', 'latin1')): readonly Mount[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [before = '', after = ''] = line.split(' - ');
      const [, , device = '', root = '', point = '/'] = before.split(' ');
      const [type = '', source = ''] = after.split(' ');
      return {
        device,
        root: unescapeMountPath(root),
        point: unescapeMountPath(point),
        type,
        source: unescapeMountPath(source),
      };
    });
}

/** The mount points of this process, longest path last where one lies in another. */
export function readMountPoints(): readonly string[] {
  return readMounts().map(({ point }) => point);
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
