import { dirname } from 'node:path';
import type { SourceEntry } from '@salvor/engine';

/** Trees at their real absolute paths, below the chain of their real ancestors. */
export function homeEntries(
  paths: readonly string[],
  tree: (path: string, name: string) => SourceEntry,
  prefix = '',
): readonly SourceEntry[] {
  const inside = paths.filter((path) => dirname(path) === (prefix || '/'));
  const names = new Set(paths.map((path) => path.slice(prefix.length + 1).split('/')[0] ?? ''));
  return [...names].map((name) => {
    const path = `${prefix}/${name}`;
    if (inside.includes(path)) return tree(path, name);
    const below = paths.filter((other) => other.startsWith(`${path}/`));
    return { kind: 'directory', name, like: path, entries: homeEntries(below, tree, path) };
  });
}
