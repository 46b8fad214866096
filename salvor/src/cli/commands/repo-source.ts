import { lstatSync } from 'node:fs';
import { isAbsolute, normalize, resolve, sep } from 'node:path';
import type { ExcludeRules, SourceEntry } from '@salvor/engine';
import { SalvorError } from '../../errors.ts';
import { errnoOf } from '../../lib/errno.ts';

/** What lies under a name: a path of this machine that is taken whole, or names below it. */
type Branch = { readonly whole: string } | { readonly path: string; readonly names: Map<string, Branch> };

/**
 * The tree of a snapshot of `paths`, laid out as restic does: an absolute path keeps all its directories, a
 * relative one those that were named, without leading `..`. Throws `source-missing` for a path that is not there.
 */
export function sourceOfPaths(paths: readonly string[], rules: ExcludeRules): readonly SourceEntry[] {
  const root: Branch = { path: '/', names: new Map() };
  for (const named of paths) {
    requirePath(named);
    const names = normalize(named)
      .split(sep)
      .filter((name) => name !== '' && name !== '.' && name !== '..');
    // `.`, `..` and `/` have no name of their own: what they name does.
    const from = names.length === 0 ? [resolve(named).split(sep).at(-1) ?? ''] : names;
    if (from[0] === '')
      throw new SalvorError('usage', { problem: 'name directories to back up, not the whole machine' });
    plant(root.names, from, resolve(named), isAbsolute(named) ? '/' : resolve(named, ...names.map(() => '..')));
  }
  return entriesOf(root.names, rules);
}

function plant(
  names: Map<string, Branch>,
  [name = '', ...rest]: readonly string[],
  whole: string,
  above: string,
): void {
  const there = names.get(name);
  const path = resolve(above, name);
  if (rest.length === 0) {
    if (there !== undefined && 'whole' in there && there.whole !== whole) {
      throw new SalvorError('usage', { problem: `two of the paths have the same place in the snapshot: ${name}` });
    }
    names.set(name, { whole });
    return;
  }
  // What is taken whole has everything below it already.
  if (there !== undefined && 'whole' in there) return;
  const branch = there ?? { path, names: new Map<string, Branch>() };
  names.set(name, branch);
  plant(branch.names, rest, whole, path);
}

function entriesOf(names: ReadonlyMap<string, Branch>, rules: ExcludeRules): readonly SourceEntry[] {
  return [...names].map(([name, branch]): SourceEntry => {
    if ('whole' in branch) return { kind: 'tree', name, path: branch.whole, rules };
    return { kind: 'directory', name, like: branch.path, entries: entriesOf(branch.names, rules) };
  });
}

function requirePath(named: string): void {
  try {
    lstatSync(named);
  } catch (cause) {
    throw new SalvorError('source-missing', { path: named, reason: errnoOf(cause) ?? 'it is no path' }, { cause });
  }
}
