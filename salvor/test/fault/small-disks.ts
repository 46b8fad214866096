/** File systems of a few hundred megabytes below one directory, which can be filled to the last byte and emptied again. */
import { execFileSync, spawnSync, spawn } from 'node:child_process';
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
  // Of a test that was killed nothing stays mounted: it would keep its memory.
  const sweeper = spawn('sh', ['-c', SWEEPER, 'sweeper', directory], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    cwd: '/',
  });
  sweeper.stdin.on('error', () => {});
  sweeper.unref();
  (sweeper.stdin as unknown as { unref(): void }).unref();
  const close = (): void => {
    for (const place of mounted.toReversed()) execFileSync('umount', ['--recursive', '--lazy', place]);
    rmSync(directory, { recursive: true, force: true });
    sweeper.stdin.end('keep\n');
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

/** Waits till its standard input ends, which it does however the process at the other end dies. */
const SWEEPER = `trap '' INT TERM HUP; read -r keep; [ "$keep" = keep ] && exit; for disk in "$1"/*; do umount --recursive --lazy "$disk"; done; rm -rf -- "$1"`;

/** All at once where that is possible: whoever writes meanwhile must not find room for long. */
function fillUp(place: string): void {
  const { bavail, bsize } = statfsSync(place);
  const path = join(place, '.ballast');
  const most = Math.max(0, bavail - 8) * bsize;
  // Whoever writes meanwhile may have taken some of it: half of it at once then, and the rest below.
  for (let bytes = most; bytes > bsize; bytes = Math.floor(bytes / 2))
    if (spawnSync('fallocate', ['-l', String(bytes), path]).status === 0) break;
  const file = openSync(path, 'a', 0o600);
  try {
    for (;;) writeSync(file, Buffer.alloc(4096));
  } catch (error) {
    if (errnoOf(error) !== 'ENOSPC') throw error;
  } finally {
    closeSync(file);
  }
}
