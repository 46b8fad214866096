/** Zstandard frames of blobs and small files, in one call: the engine's threads work synchronously. */
import { zstdDecompressSync } from 'node:zlib';
import { ReusedZstd } from './reused-zstd.ts';

/** Level 3 is restic's "auto". */
export const ZSTD_LEVEL = 3;
const FRAME_MAGIC = 0xfd2f_b528;
/** Node's output grows in pieces; larger ones than this are memory for nothing. */
const MAX_PIECE_BYTES = 1024 * 1024;

let zstd: ReusedZstd | undefined;
const ofThisThread = (): ReusedZstd => (zstd ??= new ReusedZstd(ZSTD_LEVEL));

/** One zstd frame, in a buffer that the next call writes over. */
export function compress(plain: Uint8Array): Buffer {
  return ofThisThread().compress(plain);
}

/**
 * The plaintext of a frame of unknown content, in a buffer of its own.
 * @param maxBytes larger output is an error: a bomb, or damage.
 * @throws Error where the frame is damaged or its content too large.
 */
export function decompress(frame: Uint8Array, maxBytes: number): Buffer {
  return zstdDecompressSync(frame, {
    chunkSize: Math.max(1024, Math.min(maxBytes + 1, MAX_PIECE_BYTES)),
    maxOutputLength: Math.max(1, maxBytes),
  });
}

/**
 * How many bytes a frame says that it holds; null where it does not say, or is none (RFC 8878, section 3.1.1.1).
 */
export function contentBytesOf(frame: Uint8Array): number | null {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (frame.length < 18 || view.getUint32(0, true) !== FRAME_MAGIC) return null;
  const descriptor = frame[4] ?? 0;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  // Behind the descriptor: a window where the content is not one segment, a dictionary's id, the content's size.
  const at = 5 + (isSingleSegment ? 0 : 1) + ([0, 1, 2, 4][descriptor & 3] ?? 0);
  switch (descriptor >> 6) {
    case 0:
      return isSingleSegment ? (frame[at] ?? 0) : null;
    case 1:
      return view.getUint16(at, true) + 256;
    case 2:
      return view.getUint32(at, true);
    default:
      return Number(view.getBigUint64(at, true));
  }
}

/**
 * The plaintext of a frame whose content has exactly `bytes`, in a buffer of its own.
 * @throws Error where it is damaged or has another length.
 */
export function decompressExactly(frame: Uint8Array, bytes: number): Buffer {
  const target = Buffer.allocUnsafe(bytes + 1);
  if (ofThisThread().decompressInto(frame, target) !== bytes)
    throw new RangeError(`the frame does not hold ${bytes} bytes`);
  return target.subarray(0, bytes);
}

let scratch = Buffer.alloc(0);

/** The same, in a buffer that the next call writes over: for looking only. */
export function decompressForLook(frame: Uint8Array, bytes: number): Buffer {
  if (scratch.length < bytes + 1) scratch = Buffer.allocUnsafeSlow(bytes + 1);
  const target = scratch.subarray(0, bytes + 1);
  if (ofThisThread().decompressInto(frame, target) !== bytes)
    throw new RangeError(`the frame does not hold ${bytes} bytes`);
  return target.subarray(0, bytes);
}
