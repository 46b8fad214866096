/**
 * A file that is there already, at the same place of another directory, as a source of its own bytes: what of it is what
 * the snapshot says is taken from it, piece by piece, each after its hash was compared. Where the file system can, the
 * two then share their blocks; they never share an inode, so that a write to one is none to the other.
 *
 * What lies in that directory may be somebody else's and change meanwhile: nothing but a regular file is opened, no
 * link is followed, and what is taken is what was hashed.
 */
import { hash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { O_PATH, cloneFile, closeFd, openBeneath } from '../libc.ts';
import { systemPath } from '../tree/byte-path.ts';

export type FileToReuse = {
  /** Where it is to be, and where it may be: below the directory that is looked into. */
  readonly path: string;
  readonly relative: string;
  readonly content: readonly { readonly id: string; readonly bytes: number }[];
};

/** The pieces that have to be fetched, by number, and the bytes that need not be. */
export type ReusedFile = { readonly missing: readonly number[]; readonly bytes: number };

/** Read, so that what was written can be hashed where it lies. */
const TARGET = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const PRIVATE = 0o600;

/** Makes the file where a part of it is there. Throws what the system says of the new one, never of the old. */
export function reuseFile(existing: number, { path, relative, content }: FileToReuse, buffer: Buffer): ReusedFile {
  const size = content.reduce((sum, { bytes }) => sum + bytes, 0);
  const source = openExisting(existing, relative, size);
  if (source === null) return { missing: [...content.keys()], bytes: 0 };
  try {
    const target = openSync(systemPath(path), TARGET, PRIVATE);
    try {
      return takePieces(source, target, content, buffer);
    } finally {
      closeSync(target);
    }
  } finally {
    closeSync(source);
  }
}

function takePieces(source: number, target: number, content: FileToReuse['content'], buffer: Buffer): ReusedFile {
  // Then what is hashed is what lies in the target, and not what the other one may have become since.
  const isCloned = cloneFile(source, target);
  const missing: number[] = [];
  let taken = 0;
  let offset = 0;
  for (const [number, { id, bytes }] of content.entries()) {
    const piece = readPiece(
      isCloned ? target : source,
      bytes <= buffer.length ? buffer : Buffer.alloc(bytes),
      bytes,
      offset,
    );
    if (piece !== null && hash('sha256', piece, 'hex') === id) {
      if (!isCloned) writePiece(target, piece, offset);
      taken += bytes;
    } else {
      missing.push(number);
    }
    offset += bytes;
  }
  return { missing, bytes: taken };
}

/** Null where it is not a regular file of this size, or can't be read: then it is fetched. */
function openExisting(existing: number, relative: string, size: number): number | null {
  let held: number | null = null;
  try {
    held = openBeneath(existing, Buffer.from(relative, 'latin1'), O_PATH | constants.O_NOFOLLOW);
    // Looked at first: a device is not to be opened.
    const stat = fstatSync(held);
    if (!stat.isFile() || stat.size !== size) return null;
    return openSync(`/proc/self/fd/${held}`, constants.O_RDONLY);
  } catch {
    return null;
  } finally {
    if (held !== null) closeFd(held);
  }
}

function readPiece(fd: number, buffer: Buffer, bytes: number, offset: number): Buffer | null {
  try {
    for (let at = 0; at < bytes;) {
      const count = readSync(fd, buffer, at, bytes - at, offset + at);
      if (count === 0) return null;
      at += count;
    }
    return buffer.subarray(0, bytes);
  } catch {
    // A bad sector under the old file is no reason not to restore it.
    return null;
  }
}

function writePiece(fd: number, bytes: Buffer, offset: number): void {
  for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at, bytes.length - at, offset + at);
}
