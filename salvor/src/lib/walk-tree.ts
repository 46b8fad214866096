import { type BigIntStats, type Dirent, lstatSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Something in a tree, its path relative to the tree's root, `` for the root itself. */
export type TreeEntry = { readonly path: string; readonly stat: BigIntStats };

/**
 * A directory and all below it, parents before children, names in byte order: the order of a snapshot's walk, so
 * that two walks can be laid side by side without holding either. Links are entries and never followed. What
 * vanishes during the walk is left out.
 */
export async function* walkTree(root: string, path = ''): AsyncGenerator<TreeEntry> {
  const stat = lstatIfThere(join(root, path));
  if (stat === null) return;
  yield { path, stat };
  if (!stat.isDirectory()) return;
  let entries: Dirent[];
  try {
    entries = await readdir(join(root, path), { withFileTypes: true });
  } catch (error) {
    if (isGone(error)) return;
    throw error;
  }
  entries.sort((one, other) => compareNames(one.name, other.name));
  for (const entry of entries) {
    const below = path === '' ? entry.name : `${path}/${entry.name}`;
    if (entry.isDirectory()) {
      yield* walkTree(root, below);
      continue;
    }
    const leaf = lstatIfThere(join(root, below));
    if (leaf !== null) yield { path: below, stat: leaf };
  }
}

/** By bytes, as names are ordered in a snapshot's trees. */
export function compareNames(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other));
}

/** The order of a walk: component by component, so that what lies in `a` comes before `a.b`. */
export function comparePaths(one: string, other: string): number {
  const left = one === '' ? [] : one.split('/');
  const right = other === '' ? [] : other.split('/');
  const shared = Math.min(left.length, right.length);
  for (let i = 0; i < shared; i++) {
    const order = compareNames(left[i] ?? '', right[i] ?? '');
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

function lstatIfThere(path: string): BigIntStats | null {
  try {
    return lstatSync(path, { bigint: true });
  } catch (error) {
    if (isGone(error)) return null;
    throw error;
  }
}

function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}
