/**
 * Content-defined cuts as restic makes them: a chunk ends where the fingerprint of its last 64 bytes ends in 20 zero
 * bits, but not before 512 KiB and at the latest after 8 MiB. Cuts depend on nothing else, in particular not on how
 * the bytes were handed in.
 *
 *   for (;;) { read into space(); advance(n); while ((chunk = next(atEnd)) !== null) … }
 */
import { MAX_CHUNK_BYTES, MIN_CHUNK_BYTES } from '../limits.ts';
import { POLYNOMIAL_DEGREE, modulo } from './polynomial.ts';
import type { Polynomial } from './polynomial.ts';
import { DATA_START, MOD_TABLE_AT, rabinModule } from './rabin-wasm.ts';

/** Bytes that are read at once behind the chunk in work. */
const READ_BYTES = 1024 * 1024;
const PAGE_BYTES = 65_536;
const BUFFER_BYTES = MAX_CHUNK_BYTES + READ_BYTES;

let wasm: WebAssembly.Module | undefined;

const tablesOf = new Map<Polynomial, BigUint64Array>();

/** Both tables of a polynomial; they are linear, so 16 divisions give all 512 entries. */
function tables(polynomial: Polynomial): BigUint64Array {
  const known = tablesOf.get(polynomial);
  if (known !== undefined) return known;
  const made = new BigUint64Array(512);
  for (let bit = 0n; bit < 8n; bit++) {
    const value = 1n << bit;
    // A byte that leaves the window was pushed 63 bytes before the newest one.
    const out = modulo(value << 504n, polynomial);
    const mod = modulo(value << BigInt(POLYNOMIAL_DEGREE), polynomial) ^ (value << BigInt(POLYNOMIAL_DEGREE));
    const at = Number(value);
    for (let low = 0; low < at; low++) {
      made[at + low] = out ^ (made[low] ?? 0n);
      made[MOD_TABLE_AT / 8 + at + low] = mod ^ (made[MOD_TABLE_AT / 8 + low] ?? 0n);
    }
  }
  tablesOf.set(polynomial, made);
  return made;
}

/** Cuts one sequence of bytes at a time; `reset` begins the next one. Holds 9 MiB. */
export class Chunker {
  readonly #buffer: Buffer;
  readonly #scan: (from: number, to: number) => number;
  /** All positions count from DATA_START: the chunk in work is start..end, and start..scanned has no cut. */
  #start = 0;
  #end = 0;
  #scanned = 0;

  constructor(polynomial: Polynomial) {
    const memory = new WebAssembly.Memory({ initial: (DATA_START + BUFFER_BYTES) / PAGE_BYTES + 1 });
    new BigUint64Array(memory.buffer, 0, 512).set(tables(polynomial));
    wasm ??= rabinModule();
    const instance = new WebAssembly.Instance(wasm, { m: { m: memory } });
    this.#scan = instance.exports['scan'] as (from: number, to: number) => number;
    this.#buffer = Buffer.from(memory.buffer, DATA_START, BUFFER_BYTES);
  }

  reset(): void {
    this.#start = this.#end = this.#scanned = 0;
  }

  /** Where the next bytes are to be written; never empty after `next` returned null. */
  space(): Buffer {
    if (this.#start > 0) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#scanned -= this.#start;
      this.#start = 0;
    }
    return this.#buffer.subarray(this.#end, Math.min(this.#end + READ_BYTES, BUFFER_BYTES));
  }

  /** Says that `bytes` were written into `space()`. */
  advance(bytes: number): void {
    this.#end += bytes;
  }

  /**
   * The next chunk, or null where more bytes are needed. `atEnd`: no more will come, the rest is the last chunk.
   * The view is valid until the next call of `space`.
   */
  next(atEnd: boolean): Buffer | null {
    const have = this.#end - this.#start;
    const limit = Math.min(have, MAX_CHUNK_BYTES);
    if (limit >= MIN_CHUNK_BYTES) {
      const from = Math.max(this.#start + MIN_CHUNK_BYTES, this.#scanned);
      const cut = this.#scan(DATA_START + from, DATA_START + this.#start + limit);
      if (cut !== 0) return this.#take(cut - DATA_START);
      this.#scanned = this.#start + limit;
      if (limit === MAX_CHUNK_BYTES) return this.#take(this.#start + limit);
    }
    return atEnd && have > 0 ? this.#take(this.#end) : null;
  }

  #take(to: number): Buffer {
    const chunk = this.#buffer.subarray(this.#start, to);
    this.#start = this.#scanned = to;
    return chunk;
  }
}
