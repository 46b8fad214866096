/**
 * One zstd context for many frames. Node's synchronous calls make a context for each: 20 to 40 µs, which for the many
 * small files of a site is more than the work itself (a twelfth of a first backup, measured).
 *
 * This reaches below Node's documented face, to the handle that its own synchronous calls use. So a context is tried
 * before it is used, and where that fails (another Node) the documented calls do the work.
 */
import { constants, createZstdCompress, createZstdDecompress, zstdCompressSync, zstdDecompressSync } from 'node:zlib';

type Handle = {
  writeSync(
    flush: number,
    input: Uint8Array,
    inputAt: number,
    inputLength: number,
    output: Uint8Array,
    outputAt: number,
    outputLength: number,
  ): void;
  onerror: (message: string, errno: number, code: string) => void;
};

/** Runs one whole input through a context; null where the output did not fit or the input was not whole. */
type Transform = (input: Uint8Array, output: Uint8Array) => number | null;

/** Room that a frame may take beyond its plaintext. */
const OVERHEAD_BYTES = 1024;

function openTransform(stream: object, flush: number): Transform | null {
  const { _handle: handle, _writeState: state } = stream as { _handle?: Partial<Handle>; _writeState?: Uint32Array };
  if (typeof handle?.writeSync !== 'function' || state === undefined) return null;
  let isBroken = false;
  // Not an event target: the handle calls what stands there.
  const native = Object.assign(handle as Handle, {
    onerror: () => {
      isBroken = true;
    },
  });
  return (input, output) => {
    native.writeSync(flush, input, 0, input.length, output, 0, output.length);
    const [outputLeft = 0, inputLeft = 1] = state;
    return isBroken || inputLeft !== 0 || outputLeft === 0 ? null : output.length - outputLeft;
  };
}

const openCompressor = (level: number): Transform | null =>
  openTransform(createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: level } }), constants.ZSTD_e_end);

const openDecompressor = (): Transform | null => openTransform(createZstdDecompress(), constants.ZSTD_e_continue);

const SAMPLE = Buffer.from('a context is tried before it is used, and tried again. '.repeat(20));

/** Whether both contexts give back what went in, twice in a row. */
function isUsable(compress: Transform | null, decompress: Transform | null): boolean {
  if (compress === null || decompress === null) return false;
  for (let round = 0; round < 2; round++) {
    const frame = Buffer.alloc(SAMPLE.length + OVERHEAD_BYTES);
    const length = compress(SAMPLE, frame);
    if (length === null || !zstdDecompressSync(frame.subarray(0, length)).equals(SAMPLE)) return false;
    const plain = Buffer.alloc(SAMPLE.length + 1);
    if (decompress(frame.subarray(0, length), plain) !== SAMPLE.length || !plain.subarray(0, -1).equals(SAMPLE))
      return false;
  }
  return true;
}

/** Compresses and decompresses whole frames. One instance per thread. */
export class ReusedZstd {
  readonly #level: number;
  #compress: Transform | null;
  #decompress: Transform | null;
  #frame = Buffer.alloc(0);
  readonly #isReused: boolean;

  constructor(level: number) {
    this.#level = level;
    this.#compress = openCompressor(level);
    this.#decompress = openDecompressor();
    this.#isReused = isUsable(this.#compress, this.#decompress);
  }

  /** One frame, in a buffer that the next call writes over. */
  compress(plain: Uint8Array): Buffer {
    if (this.#isReused) {
      const room = plain.length + (plain.length >> 7) + OVERHEAD_BYTES;
      if (this.#frame.length < room) this.#frame = Buffer.allocUnsafeSlow(room);
      this.#compress ??= openCompressor(this.#level);
      const length = this.#compress?.(plain, this.#frame) ?? null;
      if (length !== null) return this.#frame.subarray(0, length);
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
      this.#decompress ??= openDecompressor();
      const length = this.#decompress?.(frame, target) ?? null;
      if (length !== null) return length;
      // What is left in the context would come out with the next frame.
      this.#decompress = null;
    }
    const plain = zstdDecompressSync(frame, { maxOutputLength: target.length });
    target.set(plain);
    return plain.length;
  }
}
