import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { SalvorError } from '../../errors.ts';
import { type Held, openPlace, toHeld } from './held.ts';
import { type Spot, openSpot } from './spot.ts';

export type OpenFile = Held;

/**
 * Opens a regular file for reading: what is opened is what was looked at, so that no pipe is waited for and no device
 * touched. Null where nothing is. Throws `path-leads-out` where it is a link, `not-a-file` where it is no file either.
 */
export function openFileAt(spot: Spot): OpenFile | null {
  const held = openPlace(spot);
  if (held === null) return null;
  try {
    const stat = fstatSync(held, { bigint: true });
    if (stat.isSymbolicLink()) throw new SalvorError('path-leads-out', { path: spot.path, what: 'a symbolic link' });
    if (!stat.isFile()) throw new SalvorError('not-a-file', { path: spot.path });
    return toHeld(spot, openSync(`/proc/self/fd/${held}`, constants.O_RDONLY), stat);
  } finally {
    closeSync(held);
  }
}

const PIECE_BYTES = 256 * 1024;

/** A file's bytes, in pieces that are the reader's own. What it grows by meanwhile is read too. */
export function* readPieces(file: Pick<OpenFile, 'fd'>): Generator<Buffer> {
  for (;;) {
    const piece = Buffer.allocUnsafe(PIECE_BYTES);
    const count = readSync(file.fd, piece, 0, piece.length, null);
    if (count === 0) return;
    yield piece.subarray(0, count);
  }
}

/**
 * The bytes of the file at `path` below `root`; with `` as the path, of `root` itself. Nothing on the way is followed.
 * Throws as `openFileAt`, and where nothing is.
 */
export async function* readFileBeneath(root: string, path: string): AsyncGenerator<Buffer> {
  using spot = path === '' ? openSpot(dirname(root), root) : openSpot(root, join(root, path));
  yield* readFileAt(spot);
}

/** The bytes of the file at a spot, which stays open as long. Throws as `openFileAt`, and where nothing is. */
export async function* readFileAt(spot: Spot): AsyncGenerator<Buffer> {
  using file = openFileAt(spot);
  if (file === null) throw new SalvorError('not-a-file', { path: spot.path });
  yield* readPieces(file);
}
