import { hash } from 'node:crypto';
import { lstatSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import { getXattr, listXattrs } from '@salvor/engine/libc';

/** All that a restore has to bring back: for each path below the root a line that differs if anything does. */
export type TreeDescription = {
  readonly lines: ReadonlyMap<string, string>;
  readonly files: number;
  readonly directories: number;
  readonly bytes: number;
};

/** Reads the whole tree: afterwards it lies in the page cache. */
export async function describeTree(root: string, signal: AbortSignal): Promise<TreeDescription> {
  const lines = new Map<string, string>([['.', describeEntry(root, lstatSync(root, { bigint: true }))]]);
  let [files, directories, bytes] = [0, 1, 0];
  const pending = ['.'];
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    for (const name of readdirSync(join(root, directory))) {
      const path = join(directory, name);
      const stats = lstatSync(join(root, path), { bigint: true });
      lines.set(path, describeEntry(join(root, path), stats));
      if (stats.isDirectory()) {
        directories++;
        pending.push(path);
      } else if (stats.isFile()) {
        files++;
        bytes += Number(stats.size);
      }
    }
    if (directories % 64 === 0) await breathe();
    signal.throwIfAborted();
  }
  return { lines, files, directories, bytes };
}

/** Throws with the first few differences, by name. */
export function requireEqual(
  expected: ReadonlyMap<string, string>,
  found: ReadonlyMap<string, string>,
  what: string,
): void {
  const differences: string[] = [];
  for (const [path, line] of expected) {
    const there = found.get(path);
    if (there !== line) differences.push(`${path}: ${there === undefined ? 'missing' : `${there} instead of ${line}`}`);
  }
  for (const path of found.keys()) if (!expected.has(path)) differences.push(`${path}: too much`);
  if (differences.length === 0) return;
  throw new Error(`${what}: ${differences.length} differences\n  ${differences.slice(0, 5).join('\n  ')}`);
}

function describeEntry(path: string, stats: BigIntStats): string {
  const { mode, uid, gid, mtimeNs } = stats;
  const content = stats.isFile()
    ? hash('sha256', readFileSync(path))
    : stats.isSymbolicLink()
      ? readlinkSync(path)
      : '';
  // What a security module labels is the machine's, not the tree's.
  const names = listXattrs(path).filter((name) => !name.startsWith('security.'));
  const xattrs = names.sort().map((name) => `${name}=${getXattr(path, name).toString('hex')}`);
  return [mode.toString(8), `${uid}:${gid}`, mtimeNs, content, ...xattrs].join(' ');
}
