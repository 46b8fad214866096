import { type BigIntStats, readdirSync } from 'node:fs';
import { basename, dirname, relative } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import { SalvorError } from '../../errors.ts';
import { errnoOf } from '../errno.ts';
import { type OpenDirectory, openDirectory, openRoot } from './open-directory.ts';
import { type Spot, lookAt, spotIn } from './spot.ts';

/**
 * Something in a tree, its path relative to the tree's root, `` for the root itself. What is not UTF-8 in it shows with
 * replacement characters, as in a snapshot's walk; the file is found by its bytes all the same, at `spot`, which is
 * there until the walk goes on.
 */
export type TreeEntry = {
  readonly path: string;
  /** The path's own bytes, a character each. */
  readonly key: string;
  readonly stat: BigIntStats;
  readonly spot: Spot;
};

export type WalkOptions = {
  /** Nothing on another mount is entered. A mount point is an entry, with what its own root is. */
  readonly onOneMount?: boolean;
  /** Absolute paths that are passed over, with what is below them. Of a root that is given as a path. */
  readonly leftOut?: readonly string[];
};

/** One descriptor a level. Longer chains have names of a letter or two, and are made to hurt. */
const MAX_DEPTH = 1024;
/** Calls of the file system are made at once, so that the walk lets others go first now and then. */
const ENTRIES_AT_A_TIME = 512;

/**
 * A directory and all below it, parents before children, names in byte order: the order of a snapshot's walk, so
 * that two walks can be laid side by side without holding either. Links are entries and never followed, also where one
 * takes a directory's place during the walk. What vanishes meanwhile is left out. Throws `tree-too-deep`. A root given
 * as a path is trusted but for its last part; one whose way leads through a tenant's directories is given as a spot.
 */
export async function* walkTree(root: string | Spot, options: WalkOptions = {}): AsyncGenerator<TreeEntry> {
  const leftOut = typeof root === 'string' ? (options.leftOut ?? []).map((path) => relative(root, path)) : [];
  const walk = new Walk(options, new Set(leftOut));
  if (typeof root !== 'string') {
    yield* walk.visit(root, '', '', 0);
    return;
  }
  let above: OpenDirectory;
  try {
    above = openRoot(dirname(root));
  } catch (error) {
    if (isGone(error)) return;
    throw error;
  }
  using parent = above;
  yield* walk.visit(spotIn(parent, basename(root)), '', '', 0);
}

class Walk {
  readonly #options: WalkOptions;
  readonly #leftOut: ReadonlySet<string>;
  #seen = 0;

  constructor(options: WalkOptions, leftOut: ReadonlySet<string>) {
    this.#options = options;
    this.#leftOut = leftOut;
  }

  async *visit(spot: Spot, path: string, key: string, depth: number): AsyncGenerator<TreeEntry> {
    const stat = lookAt(spot);
    if (stat === null) return;
    yield { path, key, stat, spot };
    if (++this.#seen % ENTRIES_AT_A_TIME === 0) await breathe();
    if (!stat.isDirectory()) return;
    if (depth >= MAX_DEPTH) throw new SalvorError('tree-too-deep', { path: spot.path, levels: MAX_DEPTH });
    const opened = this.#open(spot);
    if (opened === null) return;
    using directory = opened;
    for (const name of listNames(directory)) {
      const shown = name.toString('utf8');
      const below = path === '' ? shown : `${path}/${shown}`;
      const ownKey = name.toString('latin1');
      const keyBelow = key === '' ? ownKey : `${key}/${ownKey}`;
      if (!this.#leftOut.has(below)) yield* this.visit(spotIn(directory, name), below, keyBelow, depth + 1);
    }
  }

  #open(spot: Spot): OpenDirectory | null {
    try {
      return openDirectory(aboveOf(spot), spot.name, this.#options);
    } catch (error) {
      // Gone, or another thing by now: its entry stands as it was seen.
      if (isGone(error) || isElsewhere(error)) return null;
      throw error;
    }
  }
}

/** The directory of a spot, as something to open below. */
export function aboveOf(spot: Spot): Pick<OpenDirectory, 'fd' | 'path'> {
  return { fd: spot.fd, path: dirname(spot.path) };
}

/** The order of a walk by its keys: component by component, so that what lies in `a` comes before `a.b`. */
export function compareKeys(one: string, other: string): number {
  const left = one === '' ? [] : one.split('/');
  const right = other === '' ? [] : other.split('/');
  const shared = Math.min(left.length, right.length);
  for (let i = 0; i < shared; i++) {
    const [a = '', b = ''] = [left[i], right[i]];
    if (a !== b) return a < b ? -1 : 1;
  }
  return left.length - right.length;
}

function listNames(directory: OpenDirectory): readonly Buffer[] {
  return readdirSync(`/proc/self/fd/${directory.fd}`, { encoding: 'buffer' }).toSorted((one, other) =>
    Buffer.compare(one, other),
  );
}

function isGone(error: unknown): boolean {
  const code = errnoOf(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}

function isElsewhere(error: unknown): boolean {
  return errnoOf(error) === 'path-leads-out';
}
