/**
 * A zstd context that works synchronously, step by step: what lies below Node's streams and its calls for whole
 * buffers. This is not Node's documented face, so whoever uses it tries it first and has another way (`canStep`).
 */
import { constants, createZstdCompress, createZstdDecompress, zstdDecompressSync } from 'node:zlib';

type Native = {
  writeSync(
    flush: number,
    input: Uint8Array,
    inputAt: number,
    inputLength: number,
    output: Uint8Array,
    outputAt: number,
    outputLength: number,
  ): void;
  close(): void;
  onerror: (message: string, errno: number, code: string) => void;
};

export type ZstdStep = {
  /** Bytes written into the output. */
  readonly written: number;
  /** Bytes of the input that were not taken. */
  readonly inputLeft: number;
};

export class ZstdHandle implements Disposable {
  readonly #native: Native;
  readonly #state: Uint32Array;
  #isBroken = false;

  private constructor(native: Native, state: Uint32Array) {
    this.#native = native;
    this.#state = state;
    // Not an event target: the handle calls what stands there.
    Object.assign(native, {
      onerror: () => {
        this.#isBroken = true;
      },
    });
  }

  /** `plainBytes`: what will come in all, where it comes in pieces; the frame says it. Null on a Node without the handle. */
  static compressor(level: number, plainBytes?: number): ZstdHandle | null {
    const params = { [constants.ZSTD_c_compressionLevel]: level };
    return ZstdHandle.#of(
      createZstdCompress({ params, ...(plainBytes === undefined ? {} : { pledgedSrcSize: plainBytes }) }),
    );
  }

  static decompressor(): ZstdHandle | null {
    return ZstdHandle.#of(createZstdDecompress());
  }

  static #of(stream: object): ZstdHandle | null {
    const { _handle: native, _writeState: state } = stream as { _handle?: Partial<Native>; _writeState?: Uint32Array };
    if (typeof native?.writeSync !== 'function' || typeof native.close !== 'function' || state === undefined)
      return null;
    return new ZstdHandle(native as Native, state);
  }

  /** Takes as much of the input as the output has room for. Null where the bytes are damaged. */
  step(input: Uint8Array, inputAt: number, output: Uint8Array, isLast: boolean): ZstdStep | null {
    const flush = isLast ? constants.ZSTD_e_end : constants.ZSTD_e_continue;
    this.#native.writeSync(flush, input, inputAt, input.length - inputAt, output, 0, output.length);
    const [outputLeft = 0, inputLeft = 0] = this.#state;
    return this.#isBroken ? null : { written: output.length - outputLeft, inputLeft };
  }

  [Symbol.dispose](): void {
    this.#native.close();
  }
}

const SAMPLE = Buffer.from('a context is tried before it is used, and tried again. '.repeat(20));
let isTried: boolean | undefined;

/** Whether contexts of both kinds give back what went in, twice in a row. Tried once per thread. */
export function canStep(level: number): boolean {
  isTried ??= isUsable(ZstdHandle.compressor(level), ZstdHandle.decompressor());
  return isTried;
}

function isUsable(compress: ZstdHandle | null, decompress: ZstdHandle | null): boolean {
  if (compress === null || decompress === null) return false;
  for (let round = 0; round < 2; round++) {
    const frame = Buffer.alloc(SAMPLE.length * 2);
    const packed = compress.step(SAMPLE, 0, frame, true);
    if (packed === null || packed.inputLeft !== 0) return false;
    const bytes = frame.subarray(0, packed.written);
    if (!zstdDecompressSync(bytes).equals(SAMPLE)) return false;
    const plain = Buffer.alloc(SAMPLE.length + 1);
    const back = decompress.step(bytes, 0, plain, false);
    if (back?.written !== SAMPLE.length || !plain.subarray(0, -1).equals(SAMPLE)) return false;
  }
  return true;
}
