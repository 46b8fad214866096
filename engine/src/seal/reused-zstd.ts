/**
 * One zstd context for many frames. Node's synchronous calls make a context for each: 20 to 40 µs, which for the many
 * small files of a site is more than the work itself (a twelfth of a first backup, measured).
 */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { ZstdHandle, canStep } from './zstd-handle.ts';

/** Room that a frame may take beyond its plaintext. */
const OVERHEAD_BYTES = 1024;

/** Compresses and decompresses whole frames. One instance per thread. */
export class ReusedZstd {
  readonly #level: number;
  readonly #isReused: boolean;
  #compress: ZstdHandle | null = null;
  #decompress: ZstdHandle | null = null;
  #frame = Buffer.alloc(0);

  constructor(level: number) {
    this.#level = level;
    this.#isReused = canStep(level);
  }

  /** One frame, in a buffer that the next call writes over. */
  compress(plain: Uint8Array): Buffer {
    if (this.#isReused) {
      const room = plain.length + (plain.length >> 7) + OVERHEAD_BYTES;
      if (this.#frame.length < room) this.#frame = Buffer.allocUnsafeSlow(room);
      this.#compress ??= ZstdHandle.compressor(this.#level);
      const step = this.#compress?.step(plain, 0, this.#frame, true);
      if (step != null && step.inputLeft === 0 && step.written < this.#frame.length)
        return this.#frame.subarray(0, step.written);
      this.#compress = null;
    }
    return zstdCompressSync(plain, { params: { [constants.ZSTD_c_compressionLevel]: this.#level } });
  }

  /**
   * Writes the plaintext of one frame into `target`, which must have one byte more than is expected; its length.
   * @throws Error where the frame is damaged, cut off, or holds more than fits.
   */
  decompressInto(frame: Uint8Array, target: Uint8Array): number {
    if (this.#isReused) {
      this.#decompress ??= ZstdHandle.decompressor();
      const step = this.#decompress?.step(frame, 0, target, false);
      if (step != null && step.inputLeft === 0 && step.written < target.length) return step.written;
      // What is left in the context would come out with the next frame.
      this.#decompress = null;
    }
    const plain = zstdDecompressSync(frame, { maxOutputLength: target.length });
    target.set(plain);
    return plain.length;
  }
}
