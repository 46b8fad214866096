/**
 * What a walk leaves out. The rules are those of restic's flags of the same names; they travel to the workers as one
 * text, which is the same for all directories of a tree and is read once.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { parsePattern } from '../path-pattern.ts';
import type { PathPattern } from '../path-pattern.ts';
import { byteString, displayPath } from './byte-path.ts';
import type { DirectoryPlace } from './working-directory.ts';

/** A file that marks the directory in which it lies; `begins`, where it is not empty, is how the file must begin. */
export type TagFile = { readonly name: string; readonly begins: string };

/** Rules of what is left out, beside paths. What is left out is not looked into, so that nothing in it comes back. */
export type ExcludeRules = {
  /**
   * Patterns as `find` takes them, of absolute paths. One that begins with `!` takes back what those before it left
   * out; of all that fit the last one counts.
   */
  readonly patterns?: readonly string[];
  /** The same, with capital and small letters alike. */
  readonly patternsIgnoringCase?: readonly string[];
  /** Of a directory with such a file only that file is kept (and the directory itself). */
  readonly ifPresent?: readonly TagFile[];
  /** Files of more bytes. */
  readonly largerThanBytes?: number;
  /** What lies on another file system than the top of the tree; a directory on which one is mounted is kept, empty. */
  readonly oneFileSystem?: boolean;
};

/** How directories that hold a cache are marked (https://bford.info/cachedir/). */
export const CACHE_TAG: TagFile = {
  name: 'CACHEDIR.TAG',
  begins: 'Signature: 8a477f597d28d172789f06886806bc55',
};

type Source = { readonly exclude?: readonly string[]; readonly rules?: ExcludeRules };
type Told = { readonly paths: readonly string[]; readonly rules: ExcludeRules };
type Pattern = Pick<PathPattern, 'fits'> & { readonly isNegated: boolean };

/** For `Exclusion.of`, in any thread. */
export function exclusionText({ exclude = [], rules = {} }: Source): string {
  return JSON.stringify({ paths: exclude.map(byteString), rules } satisfies Told);
}

export class Exclusion {
  /** Whether `leavesOutPath` has anything to say: to join a path for each of a million names takes time. */
  readonly asksForPaths: boolean;
  readonly #isOneFileSystem: boolean;
  readonly #paths: ReadonlySet<string>;
  readonly #patterns: readonly (readonly Pattern[])[];
  readonly #tagFiles: readonly TagFile[];
  readonly #largerThanBytes: number;
  static #last: { readonly text: string; readonly exclusion: Exclusion } | undefined;

  private constructor({ paths, rules }: Told) {
    const { patterns = [], patternsIgnoringCase = [], ifPresent = [] } = rules;
    this.#paths = new Set(paths);
    this.#patterns = [parseAll(patterns, false), parseAll(patternsIgnoringCase, true)].filter(
      (list) => list.length > 0,
    );
    this.#tagFiles = ifPresent.map(({ name, begins }) => ({ name: byteString(name), begins }));
    this.#largerThanBytes = rules.largerThanBytes ?? Infinity;
    this.#isOneFileSystem = rules.oneFileSystem ?? false;
    this.asksForPaths = this.#paths.size > 0 || this.#patterns.length > 0;
  }

  /** What `exclusionText` says. @throws EngineError `pattern-invalid`. */
  static of(text: string): Exclusion {
    if (Exclusion.#last?.text !== text) Exclusion.#last = { text, exclusion: new Exclusion(JSON.parse(text) as Told) };
    return Exclusion.#last.exclusion;
  }

  /** By its absolute path, a byte string. */
  leavesOutPath(path: string): boolean {
    if (this.#paths.has(path)) return true;
    if (this.#patterns.length === 0) return false;
    const shown = displayPath(path);
    return this.#patterns.some((list) =>
      list.reduce((isOut, { fits, isNegated }) => (isOut === isNegated && fits(shown) ? !isNegated : isOut), false),
    );
  }

  /** By what it is; `place` is the directory in which it lies. */
  leavesOut(stats: BigIntStats, place: DirectoryPlace): boolean {
    if (stats.isFile() && stats.size > this.#largerThanBytes) return true;
    return this.#isOneFileSystem && !stats.isDirectory() && stats.dev !== place.device;
  }

  /** The names of a directory that may be looked at; `reach` gives what Node's calls take for one. */
  keep(place: DirectoryPlace, names: readonly string[], reach: (name: string) => string | Buffer): readonly string[] {
    if (this.#isOneFileSystem && fstatSync(place.root, { bigint: true }).dev !== place.device) return [];
    return this.#tagFiles.reduce(
      (left, { name, begins }) => (left.includes(name) && isTag(reach(name), begins) ? [name] : left),
      names,
    );
  }
}

function parseAll(patterns: readonly string[], ignoreCase: boolean): readonly Pattern[] {
  return patterns
    .filter((pattern) => pattern !== '')
    .map((pattern) => {
      const isNegated = pattern.startsWith('!');
      return { ...parsePattern(isNegated ? pattern.slice(1) : pattern, { ignoreCase }), isNegated };
    });
}

/** What can't be read marks nothing. A pipe of this name would keep who opens it waiting. */
function isTag(path: string | Buffer, begins: string): boolean {
  if (begins === '') return true;
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
    try {
      const wanted = Buffer.from(begins);
      const found = Buffer.alloc(wanted.length);
      return readSync(fd, found, 0, found.length, 0) === wanted.length && found.equals(wanted);
    } finally {
      closeSync(fd);
    }
  } catch {
    return false;
  }
}
