/** A name in an open directory: what is looked at, made, moved and removed without following a link. */
import {
  type BigIntStats,
  constants,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { isAbsolute, relative } from 'node:path';
import { exchangePaths, openBeneath, renameNoReplace } from '@salvor/engine/libc';
import { SalvorError } from '../../errors.ts';
import { errnoOf } from '../errno.ts';
import { type OpenDirectory, openDirectory, openRoot, reopenDirectory } from './open-directory.ts';
import { type SafePath, parseSafePath, showSafePath, splitSafePath } from './safe-path.ts';

export type Spot = {
  /** Of the directory. */
  readonly fd: number;
  readonly name: SafePath;
  /** For messages. */
  readonly path: string;
};

/** A spot that holds its directory open. */
export type OwnSpot = Spot & Disposable;

/** Opens the directory that holds `path`, which lies below `root`. Throws `path-leads-out` where a link is in the way. */
export function openSpot(root: string, path: string): OwnSpot {
  const below = relative(root, path);
  if (below === '' || below.startsWith('..') || isAbsolute(below))
    throw new SalvorError('path-unsafe', { path, why: `it does not lie below ${root}` });
  using opened = openRoot(root);
  return spotBeneath(opened, parseSafePath(below));
}

/** The same below a directory that is open; the spot outlives it. */
export function spotBeneath(root: OpenDirectory, path: SafePath): OwnSpot {
  const { directory: above, name } = splitSafePath(path);
  const parent = above === null ? reopenDirectory(root) : openDirectory(root, above);
  return { ...spotIn(parent, name), [Symbol.dispose]: () => parent[Symbol.dispose]() };
}

/** A name in a directory that stays open for as long as the spot is used. */
export function spotIn(directory: Pick<OpenDirectory, 'fd' | 'path'>, name: string | Buffer): Spot {
  const safe = parseSafePath(name);
  if (splitSafePath(safe).directory !== null)
    throw new SalvorError('path-unsafe', { path: showSafePath(safe), why: 'it is more than a name' });
  return { fd: directory.fd, name: safe, path: `${directory.path}/${showSafePath(safe)}` };
}

/** A path for calls that do not follow their last part. It leads through the open directory and nowhere else. */
export function pathOfSpot(spot: Spot): string | Buffer {
  const directory = `/proc/self/fd/${spot.fd}/`;
  return typeof spot.name === 'string' ? directory + spot.name : Buffer.concat([Buffer.from(directory), spot.name]);
}

/** What is there, itself and not what a link points to; null where nothing is. */
export function lookAt(spot: Spot): BigIntStats | null {
  return lstatSync(pathOfSpot(spot), { bigint: true, throwIfNoEntry: false }) ?? null;
}

/** The inode of what is there; null where nothing is. */
export function inodeOfSpot(spot: Spot): string | null {
  return lookAt(spot)?.ino.toString() ?? null;
}

/** The user that the directory of a spot belongs to. */
export function ownerOfDirectory(spot: Spot): bigint {
  return fstatSync(spot.fd, { bigint: true }).uid;
}

/** Where a symbolic link points to, as bytes. */
export function readLinkAt(spot: Spot): Buffer {
  return readlinkSync(pathOfSpot(spot), 'buffer');
}

/** Makes a file that was not there (`EEXIST`) and opens it for writing. The caller closes the descriptor. */
export function createFileAt(spot: Spot, mode: number): number {
  return openBeneath(spot.fd, spot.name, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, mode);
}

/** Makes a directory that was not there (`EEXIST`). */
export function makeDirectoryAt(spot: Spot, mode: number): void {
  mkdirSync(pathOfSpot(spot), { mode });
}

/** Makes a symbolic link where nothing was (`EEXIST`). Where it points to is data: nobody follows it here. */
export function makeLinkAt(spot: Spot, target: string | Buffer): void {
  symlinkSync(target, pathOfSpot(spot));
}

/** Removes a name that is no directory (`EISDIR`); what a link points to stays. */
export function unlinkAt(spot: Spot): void {
  unlinkSync(pathOfSpot(spot));
}

/** Removes an empty directory. */
export function removeDirectoryAt(spot: Spot): void {
  rmdirSync(pathOfSpot(spot));
}

/** The two change places in one atomic step. On disk after `syncSpots`. */
export function exchangeSpots(one: Spot, other: Spot): void {
  exchangePaths(one.fd, one.name, other.fd, other.name);
}

/** Moves what is at `from` to `to`, where nothing may be (`EEXIST`). On disk after `syncSpots`. */
export function moveSpot(from: Spot, to: Spot): void {
  try {
    renameNoReplace(from.fd, from.name, to.fd, to.name);
  } catch (error) {
    // File systems that know no such flag (NFS): looked at first, which is as good where no one else makes that name.
    if (errnoOf(error) !== 'EINVAL' || lookAt(to) !== null) throw error;
    renameSync(pathOfSpot(from), pathOfSpot(to));
  }
}

/** Puts on disk what was moved in and out of these directories. */
export function syncSpots(...spots: readonly { readonly fd: number }[]): void {
  for (const fd of new Set(spots.map((spot) => spot.fd))) fsyncSync(fd);
}
