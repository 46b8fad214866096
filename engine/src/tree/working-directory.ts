/**
 * Directories reached through descriptors, so that nothing which somebody puts in the way while a backup runs, a
 * symbolic link above all, leads out of the tree that is backed up (design: "Invariants", 7).
 *
 *   root of a tree (a descriptor) → a directory below it, no link on the way → names in it, links not followed
 *
 * A worker thread gets a working directory of its own and goes into each directory: names need no path then, which is
 * also the fastest way to look at them. Where the system denies that, or has no `openat2` (Linux before 5.6, some
 * containers), the way down is opened name by name and names are reached through `/proc/self/fd`.
 */
import { closeSync, constants, lstatSync, openSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { systemCode } from '../errors.ts';
import { O_PATH, changeDirectory, closeFd, openBeneath, ownWorkingDirectory } from '../libc.ts';
import { systemPath } from './byte-path.ts';

/** A directory of a tree, and what it was when it was seen first. Plain data: it crosses threads. */
export type DirectoryPlace = {
  /** The descriptor of the tree's root, open while the tree is read. */
  readonly root: number;
  /** The way down from there, as a byte string; empty for the root. */
  readonly below: string;
  /** The absolute path, for people. */
  readonly path: string;
  readonly device: bigint;
  readonly inode: bigint;
  /** Of the tree's source; absent for anybody. */
  readonly linkOwners?: readonly number[] | undefined;
  /** What nodes say of the device that they lie on, where that is not what the system says. */
  readonly saidDevice?: bigint | undefined;
};

/** Whether it is another name of a file of somebody whose files may not have one here. */
export function isForeignLink(stats: BigIntStats, { linkOwners }: DirectoryPlace): boolean {
  if (linkOwners === undefined || stats.nlink <= 1n || stats.isDirectory()) return false;
  return !linkOwners.includes(Number(stats.uid));
}

const DIRECTORY_FLAGS = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** What the system says where a link or something else stands in a directory's place. */
const NO_DIRECTORY: ReadonlySet<string> = new Set(['ELOOP', 'ENOTDIR', 'EXDEV']);

/** Whether an error says that a directory on the way is none any more: it was replaced by a link or a file. */
export function isNoDirectory(error: unknown): boolean {
  return NO_DIRECTORY.has(systemCode(error));
}

/** Where a thread stands. One per thread. */
export class WorkingDirectory {
  #isOwn: boolean;
  #prefix = '';
  #fd = -1;
  #place: DirectoryPlace | undefined;

  private constructor(isOwn: boolean) {
    this.#isOwn = isOwn;
  }

  /** For a worker thread, whose working directory is from now on what this says. */
  static ofThread(): WorkingDirectory {
    try {
      ownWorkingDirectory();
      return new WorkingDirectory(true);
    } catch {
      return new WorkingDirectory(false);
    }
  }

  /** For any thread: slower, and the working directory stays. */
  static byDescriptor(): WorkingDirectory {
    return new WorkingDirectory(false);
  }

  /**
   * Goes into a directory. It is below its root whatever was moved meanwhile, but may be another one than was seen.
   * @throws the system's error; `isNoDirectory` tells what was replaced by a link or a file.
   */
  enter(place: DirectoryPlace): void {
    if (this.#place === place) return;
    this.#place = undefined;
    if (this.#isOwn && !this.#enterOwn(place)) this.#isOwn = false;
    if (!this.#isOwn) this.#enterByDescriptor(place);
    this.#place = place;
  }

  /** What Node's calls take for a name in the directory; `.` is the directory itself. */
  reach(name: string): string | Buffer {
    return systemPath(this.#prefix + name);
  }

  /** What the directory is now. */
  stats(): BigIntStats {
    return lstatSync(this.reach('.'), { bigint: true });
  }

  /**
   * Whether what is not found in a place is missing because another directory or file system is there now; not so where
   * it was merely removed.
   */
  isReplaced(place: DirectoryPlace): boolean {
    for (let { below } = place; ; below = below.slice(0, Math.max(0, below.lastIndexOf('/')))) {
      try {
        this.enter({ ...place, below });
        const { dev, ino } = this.stats();
        return dev !== place.device || (below === place.below && ino !== place.inode);
      } catch (error) {
        if (isNoDirectory(error)) return true;
        if (systemCode(error) !== 'ENOENT' || below === '') throw error;
      }
    }
  }

  /** False where the system has no `openat2`. */
  #enterOwn({ root, below }: DirectoryPlace): boolean {
    let fd: number;
    try {
      fd = openBeneath(root, below === '' ? '.' : systemPath(below), DIRECTORY_FLAGS);
    } catch (error) {
      if (systemCode(error) === 'ENOSYS' || systemCode(error) === 'EPERM') return false;
      throw error;
    }
    try {
      changeDirectory(fd);
    } finally {
      closeFd(fd);
    }
    return true;
  }

  #enterByDescriptor({ root, below }: DirectoryPlace): void {
    if (this.#fd !== -1) closeSync(this.#fd);
    this.#fd = -1;
    this.#fd = openBelow(root, below);
    this.#prefix = prefixOf(this.#fd);
  }
}

/** Opens a directory below another one, no link on the way, as a descriptor to reach others from. */
export function openBelow(root: number, below: string): number {
  let fd = openSync(`${prefixOf(root)}.`, DIRECTORY_FLAGS);
  for (const name of below.split('/')) {
    if (name === '' || name === '.') continue;
    const above = fd;
    try {
      fd = openSync(systemPath(prefixOf(above) + name), DIRECTORY_FLAGS);
    } finally {
      closeSync(above);
    }
  }
  return fd;
}

/** What stands before a name to reach it in an open directory: the same as `openat`, for Node's calls. */
export function prefixOf(fd: number): string {
  return `/proc/self/fd/${fd}/`;
}
