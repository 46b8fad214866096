/**
 * Changes texts inside a value that PHP's `serialize()` wrote, and the lengths with them. Reads the format that the PHP
 * manual's page on `serialize` and the engine's own scanner describe: every text has its length in bytes before it, so
 * that replacing letters alone destroys the value. Pure; nothing is evaluated and no class is known.
 */

/** Deeper than any real value; a hostile one may not take the stack. */
const MAX_DEPTH = 200;

const OPEN = 0x7b;
const CLOSE = 0x7d;
const QUOTE = 0x22;
const COLON = 0x3a;
const SEMICOLON = 0x3b;
/** `i:1;` `d:0.5;` `b:1;` `r:3;` `R:3;`: one line of digits and letters. */
const SCALAR = /^[idbrR]:[-+0-9.A-Za-z]{1,40};/;

/**
 * The value with every text replaced by what `rewrite` makes of it, keys of arrays among them; names of classes and of
 * properties stay. Null where `value` is not one whole serialised value: then nothing is known of it.
 */
export function rewriteSerialised(value: Buffer, rewrite: (text: Buffer) => Buffer): Buffer | null {
  const scan = new Scan(value, rewrite);
  return scan.value(0) && scan.isAtEnd ? Buffer.concat(scan.out) : null;
}

/** Whether the bytes begin as a serialised array, object or text: what then does not parse is damaged. */
export function looksSerialised(value: Buffer): boolean {
  return /^(?:a:\d+:\{|s:\d+:"|O:\d+:")/.test(value.toString('latin1', 0, 40));
}

class Scan {
  readonly out: Buffer[] = [];
  readonly #bytes: Buffer;
  readonly #rewrite: (text: Buffer) => Buffer;
  #at = 0;

  constructor(bytes: Buffer, rewrite: (text: Buffer) => Buffer) {
    this.#bytes = bytes;
    this.#rewrite = rewrite;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** One value of any kind; false where there is none. */
  value(depth: number): boolean {
    if (depth > MAX_DEPTH) return false;
    switch (this.#letter(0)) {
      case 's':
        return this.#text(this.#rewrite);
      case 'a':
        return this.#array(depth);
      case 'O':
        return this.#object(depth);
      case 'N':
        return this.#letter(1) === ';' && this.#take(2);
      case 'E':
        return this.#name('E') && this.#expect(SEMICOLON);
      case 'C':
        return this.#custom();
      default:
        return this.#scalar();
    }
  }

  /** `a:2:{key value key value}` */
  #array(depth: number): boolean {
    const count = this.#count('a');
    if (count === null || !this.#expect(OPEN)) return false;
    return this.#members(count, depth, this.#rewrite) && this.#expect(CLOSE);
  }

  /** `O:3:"Foo":1:{name value}` */
  #object(depth: number): boolean {
    if (!this.#name('O') || !this.#expect(COLON)) return false;
    const count = this.#digits();
    if (count === null || !this.#expect(COLON) || !this.#expect(OPEN)) return false;
    return this.#members(count, depth, (name) => name) && this.#expect(CLOSE);
  }

  #members(count: number, depth: number, rewriteKey: (text: Buffer) => Buffer): boolean {
    for (let n = 0; n < count; n++) {
      const isKey = this.#letter(0) === 's' ? this.#text(rewriteKey) : this.#letter(0) === 'i' && this.#scalar();
      if (!isKey || !this.value(depth + 1)) return false;
    }
    return true;
  }

  /** `C:3:"Foo":5:{…}`: what a class wrote itself; taken as it is. */
  #custom(): boolean {
    if (!this.#name('C') || !this.#expect(COLON)) return false;
    const length = this.#digits();
    if (length === null || !this.#expect(COLON) || !this.#expect(OPEN)) return false;
    return this.#take(length) && this.#expect(CLOSE);
  }

  /** `s:5:"texts";` */
  #text(rewrite: (text: Buffer) => Buffer): boolean {
    const length = this.#count('s');
    if (length === null || this.#bytes[this.#at] !== QUOTE) return false;
    const from = this.#at + 1;
    const to = from + length;
    if (this.#bytes[to] !== QUOTE || this.#bytes[to + 1] !== SEMICOLON) return false;
    const text = rewrite(this.#bytes.subarray(from, to));
    // The length that was copied with the head is replaced by that of the new text.
    this.out[this.out.length - 1] = Buffer.from(`s:${text.length}:`, 'latin1');
    this.out.push(Buffer.from('"'), text, Buffer.from('";'));
    this.#at = to + 2;
    return true;
  }

  /** `O:3:"Foo"` */
  #name(letter: string): boolean {
    const length = this.#count(letter);
    if (length === null || !this.#expect(QUOTE)) return false;
    return this.#take(length) && this.#expect(QUOTE);
  }

  /** `a:12:` → 12, as one piece of the output. */
  #count(letter: string): number | null {
    const match = /^[a-zA-Z]:(\d{1,10}):/.exec(this.#bytes.toString('latin1', this.#at, this.#at + 16));
    if (match === null || !match[0].startsWith(letter)) return null;
    this.#take(match[0].length);
    return Number(match[1]);
  }

  #digits(): number | null {
    const match = /^\d{1,10}/.exec(this.#bytes.toString('latin1', this.#at, this.#at + 12));
    if (match === null) return null;
    this.#take(match[0].length);
    return Number(match[0]);
  }

  #scalar(): boolean {
    const match = SCALAR.exec(this.#bytes.toString('latin1', this.#at, this.#at + 48));
    return match !== null && this.#take(match[0].length);
  }

  #letter(ahead: number): string {
    return String.fromCharCode(this.#bytes[this.#at + ahead] ?? 0);
  }

  #expect(byte: number): boolean {
    return this.#bytes[this.#at] === byte && this.#take(1);
  }

  #take(length: number): boolean {
    if (this.#at + length > this.#bytes.length) return false;
    this.out.push(this.#bytes.subarray(this.#at, this.#at + length));
    this.#at += length;
    return true;
  }
}
