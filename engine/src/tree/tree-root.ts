/** The top of a walked tree, held by descriptors while the tree is read. */
import { closeSync, constants, fstatSync, lstatSync, openSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { basename, dirname } from 'node:path';
import { O_PATH } from '../libc.ts';
import { byteString, systemPath } from './byte-path.ts';
import type { TreeEntry } from './source.ts';
import type { DirectoryPlace } from './working-directory.ts';
import { openBelow, prefixOf } from './working-directory.ts';

type Source = Pick<TreeEntry, 'path' | 'from' | 'beneath' | 'linkOwners'>;

export class TreeRoot implements Disposable {
  /** As the descriptor says: no path is asked twice. */
  readonly stats: BigIntStats;
  /** Its name in the directory above, as a byte string. */
  readonly name: string;
  readonly #path: string;
  readonly #linkOwners: readonly number[] | undefined;
  /** Of the path, where the tree is read elsewhere. */
  readonly #saidDevice: bigint | undefined;
  readonly #above: number;
  readonly #fd: number;

  private constructor({ path, from, linkOwners }: Source, name: string, above: number, fd: number) {
    this.#path = byteString(path);
    this.#saidDevice = from === undefined ? undefined : lstatSync(path, { bigint: true, throwIfNoEntry: false })?.dev;
    this.#linkOwners = linkOwners;
    this.name = name;
    this.#above = above;
    this.#fd = fd;
    this.stats = fstatSync(fd, { bigint: true });
  }

  /** @throws the system's error; `ELOOP` or `ENOTDIR` where a link is in the way below `beneath`. */
  static open(source: Source): TreeRoot {
    const { beneath } = source;
    const path = source.from ?? source.path;
    const name = basename(path) === '' ? '.' : byteString(basename(path));
    const above = openAbove(path, beneath);
    try {
      const fd = openSync(systemPath(prefixOf(above) + name), O_PATH | constants.O_NOFOLLOW);
      return new TreeRoot(source, name, above, fd);
    } catch (error) {
      closeSync(above);
      throw error;
    }
  }

  /** The tree itself, where it is a directory. */
  get place(): DirectoryPlace {
    const { dev, ino } = this.stats;
    return { root: this.#fd, below: '', path: this.#path, device: dev, inode: ino, ...this.#said };
  }

  /** The directory that it lies in, where it is none itself. */
  get placeAbove(): DirectoryPlace {
    const { dev, ino } = fstatSync(this.#above, { bigint: true });
    const path = dirname(this.#path);
    return { root: this.#above, below: '', path, device: dev, inode: ino, ...this.#said };
  }

  get #said(): Pick<DirectoryPlace, 'linkOwners' | 'saidDevice'> {
    return { linkOwners: this.#linkOwners, saidDevice: this.#saidDevice };
  }

  /** What Node's calls take for it; a link is not followed. */
  get reach(): string | Buffer {
    return this.stats.isDirectory() ? `${prefixOf(this.#fd)}.` : systemPath(prefixOf(this.#above) + this.name);
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
    closeSync(this.#above);
  }
}

/**
 * Those that are open. Disposed only when the workers have ended: while one is at work, another file could get the
 * number of a descriptor that was closed under it.
 */
export class TreeRoots implements Disposable {
  readonly #open = new Set<TreeRoot>();

  open(entry: TreeEntry): TreeRoot {
    const root = TreeRoot.open(entry);
    this.#open.add(root);
    return root;
  }

  close(root: TreeRoot): void {
    if (this.#open.delete(root)) root[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    for (const root of this.#open) this.close(root);
  }
}

/** The directory above a path: as the caller names it, or from a directory on without following links. */
function openAbove(path: string, beneath: string | undefined): number {
  const flags = O_PATH | constants.O_DIRECTORY;
  if (beneath === undefined || path === beneath) return openSync(dirname(path), flags);
  const from = beneath.endsWith('/') ? beneath : `${beneath}/`;
  if (!path.startsWith(from)) throw new RangeError(`${path} does not lie below ${beneath}`);
  const fd = openSync(beneath, flags | constants.O_NOFOLLOW);
  try {
    return openBelow(fd, byteString(dirname(path.slice(from.length))));
  } finally {
    closeSync(fd);
  }
}
