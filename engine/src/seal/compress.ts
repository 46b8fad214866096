/** Zstandard frames of one blob, in one call: the engine's workers do the whole chain synchronously. */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';

/** Level 3 is restic's "auto". */
const LEVEL = 3;
const OUTPUT_STEP_BYTES = 64 * 1024;

/** One zstd frame. */
export function compress(plain: Uint8Array): Buffer {
  return zstdCompressSync(plain, {
    // The default output piece of 64 KiB halves the speed of large blobs (measured): room for the worst case at once.
    chunkSize: Math.max(OUTPUT_STEP_BYTES, plain.length + (plain.length >> 8) + 64),
    params: { [constants.ZSTD_c_compressionLevel]: LEVEL },
  });
}

/**
 * The plaintext of one frame.
 * @param maxBytes larger output is an error: a bomb, or damage.
 * @throws Error where the frame is damaged or too large.
 */
export function decompress(frame: Uint8Array, maxBytes: number): Buffer {
  return zstdDecompressSync(frame, {
    chunkSize: Math.max(1024, Math.min(maxBytes + 1, 16 * 1024 * 1024)),
    maxOutputLength: Math.max(1, maxBytes),
  });
}
