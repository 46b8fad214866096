/**
 * Goes through a long JSON text value by value without holding it: bytes come in pieces, and no more of them is kept
 * than the value in work needs. What a value is made of is for `JSON.parse` to judge.
 */
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;

/** At the end of the text. */
const END = -1;

const isSpace = (byte: number): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

export class JsonCursor {
  readonly #pieces: Iterator<Uint8Array>;
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;

  constructor(pieces: Iterable<Uint8Array>) {
    this.#pieces = pieces[Symbol.iterator]();
  }

  /** Whether the next character that is no space is this one; it is passed over then. */
  takes(character: string): boolean {
    if (this.#peek() !== character.charCodeAt(0)) return false;
    this.#at += 1;
    return true;
  }

  isAt(character: string): boolean {
    return this.#peek() === character.charCodeAt(0);
  }

  /** @throws RangeError where another character comes next. */
  take(character: string): void {
    if (!this.takes(character)) throw new RangeError(`it has no "${character}" where one belongs`);
  }

  get isAtEnd(): boolean {
    return this.#peek() === END;
  }

  /** The bytes of the next value, as a view that the next call may write over. @throws RangeError where none comes. */
  value(): Buffer {
    const first = this.#peek();
    const end =
      first === QUOTE || first === OPEN_BRACE || first === OPEN_BRACKET ? this.#endOfNested() : this.#endOfWord();
    if (end === this.#at) throw new RangeError('it has no value where one belongs');
    const value = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return value;
  }

  /** The items of a list as bytes, one after another. @throws RangeError where the next value is no list. */
  *items(): Generator<Buffer> {
    this.take('[');
    if (this.takes(']')) return;
    do yield this.value();
    while (this.takes(','));
    this.take(']');
  }

  #peek(): number {
    for (;;) {
      for (; this.#at < this.#bytes.length; this.#at++) {
        const byte = this.#bytes[this.#at] ?? END;
        if (!isSpace(byte)) return byte;
      }
      if (!this.#more()) return END;
    }
  }

  /** Where the string, list or object ends that begins here. */
  #endOfNested(): number {
    let bytes = this.#bytes;
    let at = this.#at;
    let depth = 0;
    let isText = false;
    for (;;) {
      for (; at < bytes.length; at++) {
        const byte = bytes[at];
        if (isText) {
          if (byte === BACKSLASH) at++;
          else if (byte === QUOTE) {
            isText = false;
            if (depth === 0) return at + 1;
          }
        } else if (byte === QUOTE) isText = true;
        else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++;
        else if ((byte === CLOSE_BRACE || byte === CLOSE_BRACKET) && --depth === 0) return at + 1;
      }
      at -= this.#at;
      if (!this.#more()) throw new RangeError('it is cut off');
      bytes = this.#bytes;
    }
  }

  #endOfWord(): number {
    for (let length = 0; ; length++) {
      if (this.#at + length >= this.#bytes.length && !this.#more()) return this.#bytes.length;
      const byte = this.#bytes[this.#at + length] ?? COMMA;
      if (byte === COMMA || byte === CLOSE_BRACE || byte === CLOSE_BRACKET || isSpace(byte)) return this.#at + length;
    }
  }

  /** Puts the next piece behind what is not done with, which then begins the buffer. */
  #more(): boolean {
    // Copied before the next piece is asked for, which may be written over this one.
    const rest = Buffer.from(this.#bytes.subarray(this.#at));
    const { done, value } = this.#pieces.next();
    if (done === true) return false;
    const piece = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    this.#bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
    this.#at = 0;
    return true;
  }
}
