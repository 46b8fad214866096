/** What a backup leaves out, said by restic's flags. */
import { readFileSync, statSync } from 'node:fs';
import { CACHE_TAG } from '@salvor/engine';
import type { ExcludeRules, TagFile } from '@salvor/engine';
import type { Environment } from '../../config.ts';
import { SalvorError } from '../../errors.ts';
import { errnoOf } from '../../lib/errno.ts';
import { parseSize } from './repo-size.ts';

export type ExcludeFlags = {
  readonly exclude?: readonly string[];
  readonly iexclude?: readonly string[];
  readonly excludeFile?: readonly string[];
  readonly iexcludeFile?: readonly string[];
  readonly excludeCaches?: boolean;
  readonly excludeIfPresent?: readonly string[];
  readonly excludeLargerThan?: string;
  readonly oneFileSystem?: boolean;
};

/** `excludes`: the patterns as the snapshot keeps them, for people. */
export type Excluded = { readonly rules: ExcludeRules; readonly excludes: readonly string[] };

/** More than this is no list that a person wrote. */
const MAX_LIST_BYTES = 16 * 2 ** 20;

/** Throws `usage`, `source-missing` for a list that can't be read. */
export function parseExcludes(flags: ExcludeFlags, { variable }: Pick<Environment, 'variable'>): Excluded {
  const listed = (files: readonly string[] = []): readonly string[] =>
    files.flatMap((file) => readLines(file).map((line) => expand(line, variable)));
  const patterns = [...(flags.exclude ?? []), ...listed(flags.excludeFile)];
  const patternsIgnoringCase = [...(flags.iexclude ?? []), ...listed(flags.iexcludeFile)];
  const ifPresent = (flags.excludeIfPresent ?? []).map(parseTagFile);
  return {
    rules: {
      patterns,
      patternsIgnoringCase,
      ifPresent: flags.excludeCaches === true ? [...ifPresent, CACHE_TAG] : ifPresent,
      ...(flags.excludeLargerThan === undefined
        ? {}
        : { largerThanBytes: parseSize(flags.excludeLargerThan, '--exclude-larger-than') }),
      oneFileSystem: flags.oneFileSystem === true,
    },
    excludes: [...patterns, ...patternsIgnoringCase],
  };
}

/** The lines of a list without spaces around them, empty ones and those that begin with `#`. */
export function readLines(file: string): readonly string[] {
  return readList(file)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

/** A list of names or patterns as it is. Throws `source-missing`. */
export function readList(file: string): string {
  try {
    if (statSync(file).size > MAX_LIST_BYTES)
      throw new SalvorError('source-missing', { path: file, reason: 'it is no list' });
    return readFileSync(file, 'utf8').replace(/^\uFEFF/, '');
  } catch (cause) {
    if (cause instanceof SalvorError) throw cause;
    throw new SalvorError('source-missing', { path: file, reason: errnoOf(cause) ?? 'it is no text' }, { cause });
  }
}

/** `$NAME`, `${NAME}` and `$$`. */
function expand(line: string, variable: Environment['variable']): string {
  return line.replaceAll(/\$(?:(\$)|(\w+)|\{(\w+)\})/g, (_, dollar?: string, bare?: string, braced?: string) =>
    dollar === undefined ? variable(bare ?? braced ?? '') : '$',
  );
}

/** `NAME`, or `NAME:BEGINNING`. */
function parseTagFile(text: string): TagFile {
  const [, name = '', begins = ''] = /^([^:]*):?(.*)$/s.exec(text) ?? [];
  if (name === '' || name.includes('/'))
    throw new SalvorError('usage', { problem: `--exclude-if-present takes the name of a file, not '${text}'` });
  return { name, begins };
}
