/**
 * AES-256 in counter mode, from one buffer into another; sealing and opening are the same. Node's ciphers give each
 * result in a buffer of its own: what makes and collects those, and copies out of them, is several times the work of the
 * cipher for the blobs of small files (8 KB: 13.5 µs against 1.8), and a good part of the memory. So OpenSSL is called
 * directly where the running Node shows it (its own one, statically linked, or the system's), after it was compared
 * with Node's cipher; elsewhere Node's cipher does the work.
 */
import { createCipheriv, createSecretKey, randomBytes } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import koffi from 'koffi';

const CIPHER = 'aes-256-ctr';
/** Of what Node's cipher gives at once: large buffers that wait for the collector were a third of the memory. */
const PIECE_BYTES = 64 * 1024;
const SAMPLE_BYTES = [1, 16, 1000, 70_001];

/** Writes `input`, sealed or opened, into `output`, which must have its length and must not overlap it. */
type Run = (key: Uint8Array, nonce: Uint8Array, input: Uint8Array, output: Uint8Array) => void;

let native: Run | null | undefined;

/** One per thread and key. */
export class AesCtr {
  readonly #key: Uint8Array;
  readonly #run: Run | null;
  /** A KeyObject spares 13 µs a call against raw key bytes (measured). */
  readonly #nodeKey: KeyObject | null;

  /** `isNative` false: Node's cipher, as where there is no other. */
  constructor(key: Uint8Array, { isNative = true }: { readonly isNative?: boolean } = {}) {
    if (key.length !== 32) throw new RangeError('key has wrong size');
    this.#key = key;
    this.#run = isNative ? (native ??= tried(bind())) : null;
    this.#nodeKey = this.#run === null ? createSecretKey(key) : null;
  }

  /** Whether OpenSSL is called directly. */
  get isNative(): boolean {
    return this.#run !== null;
  }

  /** Writes `input`, sealed or opened, into `output`, which has the same length and does not overlap it. */
  run(nonce: Uint8Array, input: Uint8Array, output: Uint8Array): void {
    // What is called through a pointer does not look where the buffer ends.
    if (nonce.length !== 16 || output.length !== input.length) throw new RangeError('buffers do not fit together');
    if (this.#run !== null) this.#run(this.#key, nonce, input, output);
    else runInNode(this.#nodeKey ?? this.#key, nonce, input, output);
  }
}

function runInNode(key: KeyObject | Uint8Array, nonce: Uint8Array, input: Uint8Array, output: Uint8Array): void {
  const cipher = createCipheriv(CIPHER, key, nonce);
  for (let done = 0; done < input.length; done += PIECE_BYTES)
    output.set(cipher.update(input.subarray(done, done + PIECE_BYTES)), done);
}

/** OpenSSL's calls (EVP_EncryptInit(3)), whose form is the same since its version 3; null where Node does not show them. */
function bind(): Run | null {
  try {
    const lib = koffi.load(null);
    const fetchCipher = lib.func('void *EVP_CIPHER_fetch(void *, const char *, const char *)');
    const makeContext = lib.func('void *EVP_CIPHER_CTX_new()');
    const freeContext = lib.func('void EVP_CIPHER_CTX_free(void *)');
    const begin = lib.func('int EVP_EncryptInit_ex(void *, void *, void *, const uint8_t *, const uint8_t *)');
    const update = lib.func('int EVP_EncryptUpdate(void *, uint8_t *, int *, const uint8_t *, int)');
    const cipher: unknown = fetchCipher(null, CIPHER, null);
    if (cipher === null) return null;
    const written = new Int32Array(1);
    return (key, nonce, input, output) => {
      // A context for each call: a thread may end at any time and would leave its own, with the key, behind.
      const context: unknown = makeContext();
      try {
        const isDone =
          begin(context, cipher, null, key, nonce) === 1 &&
          update(context, output, written, input, input.length) === 1 &&
          written[0] === input.length;
        if (!isDone) throw new Error('OpenSSL did not encrypt');
      } finally {
        freeContext(context);
      }
    };
  } catch {
    return null;
  }
}

/** Null where it does not give what Node's cipher gives. */
function tried(run: Run | null): Run | null {
  if (run === null) return null;
  for (const length of SAMPLE_BYTES) {
    const [key, nonce, input] = [randomBytes(32), randomBytes(16), randomBytes(length)];
    const [ours, nodes] = [Buffer.alloc(length), Buffer.alloc(length)];
    try {
      run(key, nonce, input, ours);
    } catch {
      return null;
    }
    runInNode(key, nonce, input, nodes);
    if (!ours.equals(nodes)) return null;
  }
  return run;
}
