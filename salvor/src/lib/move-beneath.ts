/**
 * Moves things in and out of directories that a tenant may write, without following a symbolic link that the
 * tenant put in the way: parents are opened from a directory that is trusted, component by component, and the
 * move happens between the open directories.
 */
import { closeSync, constants, fsyncSync, lstatSync, openSync } from 'node:fs';
import { basename, dirname, isAbsolute, relative } from 'node:path';
import { exchangePaths, openBeneath, renameNoReplace } from '@salvor/engine/libc';
import { errnoOf } from './errno.ts';

/** A name in an open directory. */
export type Spot = Disposable & { readonly fd: number; readonly name: string; readonly path: string };

/** Opens the directory that holds `path`, which lies below `root`. Throws `ELOOP` or `EXDEV` where a link is in the way. */
export function openSpot(root: string, path: string): Spot {
  const below = relative(root, path);
  if (below === '' || below.startsWith('..') || isAbsolute(below))
    throw new RangeError(`${path} does not lie below ${root}`);
  const parent = dirname(below);
  const rootFd = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    const fd = openBeneath(rootFd, parent, constants.O_RDONLY | constants.O_DIRECTORY);
    return { fd, name: basename(below), path, [Symbol.dispose]: () => closeSync(fd) };
  } finally {
    closeSync(rootFd);
  }
}

/** The two change places in one atomic step, and it is on disk when this returns. */
export function exchangeSpots(one: Spot, other: Spot): void {
  exchangePaths(one.fd, one.name, other.fd, other.name);
  syncBoth(one, other);
}

/** Moves what is at `from` to `to`, where nothing may be (`EEXIST`). */
export function moveSpot(from: Spot, to: Spot): void {
  renameNoReplace(from.fd, from.name, to.fd, to.name);
  syncBoth(from, to);
}

/** The inode of what is there, itself and not what a link points to; null where nothing is. */
export function inodeOfSpot(spot: Spot): string | null {
  try {
    return lstatSync(pathOfSpot(spot), { bigint: true }).ino.toString();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    throw error;
  }
}

/** A path that leads through the open directory, so that no one can put another in its place. */
export function pathOfSpot(spot: Spot): string {
  return `/proc/self/fd/${spot.fd}/${spot.name}`;
}

function syncBoth(one: Spot, other: Spot): void {
  fsyncSync(one.fd);
  fsyncSync(other.fd);
}
