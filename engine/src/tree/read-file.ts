/** Reads one file, cuts it, and stores its pieces: the second half of backing it up. Runs in a worker. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import type { Chunker } from '../chunk/chunker.ts';
import { reasonOf, systemCode } from '../errors.ts';
import type { Problem } from '../errors.ts';
import { encodeContent, encodeNodeHead } from '../format/tree-node.ts';
import { displayPath, systemPath } from './byte-path.ts';
import { readNode } from './read-node.ts';

/** `node` is null where the file is gone or could not be read; the latter has a problem. */
export type ReadFile = { readonly node: string | null; readonly bytes: number; readonly problem: Problem | null };

/** Not blocked by a fifo that took the file's place, nor led elsewhere by a link. */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;

/** Stores a file's content through `store` and gives its node. Failures of `store` are thrown; those of the file are problems. */
export function readFile(name: string, path: string, chunker: Chunker, store: (chunk: Buffer) => string): ReadFile {
  let fd: number;
  try {
    fd = openSync(systemPath(path), OPEN_FLAGS);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return { node: null, bytes: 0, problem: null };
    return failed(path, reasonOf(error));
  }
  try {
    const stats = fstatSync(fd, { bigint: true });
    if (!stats.isFile()) return failed(path, 'was replaced by something that is not a file while it was backed up');
    const content: string[] = [];
    const read = readPieces(fd, chunker, (chunk) => content.push(store(chunk)));
    if (read.error !== null) return failed(path, read.error);
    // What was read counts, not what was announced: a file may grow or shrink meanwhile.
    const node = { ...readNode(name, path, stats), size: BigInt(read.bytes) };
    return { node: encodeNodeHead(node) + encodeContent(content), bytes: read.bytes, problem: null };
  } finally {
    closeSync(fd);
  }
}

function readPieces(
  fd: number,
  chunker: Chunker,
  take: (chunk: Buffer) => void,
): { bytes: number; error: string | null } {
  chunker.reset();
  let bytes = 0;
  for (;;) {
    const space = chunker.space();
    let count: number;
    try {
      count = readSync(fd, space, 0, space.length, null);
    } catch (error) {
      return { bytes, error: reasonOf(error) };
    }
    chunker.advance(count);
    bytes += count;
    for (let chunk = chunker.next(count === 0); chunk !== null; chunk = chunker.next(count === 0)) take(chunk);
    if (count === 0) return { bytes, error: null };
  }
}

const failed = (path: string, message: string): ReadFile => ({
  node: null,
  bytes: 0,
  problem: { code: 'unreadable', path: displayPath(path), message },
});
