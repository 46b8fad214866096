/** Which paths a backup is of: those that were typed, and those that stand in lists (`--files-from`), as restic reads them. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parsePattern } from '@salvor/engine';
import { SalvorError } from '../../errors.ts';
import { readLines, readList } from './repo-exclude.ts';

export type PathFlags = {
  readonly filesFrom?: readonly string[];
  readonly filesFromVerbatim?: readonly string[];
  readonly filesFromRaw?: readonly string[];
};

/** Throws `usage` where there are none, `source-missing` for a list that can't be read. */
export function pathsToBackUp(typed: readonly string[], flags: PathFlags): readonly string[] {
  const { filesFrom = [], filesFromVerbatim = [], filesFromRaw = [] } = flags;
  const paths = [
    ...typed,
    ...filesFrom.flatMap((file) => readLines(file).flatMap((line) => expandGlob(line))),
    ...filesFromVerbatim.flatMap((file) =>
      readList(file)
        .split('\n')
        .filter((line) => line !== ''),
    ),
    ...filesFromRaw.flatMap((file) =>
      readList(file)
        .split('\0')
        .filter((path) => path !== ''),
    ),
  ];
  if (paths.length === 0) throw new SalvorError('usage', { problem: 'nothing to back up was named' });
  return [...new Set(paths)];
}

/** A line of `--files-from` may be a pattern; each of its parts is one for the names of a directory. */
function expandGlob(line: string): readonly string[] {
  const parts = line.split('/');
  let found: readonly string[] = [line.startsWith('/') ? '/' : ''];
  for (const part of parts.filter((each) => each !== '')) {
    if (!/[*?[\\]/.test(part)) found = found.map((path) => join(path, part));
    else {
      const { fits } = parsePattern(`/${part}`);
      found = found.flatMap((path) =>
        namesIn(path)
          .filter((name) => fits(`/${name}`))
          .map((name) => join(path, name)),
      );
    }
  }
  return found;
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory === '' ? '.' : directory).toSorted();
  } catch {
    // A pattern that fits nothing names nothing.
    return [];
  }
}
