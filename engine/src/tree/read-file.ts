/** Reads one file, cuts it, and stores its pieces: the second half of backing it up. Runs in a worker. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import type { Chunker } from '../chunk/chunker.ts';
import { reasonOf, systemCode } from '../errors.ts';
import type { Problem } from '../errors.ts';
import { encodeContent, encodeNodeHead } from '../format/tree-node.ts';
import { displayPath, joinBytes } from './byte-path.ts';
import { readNode } from './read-node.ts';
import { isForeignLink, isNoDirectory } from './working-directory.ts';
import type { DirectoryPlace, WorkingDirectory } from './working-directory.ts';

/** A file to read: its name in a directory, and the name of its node where that is another one. */
export type FilePlace = { readonly place: DirectoryPlace; readonly name: string; readonly nodeName?: string };

/** `node` is null where the file is gone or could not be read; the latter has a problem. */
export type ReadFile = { readonly node: string | null; readonly bytes: number; readonly problem: Problem | null };

const GONE: ReadFile = { node: null, bytes: 0, problem: null };

/** Not blocked by a fifo that took the file's place, nor led elsewhere by a link. */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;

/** Stores a file's content through `store` and gives its node. Failures of `store` are thrown; those of the file are problems. */
export function readFile(
  directory: WorkingDirectory,
  file: FilePlace,
  chunker: Chunker,
  store: (chunk: Buffer) => string,
): ReadFile {
  const { place, name, nodeName = name } = file;
  const failed = (code: string, message: string): ReadFile => {
    const path = displayPath(joinBytes(place.path, name));
    return { node: null, bytes: 0, problem: { code, path, message } };
  };
  let fd: number;
  try {
    directory.enter(place);
    fd = openSync(directory.reach(name), OPEN_FLAGS);
  } catch (error) {
    if (isNoDirectory(error))
      return failed('replaced', 'was replaced, or a directory above it, while it was backed up');
    if (systemCode(error) !== 'ENOENT') return failed('unreadable', reasonOf(error));
    // Removed since it was listed, unless all of what was listed went away.
    return directory.isReplaced(place) ? failed('replaced', 'went with its directory, which was replaced') : GONE;
  }
  try {
    const stats = fstatSync(fd, { bigint: true });
    if (isForeignLink(stats, place))
      return failed('foreign-link', `is another name of a file of user ${stats.uid}, and was left out`);
    if (!stats.isFile()) return failed('replaced', 'was replaced by something that is not a file');
    const content: string[] = [];
    const read = readPieces(fd, chunker, (chunk) => content.push(store(chunk)));
    if (read.error !== null) return failed('unreadable', read.error);
    // What was read counts, not what was announced: a file may grow or shrink meanwhile.
    const node = { ...readNode(nodeName, fd, stats, place.saidDevice), size: BigInt(read.bytes) };
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
