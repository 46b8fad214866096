/** Zstandard frames too large to be held whole beside their plaintext: the listings of huge directories. */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { ZSTD_LEVEL } from './compress.ts';
import { ZstdHandle, canStep } from './zstd-handle.ts';

const PIECE_BYTES = 1024 * 1024;

/**
 * The plaintext of a frame in pieces, each valid until the next is asked for.
 * @throws Error where the frame is damaged or holds more than `maxBytes`; a frame that is cut off ends too early.
 */
export function* decompressPieces(frame: Uint8Array, maxBytes: number): Generator<Buffer> {
  using handle = canStep(ZSTD_LEVEL) ? ZstdHandle.decompressor() : null;
  if (handle === null) {
    yield zstdDecompressSync(frame, { maxOutputLength: maxBytes });
    return;
  }
  const piece = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, maxBytes + 1));
  let total = 0;
  for (let at = 0; ;) {
    const step = handle.step(frame, at, piece, false);
    if (step === null) throw new RangeError('the frame is damaged');
    at = frame.length - step.inputLeft;
    total += step.written;
    if (total > maxBytes) throw new RangeError(`the frame holds more than ${maxBytes} bytes`);
    if (step.written > 0) yield piece.subarray(0, step.written);
    if (step.inputLeft === 0 && step.written < piece.length) return;
  }
}

/** One frame of all pieces, `plainBytes` in all, in buffers of its own. */
export function compressPieces(pieces: Iterable<Uint8Array>, plainBytes: number): Buffer {
  using handle = canStep(ZSTD_LEVEL) ? ZstdHandle.compressor(ZSTD_LEVEL, plainBytes) : null;
  if (handle === null) {
    const params = { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL };
    return zstdCompressSync(Buffer.concat([...pieces], plainBytes), { params });
  }
  const out: Buffer[] = [];
  const piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
  const run = (input: Uint8Array, isLast: boolean): void => {
    for (let at = 0; ;) {
      const step = handle.step(input, at, piece, isLast);
      if (step === null) throw new Error('zstd did not compress');
      at = input.length - step.inputLeft;
      if (step.written > 0) out.push(Buffer.from(piece.subarray(0, step.written)));
      if (step.inputLeft === 0 && step.written < piece.length) return;
    }
  };
  for (const input of pieces) run(input, false);
  run(new Uint8Array(0), true);
  return Buffer.concat(out);
}
