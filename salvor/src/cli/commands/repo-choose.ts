/** Which files of a snapshot are restored: `--include` and `--exclude`, patterns as restic takes them. */
import { parsePattern } from '@salvor/engine';
import type { PathPattern, RestoreOptions } from '@salvor/engine';
import { SalvorError } from '../../errors.ts';

export type ChooseFlags = {
  readonly include?: readonly string[];
  readonly iinclude?: readonly string[];
  readonly exclude?: readonly string[];
  readonly iexclude?: readonly string[];
};

/** Undefined where all is wanted. Throws `usage`, and `pattern-invalid` of the engine. */
export function chooseFiles(flags: ChooseFlags, subtree = '/'): RestoreOptions['include'] {
  const parse = (patterns: readonly string[] = [], ignoreCase: boolean): readonly PathPattern[] =>
    patterns.map((pattern) => parsePattern(pattern, { ignoreCase }));
  const included = [...parse(flags.include, false), ...parse(flags.iinclude, true)];
  const excluded = [...parse(flags.exclude, false), ...parse(flags.iexclude, true)];
  if (included.length > 0 && excluded.length > 0)
    throw new SalvorError('usage', { problem: '--include and --exclude can not be used together' });
  // Patterns are of what is restored, whatever lies above it in the snapshot.
  const top = subtree.replace(/\/+$/, '');
  const within = (path: string): string => (path.startsWith(`${top}/`) ? path.slice(top.length) : path);
  if (excluded.length > 0) return (path) => !excluded.some(({ fits }) => fits(within(path)));
  if (included.length === 0) return undefined;
  return (path, isDirectory) => {
    if (included.some(({ fits }) => fits(within(path)))) return true;
    return isDirectory && included.some(({ mayFitBelow }) => mayFitBelow(within(path))) ? 'look' : false;
  };
}
