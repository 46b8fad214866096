/**
 * Patterns that paths are looked up by, as restic has them: each part between slashes is a glob for one name
 * (`*` any characters, `?` one, `[a-z]` one of these, `[^a-z]` none of these, a backslash takes the next as it is),
 * `**` is any number of directories, a leading `/` ties the pattern to the root. A pattern fits a path that it names,
 * and everything below that. Matching takes no longer than the pattern's length times the path's.
 */
import { EngineError } from './errors.ts';

/** How a pattern is meant. */
export type PatternOptions = { readonly ignoreCase?: boolean };

/** A pattern that was understood; paths are absolute, without a slash at their end. */
export type PathPattern = {
  readonly fits: (path: string) => boolean;
  /** Whether anything below a directory can fit. */
  readonly mayFitBelow: (path: string) => boolean;
};

type Glob = readonly (typeof ANY | ((character: string) => boolean))[];
const ANY = 'any';

/** Longer ones are no patterns of people, and cost time. */
const MAX_PATTERN_LENGTH = 4096;

/** Reads a pattern for paths: `*`, `?`, `[…]`, `**`. @throws EngineError `pattern-invalid`. */
export function parsePattern(pattern: string, { ignoreCase = false }: PatternOptions = {}): PathPattern {
  const invalid = (reason: string): EngineError =>
    new EngineError('pattern-invalid', { pattern: pattern.slice(0, 80), reason });
  if (pattern.length > MAX_PATTERN_LENGTH) throw invalid('it is too long');
  if (pattern === '') throw invalid('it is empty');
  const folded = ignoreCase ? pattern.toLowerCase() : pattern;
  const parts = partsOf(folded).map((part) => (part === '**' ? ANY : fitsGlob(parseGlob(part, invalid))));
  // Any directories may stand before it, and anything below what it names.
  const whole = [...(folded.startsWith('/') ? [] : [ANY as typeof ANY]), ...parts, ANY as typeof ANY];
  const namesOf = (path: string): string[] =>
    (ignoreCase ? path.toLowerCase() : path).split('/').filter((name) => name !== '');
  return {
    fits: (path) => fits(whole, namesOf(path)),
    mayFitBelow: (path) => begins(whole, namesOf(path)),
  };
}

/** Whether the items can be the beginning of what fits. */
function begins<T>(pattern: readonly (typeof ANY | ((item: T) => boolean))[], items: readonly T[]): boolean {
  for (const [at, item] of items.entries()) {
    const part = pattern[at];
    if (part === ANY) return true;
    if (part?.(item) !== true) return false;
  }
  return true;
}

/** Without the empty parts and `.`, and with `..` taken back, as paths are cleaned. */
function partsOf(pattern: string): readonly string[] {
  const parts: string[] = [];
  for (const part of pattern.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts;
}

/**
 * Whether items fit a pattern in which `ANY` stands for any number of them. Only the last `ANY` is ever tried again:
 * if what follows it can be found at all, it can be found from there.
 */
function fits<T>(pattern: readonly (typeof ANY | ((item: T) => boolean))[], items: readonly T[]): boolean {
  let [at, item, anyAt, anyItem] = [0, 0, -1, 0];
  while (item < items.length) {
    const part = pattern[at];
    if (part === ANY) {
      anyAt = at++;
      anyItem = item;
    } else if (part?.(items[item] as T) === true) {
      at++;
      item++;
    } else if (anyAt !== -1) {
      at = anyAt + 1;
      item = ++anyItem;
    } else return false;
  }
  return pattern.slice(at).every((part) => part === ANY);
}

function fitsGlob(glob: Glob): (name: string) => boolean {
  return (name) => fits(glob, Array.from(name));
}

function parseGlob(text: string, invalid: (reason: string) => EngineError): Glob {
  const characters = Array.from(text);
  const glob: Glob[number][] = [];
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] ?? '';
    if (character === '*') glob.push(ANY);
    else if (character === '?') glob.push(() => true);
    else if (character === '[') {
      const parsed = parseClass(characters, at + 1, invalid);
      glob.push(parsed.has);
      at = parsed.end;
    } else if (character === '\\') {
      const next = characters[++at];
      if (next === undefined) throw invalid('nothing follows its last backslash');
      glob.push((each) => each === next);
    } else glob.push((each) => each === character);
  }
  return glob;
}

/** What stands between `[` and `]`; `end` is where the latter is. */
function parseClass(
  characters: readonly string[],
  from: number,
  invalid: (reason: string) => EngineError,
): { readonly has: (character: string) => boolean; readonly end: number } {
  const isNegated = characters[from] === '^';
  let at = isNegated ? from + 1 : from;
  const ranges: { readonly low: number; readonly high: number }[] = [];
  const next = (): number => {
    let character = characters[at++];
    if (character === '-' || character === ']') throw invalid("a '[' holds nothing, or half a range");
    if (character === '\\') character = characters[at++];
    if (character === undefined) throw invalid("a '[' has no ']'");
    return character.codePointAt(0) ?? 0;
  };
  while (ranges.length === 0 || characters[at] !== ']') {
    const low = next();
    let high = low;
    if (characters[at] === '-') {
      at++;
      high = next();
    }
    ranges.push({ low, high });
  }
  const has = (character: string): boolean => {
    const code = character.codePointAt(0) ?? 0;
    return ranges.some(({ low, high }) => low <= code && code <= high) !== isNegated;
  };
  return { has, end: at };
}
