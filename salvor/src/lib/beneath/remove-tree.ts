import { type Dir, opendirSync } from 'node:fs';
import { setImmediate as breathe } from 'node:timers/promises';
import { renameNoReplace } from '@salvor/engine/libc';
import { SalvorError } from '../../errors.ts';
import { errnoOf } from '../errno.ts';
import { type OpenDirectory, openDirectory } from './open-directory.ts';
import { type Spot, lookAt, removeDirectoryAt, spotIn, unlinkAt } from './spot.ts';
import { aboveOf } from './walk-tree.ts';

export type RemoveOptions = {
  /** Also what lies on other mounts below. Else a mount stops the removal, with what is on it untouched. */
  readonly acrossMounts?: boolean;
  readonly signal?: AbortSignal | undefined;
};

/** Two descriptors a level; what lies deeper is moved up first, and there is no depth that can't be removed. */
const MAX_LEVELS = 128;
/** How often a directory is emptied again that others fill while it is removed. */
const MAX_ROUNDS = 100;
/** 128 levels a move: more than anybody makes but to keep us busy. */
const MAX_MOVES = 10_000;
const NAMES_AT_A_TIME = 512;

/**
 * Removes what is there with all below it; nothing there is no error. Follows no link, whatever is swapped meanwhile,
 * and does not leave the mount. Throws `path-leads-out` where a mount is in the way, `tree-in-use` where others put
 * new things in faster than they go, and the system's errors; then a part is gone.
 */
export async function removeTree(spot: Spot, options: RemoveOptions = {}): Promise<void> {
  const stat = lookAt(spot);
  if (stat === null) return;
  if (!stat.isDirectory()) return unlinkIfThere(spot);
  await new Removal(spot, options).run();
}

type Level = { readonly spot: Spot; readonly directory: OpenDirectory; readonly names: Dir; readonly rounds: number };

class Removal {
  readonly #top: Spot;
  readonly #options: RemoveOptions;
  readonly #levels: Level[] = [];
  #moved = 0;
  #movedBefore = 0;
  #handled = 0;

  constructor(top: Spot, options: RemoveOptions) {
    this.#top = top;
    this.#options = options;
  }

  async run(): Promise<void> {
    try {
      this.#enter(this.#top, 0);
      for (let level = this.#levels.at(-1); level !== undefined; level = this.#levels.at(-1)) {
        const entry = level.names.readSync() as { readonly name: unknown; isDirectory(): boolean } | null;
        if (entry === null) this.#leave(level);
        else this.#remove(level, spotIn(level.directory, entry.name as Buffer), entry.isDirectory());
        if (++this.#handled % NAMES_AT_A_TIME !== 0) continue;
        await breathe();
        this.#options.signal?.throwIfAborted();
      }
    } finally {
      for (const level of this.#levels.splice(0).toReversed()) close(level);
    }
  }

  #remove(level: Level, spot: Spot, isDirectory: boolean): void {
    // A file system may not say what an entry is, and what it said may be over.
    if (!isDirectory && hasUnlinked(spot)) return;
    if (this.#levels.length < MAX_LEVELS) return this.#enter(spot, 0);
    this.#moveUp(level, spot);
  }

  #enter(spot: Spot, rounds: number): void {
    const directory = this.#open(spot);
    if (directory === null) return;
    const names = opendirSync(`/proc/self/fd/${directory.fd}`, {
      encoding: 'buffer' as BufferEncoding,
      bufferSize: NAMES_AT_A_TIME,
    });
    this.#levels.push({ spot, directory, names, rounds });
  }

  /** Null where it is gone, or was a file or a link and is removed. Tried again where it is swapped under our hands. */
  #open(spot: Spot): OpenDirectory | null {
    for (let round = 0; ; round++) {
      try {
        return openDirectory(aboveOf(spot), spot.name, { onOneMount: this.#options.acrossMounts !== true });
      } catch (error) {
        const code = errnoOf(error instanceof SalvorError ? error.cause : error);
        if (code !== 'ELOOP' && code !== 'ENOTDIR' && code !== 'ENOENT') throw error;
        if (round > MAX_ROUNDS) throw new SalvorError('tree-in-use', { path: spot.path }, { cause: error });
      }
      const now = lookAt(spot);
      if (now === null || (!now.isDirectory() && hasUnlinked(spot))) return null;
    }
  }

  #leave(level: Level): void {
    this.#levels.pop();
    close(level);
    try {
      removeDirectoryAt(level.spot);
    } catch (error) {
      const code = errnoOf(error);
      if (code === 'ENOENT') return;
      // A link or a file stands there now, or did a moment ago.
      if (code === 'ENOTDIR') return this.#enter(level.spot, level.rounds + 1);
      if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
      // What we moved up ourselves is none of what others put there.
      const rounds = this.#moved > this.#movedBefore ? 0 : level.rounds + 1;
      this.#movedBefore = this.#moved;
      if (rounds > MAX_ROUNDS || this.#moved > MAX_MOVES)
        throw new SalvorError('tree-in-use', { path: level.spot.path }, { cause: error });
      this.#enter(level.spot, rounds);
    }
  }

  /** To the top of what is removed anyway, where the next round over it finds it. */
  #moveUp(level: Level, spot: Spot): void {
    const top = this.#levels[0];
    if (top === undefined) return;
    try {
      renameNoReplace(level.directory.fd, spot.name, top.directory.fd, `.salvor-deep-${process.pid}-${this.#moved++}`);
    } catch (error) {
      const code = errnoOf(error);
      if (code === 'ENOENT') return;
      if (code === 'EEXIST') return this.#moveUp(level, spot);
      throw error;
    }
  }
}

function close(level: Level): void {
  level.names.closeSync();
  level.directory[Symbol.dispose]();
}

function unlinkIfThere(spot: Spot): void {
  try {
    unlinkAt(spot);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

/** False where a directory stands there; by the time that one asks again it may be another thing. */
function hasUnlinked(spot: Spot): boolean {
  try {
    unlinkIfThere(spot);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EISDIR') return false;
    // Systems that say EPERM instead.
    if (lookAt(spot)?.isDirectory() !== true) throw error;
    return false;
  }
}
