/** File systems of a few hundred megabytes below one directory, which can be filled to the last byte and emptied again. */
import { execFileSync } from 'node:child_process';
import { chmodSync, closeSync, mkdirSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errnoOf } from '../../src/lib/errno.ts';

export type SmallDisks<Name extends string> = Disposable & {
  readonly directory: string;
  fill(name: Name): void;
  /** Gives back what `fill` took. */
  free(): void;
};

/** Mounts one for each name: `sizes` in MiB. Needs root. */
export function openSmallDisks<Name extends string>(sizes: Readonly<Record<Name, number>>): SmallDisks<Name> {
  const directory = mkdtempSync(join(tmpdir(), 'salvor-disks-'));
  // The server's user and the account's have to get there.
  chmodSync(directory, 0o755);
  const names = Object.keys(sizes) as Name[];
  const ballast = names.map((name) => join(directory, name, '.ballast'));
  const mounted: string[] = [];
  const close = (): void => {
    for (const place of mounted.toReversed()) execFileSync('umount', ['--lazy', place]);
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    for (const name of names) {
      const place = join(directory, name);
      mkdirSync(place);
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizes[name]}m,mode=755`, 'tmpfs', place]);
      mounted.push(place);
    }
  } catch (error) {
    close();
    throw error;
  }
  return {
    directory,
    fill: (name) => fillUp(join(directory, name)),
    free: () => ballast.forEach((path) => rmSync(path, { force: true })),
    [Symbol.dispose]: close,
  };
}

/** All at once where that is possible: whoever writes meanwhile must not find room for long. */
function fillUp(place: string): void {
  const { bavail, bsize } = statfsSync(place);
  const path = join(place, '.ballast');
  const most = Math.max(0, bavail - 8) * bsize;
  if (most > 0) execFileSync('fallocate', ['-l', String(most), path]);
  const file = openSync(path, 'a', 0o600);
  try {
    for (;;) writeSync(file, Buffer.alloc(4096));
  } catch (error) {
    if (errnoOf(error) !== 'ENOSPC') throw error;
  } finally {
    closeSync(file);
  }
}
