import { type BigIntStats, type Dirent, lstatSync } from 'node:fs';
import { readdir } from 'node:fs/promises';

/**
 * Something in a tree, its path relative to the tree's root, `` for the root itself. What is not UTF-8 in it shows with
 * replacement characters, as in a snapshot's walk; the file is found by its bytes all the same.
 */
export type TreeEntry = { readonly path: string; readonly stat: BigIntStats };

/**
 * A directory and all below it, parents before children, names in byte order: the order of a snapshot's walk, so
 * that two walks can be laid side by side without holding either. Links are entries and never followed. What
 * vanishes during the walk is left out.
 */
export async function* walkTree(root: string): AsyncGenerator<TreeEntry> {
  yield* walkBelow(Buffer.from(root), '');
}

async function* walkBelow(at: Buffer, path: string): AsyncGenerator<TreeEntry> {
  const stat = lstatIfThere(at);
  if (stat === null) return;
  yield { path, stat };
  if (!stat.isDirectory()) return;
  let entries: Dirent<Buffer>[];
  try {
    entries = await readdir(at, { withFileTypes: true, encoding: 'buffer' });
  } catch (error) {
    if (isGone(error)) return;
    throw error;
  }
  entries.sort((one, other) => Buffer.compare(one.name, other.name));
  for (const entry of entries) {
    const name = entry.name.toString('utf8');
    const below = path === '' ? name : `${path}/${name}`;
    const there = Buffer.concat([at, SLASH, entry.name]);
    if (entry.isDirectory()) {
      yield* walkBelow(there, below);
      continue;
    }
    const leaf = lstatIfThere(there);
    if (leaf !== null) yield { path: below, stat: leaf };
  }
}

const SLASH = Buffer.from('/');

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

function lstatIfThere(path: Buffer): BigIntStats | null {
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
