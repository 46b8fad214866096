import { createHash } from 'node:crypto';
import type { SnapshotView, ViewEntry } from '@salvor/engine';
import { SalvorError } from '../errors.ts';
import { readFileAt } from '../lib/beneath/read-file.ts';
import type { TreeEntry } from '../lib/beneath/walk-tree.ts';
import { pairTrees, walkDisk, walkView } from './pair-trees.ts';
import { type FilePart, isRestored } from './file-parts.ts';

/** How the site's directory differs from a point. `deleted` is what is there now and not in the point. */
export type FileCounts = {
  readonly new: number;
  readonly changed: number;
  readonly deleted: number;
  readonly kept: number;
};

/** What is restored in all, and what it changes. Bytes are those of the point's files in scope. */
export type FileComparison = {
  readonly counts: FileCounts;
  readonly bytes: number;
  /** Of `bytes` those of files that are as they were: they are taken from what is there. */
  readonly keptBytes: number;
  readonly files: number;
  /** Of what is there now. */
  readonly liveBytes: number;
  /** The first of what is deleted, of a directory it alone: relative to the part. */
  readonly deleted: readonly string[];
};

/**
 * Lays the point beside a part of the site's files: by size and time, and where only the time differs by content.
 * Directories are counted like files where one of the two is missing.
 */
export async function compareFiles(view: SnapshotView, part: FilePart, signal: AbortSignal): Promise<FileComparison> {
  const counts = { new: 0, changed: 0, deleted: 0, kept: 0 };
  let bytes = 0;
  let keptBytes = 0;
  let files = 0;
  let liveBytes = 0;
  const deleted: string[] = [];
  const { stored, live } = part;
  for await (const { path, left, right } of pairTrees(walkStored(view, stored), walkDisk(live))) {
    signal.throwIfAborted();
    // A mount that the point does not have is emptied, and stays.
    if (!isRestored(part, path) || (path === '' && stored === null)) continue;
    if (left !== null) {
      files += left.type === 'dir' ? 0 : 1;
      bytes += left.type === 'file' ? left.size : 0;
    }
    liveBytes += right?.stat.isFile() === true ? Number(right.stat.size) : 0;
    if (left === null) {
      counts.deleted += 1;
      const above = deleted.at(-1);
      const isInside = above !== undefined && path.startsWith(`${above}/`);
      if (!isInside && deleted.length < MAX_NAMED) deleted.push(path);
    } else if (right === null) counts.new += 1;
    else if (left.type === 'dir' && right.stat.isDirectory()) continue;
    else if (await isSameFile(view, left, right)) {
      counts.kept += 1;
      keptBytes += left.type === 'file' ? left.size : 0;
    } else counts.changed += 1;
  }
  return { counts, bytes, keptBytes, files, liveBytes, deleted };
}

/** More than a person reads before he says yes. */
export const MAX_NAMED = 20;

async function* walkStored(view: SnapshotView, stored: string | null): ReturnType<typeof walkView> {
  if (stored !== null) yield* walkView(view, stored);
}

async function isSameFile(view: SnapshotView, stored: ViewEntry, { stat: live, spot }: TreeEntry): Promise<boolean> {
  const isPlain = stored.type === 'file' && live.isFile();
  if (stored.type === 'symlink' && live.isSymbolicLink()) return stored.mtimeNs === live.mtimeNs;
  if (!isPlain || BigInt(stored.size) !== live.size) return false;
  if (stored.mtimeNs === live.mtimeNs) return true;
  return await isStill(hasPieces(view.piecesOf(stored), readFileAt(spot)));
}

/** Compares two streams of bytes, whatever pieces they come in. Both are left before their end where they differ. */
export async function hasSameBytes(one: AsyncIterable<Uint8Array>, other: AsyncIterable<Uint8Array>): Promise<boolean> {
  await using left = new Pieces(one);
  await using right = new Pieces(other);
  for (;;) {
    const a = await left.peek();
    const b = await right.peek();
    if (a === null || b === null) return a === b;
    const length = Math.min(a.length, b.length);
    if (!a.subarray(0, length).equals(b.subarray(0, length))) return false;
    left.take(length);
    right.take(length);
  }
}

/** Whether a file is made of these pieces: it is read, and they are not. */
export async function hasPieces(
  pieces: readonly { readonly id: string; readonly bytes: number }[],
  file: AsyncIterable<Uint8Array>,
): Promise<boolean> {
  await using bytes = new Pieces(file);
  for (const { id, bytes: length } of pieces) {
    const hash = createHash('sha256');
    for (let left = length; left > 0;) {
      const next = await bytes.peek();
      if (next === null) return false;
      const taken = Math.min(left, next.length);
      hash.update(next.subarray(0, taken));
      bytes.take(taken);
      left -= taken;
    }
    if (hash.digest('hex') !== id) return false;
  }
  return (await bytes.peek()) === null;
}

/** False also of a file that is gone or something else by now: the site is served while it is looked at. */
export async function isStill(comparison: Promise<boolean>): Promise<boolean> {
  try {
    return await comparison;
  } catch (error) {
    if (error instanceof SalvorError && (error.code === 'not-a-file' || error.code === 'path-leads-out')) return false;
    throw error;
  }
}

class Pieces implements AsyncDisposable {
  readonly #iterator: AsyncIterator<Uint8Array>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#iterator = source[Symbol.asyncIterator]();
  }

  /** What is there to be compared; null at the end. */
  async peek(): Promise<Buffer | null> {
    while (this.#rest.length === 0) {
      const next = await this.#iterator.next();
      if (next.done === true) return null;
      this.#rest = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength);
    }
    return this.#rest;
  }

  take(length: number): void {
    this.#rest = this.#rest.subarray(length);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#iterator.return?.();
  }
}
