/**
 * Where in a dumped row its key stands, and a number made of it: what decides where tables are cut, so that only a
 * change of keys moves a cut.
 */

export type KeyColumns = {
  /** As the table has them, in order: what a row's values are where the INSERT names no columns. */
  readonly columns: readonly string[];
  /** Of the primary key; empty where there is none. */
  readonly key: readonly string[];
};

const QUOTE = 0x27;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const CLOSE = 0x29;

/** Rows without a key are told apart by this much of them: enough for neighbours to differ. */
const MAX_HASHED_BYTES = 1024;

const FNV_START = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

export class RowKey {
  /** Whether the value at a place belongs to the key, up to the last that does; empty: the whole row is the key. */
  readonly #isKey: readonly boolean[];

  constructor({ columns, key }: KeyColumns, prefix: Buffer) {
    const inRow = readColumnList(prefix) ?? columns;
    const places = key.map((name) => inRow.indexOf(name));
    const last = places.includes(-1) ? -1 : Math.max(-1, ...places);
    this.#isKey = Array.from({ length: last + 1 }, (_, place) => places.includes(place));
  }

  /** 32 bits of a row that begins at `start` with `(` and whose last byte is before `end`; equal for equal keys. */
  hash(bytes: Uint8Array, start: number, end: number): number {
    return this.#isKey.length === 0 ? mix(hashBytes(bytes, start, end)) : mix(this.#hashKey(bytes, start + 1, end));
  }

  #hashKey(bytes: Uint8Array, start: number, end: number): number {
    let hash = FNV_START;
    let at = start;
    for (const isKey of this.#isKey) {
      for (let isQuoted = false; at < end; at += 1) {
        const byte = bytes[at] as number;
        if (isQuoted && byte === BACKSLASH) {
          if (isKey) hash = Math.imul(hash ^ byte, FNV_PRIME);
          at += 1;
        } else if (byte === QUOTE) isQuoted = !isQuoted;
        else if (!isQuoted && (byte === COMMA || byte === CLOSE)) break;
        if (isKey) hash = Math.imul(hash ^ (bytes[at] as number), FNV_PRIME);
      }
      // The comma too: ('a','bc') and ('ab','c') differ.
      if (isKey) hash = Math.imul(hash ^ COMMA, FNV_PRIME);
      at += 1;
    }
    return hash;
  }
}

function hashBytes(bytes: Uint8Array, start: number, end: number): number {
  let hash = FNV_START ^ (end - start);
  const last = Math.min(end, start + MAX_HASHED_BYTES);
  for (let at = start; at < last; at += 1) hash = Math.imul(hash ^ (bytes[at] as number), FNV_PRIME);
  return hash;
}

/** Spreads every bit of a hash over all others (the finish of MurmurHash3), as numbers that count up have few. */
function mix(hash: number): number {
  let mixed = hash;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** The names in ``INSERT INTO `t` (`a`, `b`) VALUES``; null where there are none. */
export function readColumnList(prefix: Buffer): readonly string[] | null {
  const names = [...prefix.toString('utf8').matchAll(/`((?:[^`]|``)*)`/g)].map(([, name]) =>
    (name ?? '').replaceAll('``', '`'),
  );
  return names.length > 1 ? names.slice(1) : null;
}
