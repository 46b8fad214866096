/**
 * Reads an index file without making an object or a text of each blob: a repository of 5 million has 850 MB of this
 * JSON. Knows only the form that all writers use, members in Go's order and no spaces; `decodeIndex` reads the rest.
 */
import { ID_BYTES } from '../ids.ts';

/** Takes what is scanned. Before each call the scanner writes the id that it is about into `id`. */
export interface IndexSink {
  /** 32 bytes. */
  readonly id: Uint8Array;
  /** The blobs that follow lie in this pack. */
  readonly pack: () => void;
  /** `plainBytes` is 0 where the blob lies uncompressed. */
  readonly blob: (isTree: boolean, offset: number, length: number, plainBytes: number) => void;
}

const literal = (text: string): Uint8Array => Buffer.from(text, 'latin1');

const HEAD = literal('{"packs":[');
const PACK_ID = literal('{"id":"');
const BLOBS = literal('","blobs":[');
const BLOB_ID = literal('{"id":"');
const DATA = literal('","type":"data","offset":');
const TREE = literal('","type":"tree","offset":');
const LENGTH = literal(',"length":');
const PLAIN = literal(',"uncompressed_length":');

const COMMA = 0x2c;
const CLOSE_BRACKET = 0x5d;
const CLOSE_BRACE = 0x7d;
const ZERO = 0x30;
const MAX_U32 = 0xffff_ffff;
/** More would not be a u32. */
const MAX_DIGITS = 10;

/** Value of each hex digit as repositories write it, 255 for every other byte. */
const NIBBLES = new Uint8Array(256).fill(255);
for (const [value, digit] of literal('0123456789abcdef').entries()) NIBBLES[digit] = value;

/** False where the text has another form, or is no index: the sink has then been told a part of it. */
export function scanIndex(json: Uint8Array, sink: IndexSink): boolean {
  return new Scanner(json, sink).scan();
}

class Scanner {
  readonly #json: Uint8Array;
  readonly #sink: IndexSink;
  #at = 0;

  constructor(json: Uint8Array, sink: IndexSink) {
    this.#json = json;
    this.#sink = sink;
  }

  scan(): boolean {
    if (!this.#take(HEAD)) return false;
    if (!this.#takeList(() => this.#pack())) return false;
    return this.#takeByte(CLOSE_BRACE) && this.#isRestBlank();
  }

  #pack(): boolean {
    if (!this.#take(PACK_ID) || !this.#takeId() || !this.#take(BLOBS)) return false;
    this.#sink.pack();
    return this.#takeList(() => this.#blob()) && this.#takeByte(CLOSE_BRACE);
  }

  #blob(): boolean {
    if (!this.#take(BLOB_ID) || !this.#takeId()) return false;
    const isTree = this.#take(TREE);
    if (!isTree && !this.#take(DATA)) return false;
    const offset = this.#takeNumber();
    if (offset === -1 || !this.#take(LENGTH)) return false;
    const length = this.#takeNumber();
    const plainBytes = this.#take(PLAIN) ? this.#takeNumber() : 0;
    if (length === -1 || plainBytes === -1 || !this.#takeByte(CLOSE_BRACE)) return false;
    this.#sink.blob(isTree, offset, length, plainBytes);
    return true;
  }

  /** After the opening bracket: items with commas between them, and the closing bracket. */
  #takeList(takeItem: () => boolean): boolean {
    if (this.#takeByte(CLOSE_BRACKET)) return true;
    do if (!takeItem()) return false;
    while (this.#takeByte(COMMA));
    return this.#takeByte(CLOSE_BRACKET);
  }

  #take(wanted: Uint8Array): boolean {
    for (let i = 0; i < wanted.length; i++) if (this.#json[this.#at + i] !== wanted[i]) return false;
    this.#at += wanted.length;
    return true;
  }

  #takeByte(wanted: number): boolean {
    if (this.#json[this.#at] !== wanted) return false;
    this.#at++;
    return true;
  }

  #takeId(): boolean {
    const json = this.#json;
    const { id } = this.#sink;
    let at = this.#at;
    for (let i = 0; i < ID_BYTES; i++) {
      const high = NIBBLES[json[at++] ?? 0] ?? 255;
      const low = NIBBLES[json[at++] ?? 0] ?? 255;
      if ((high | low) === 255) return false;
      id[i] = (high << 4) | low;
    }
    this.#at = at;
    return true;
  }

  /** A whole number of 32 bits; −1 where there is none. */
  #takeNumber(): number {
    const from = this.#at;
    let value = 0;
    for (; this.#at - from <= MAX_DIGITS; this.#at++) {
      const digit = (this.#json[this.#at] ?? 0) - ZERO;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    const digits = this.#at - from;
    const hasLeadingZero = digits > 1 && this.#json[from] === ZERO;
    return digits === 0 || digits > MAX_DIGITS || hasLeadingZero || value > MAX_U32 ? -1 : value;
  }

  #isRestBlank(): boolean {
    for (; this.#at < this.#json.length; this.#at++) {
      if (this.#json[this.#at] !== 0x0a && this.#json[this.#at] !== 0x20) return false;
    }
    return true;
  }
}
