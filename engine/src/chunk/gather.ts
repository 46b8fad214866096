/**
 * Puts what a stream yields into pieces of their own buffers, which change hands with the message that carries them.
 * One piece is filled to its end and cut by whoever gets it; blobs that the stream has cut itself stay whole.
 */
import { STREAM_PIECE_BYTES } from '../limits.ts';

/** All bytes in order, in pieces of one size; the last is shorter. */
export async function* fillPieces(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let piece = new Uint8Array(STREAM_PIECE_BYTES);
  let filled = 0;
  for await (const bytes of source) {
    for (let at = 0; at < bytes.length;) {
      const part = bytes.subarray(at, at + piece.length - filled);
      piece.set(part, filled);
      filled += part.length;
      at += part.length;
      if (filled < piece.length) continue;
      yield piece;
      piece = new Uint8Array(STREAM_PIECE_BYTES);
      filled = 0;
    }
  }
  if (filled > 0) yield piece.slice(0, filled);
}

/** Blobs one behind the other, and where each ends. */
export type GatheredBlobs = { readonly bytes: Uint8Array<ArrayBuffer>; readonly ends: readonly number[] };

/** Each array of the stream as one blob, an empty one as none, one that is larger than a piece as several. */
export async function* gatherBlobs(source: AsyncIterable<Uint8Array>): AsyncGenerator<GatheredBlobs> {
  let piece = new Uint8Array(STREAM_PIECE_BYTES);
  let ends: number[] = [];
  let filled = 0;
  for await (const bytes of source) {
    for (let at = 0; at < bytes.length; at += STREAM_PIECE_BYTES) {
      const blob = bytes.subarray(at, at + STREAM_PIECE_BYTES);
      if (filled + blob.length > piece.length) {
        yield { bytes: piece.subarray(0, filled), ends };
        piece = new Uint8Array(STREAM_PIECE_BYTES);
        ends = [];
        filled = 0;
      }
      piece.set(blob, filled);
      filled += blob.length;
      ends.push(filled);
    }
  }
  if (filled > 0) yield { bytes: piece.slice(0, filled), ends };
}
