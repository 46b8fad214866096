/**
 * Reads a value that PHP's `serialize()` wrote, as data: scalars, texts and arrays. Objects are refused, as nothing that we
 * ask of a database is one. Bounded: a tenant decides what stands in there.
 */

export type SerialisedValue = string | number | boolean | null | SerialisedMap;
/** Keys as texts, also those that were numbers. */
export type SerialisedMap = ReadonlyMap<string, SerialisedValue>;

const MAX_DEPTH = 50;
const MAX_VALUES = 200_000;

/** Undefined where the bytes are not one whole value of these kinds. Texts come as UTF-8. */
export function unserialisePhp(bytes: Uint8Array): SerialisedValue | undefined {
  const reader = new Reader(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  const value = reader.value(0);
  return reader.isAtEnd ? value : undefined;
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;
  #values = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  value(depth: number): SerialisedValue | undefined {
    if (depth > MAX_DEPTH || ++this.#values > MAX_VALUES) return undefined;
    if (this.#match(/^N;/) !== null) return null;
    const flag = this.#match(/^b:([01]);/);
    if (flag !== null) return flag === '1';
    const number = this.#match(/^[id]:(-?[0-9.]{1,25}(?:[eE][-+]?\d{1,3})?);/);
    if (number !== null) return Number(number);
    const length = this.#match(/^s:(\d{1,10}):"/);
    if (length !== null) return this.#text(Number(length));
    const count = this.#match(/^a:(\d{1,7}):\{/);
    return count === null ? undefined : this.#array(Number(count), depth);
  }

  #text(length: number): string | undefined {
    const text = this.#bytes.toString('utf8', this.#at, this.#at + length);
    if (this.#at + length > this.#bytes.length) return undefined;
    this.#at += length;
    return this.#match(/^";/) === null ? undefined : text;
  }

  #array(count: number, depth: number): SerialisedMap | undefined {
    const map = new Map<string, SerialisedValue>();
    for (let n = 0; n < count; n++) {
      const key = this.value(depth + 1);
      if (typeof key !== 'string' && typeof key !== 'number') return undefined;
      const value = this.value(depth + 1);
      if (value === undefined) return undefined;
      map.set(String(key), value);
    }
    return this.#match(/^\}/) === null ? undefined : map;
  }

  /** The first group, or the whole where there is none. */
  #match(pattern: RegExp): string | null {
    const found = pattern.exec(this.#bytes.toString('latin1', this.#at, this.#at + 48));
    if (found === null) return null;
    this.#at += found[0].length;
    return found[1] ?? found[0];
  }
}
