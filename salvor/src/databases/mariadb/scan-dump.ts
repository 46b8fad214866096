/**
 * Reads the text of a dump of tables as the tool writes it, statement by statement and row by row, from pieces that
 * end anywhere. Tells a sink what each byte belongs to; every byte is told exactly once and in order.
 *
 * A header is believed only where the tool can have written it: between two statements. Inside a statement quotes are
 * followed, because names of tables and columns hold raw newlines and a column can be called
 * `…\n--\n-- Table structure for table `zz`\n--\n…`. Rows are read by lines: the tool escapes newlines in values, so
 * that a line of an INSERT is a row, and its last characters say whether another one follows. The first row of each
 * INSERT is read quote by quote to be sure of that: older tools print all rows in one line, and are refused instead
 * of miscounted.
 */

export type DumpSink = {
  /** Anything that is no row: comments, statements, the blank lines between them. */
  text(bytes: Buffer): void;
  /** `INSERT INTO … VALUES` and the newline or space behind it: rows follow. Whole. */
  insert(prefix: Buffer): void;
  /** A part of a row up to and with `,` or `;` and the newline behind it; `isEnd` where it is the row's last. */
  row(bytes: Buffer, isEnd: boolean): void;
};

export type SectionStart = {
  readonly kind: 'head' | 'table' | 'footer';
  readonly table: string | null;
  readonly isSequence: boolean;
};

const NEWLINE = 0x0a;
const SPACE = 0x20;
const QUOTE = 0x27;
const BACKTICK = 0x60;
const DOUBLE_QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SEMICOLON = 0x3b;
const COMMA = 0x2c;
const OPEN = 0x28;
const CLOSE = 0x29;
const DASH = 0x2d;

const TABLE_HEADER = Buffer.from('--\n-- Table structure for table `');
const SEQUENCE_HEADER = Buffer.from('--\n-- Sequence structure for `');
const FOOTER = Buffer.from('/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;\n');
const INSERT = Buffer.from('INSERT INTO `');
const VALUES = Buffer.from('VALUES');
/** The tool's first line: it ends with the line, not with a semicolon. */
const SANDBOX_LINE = Buffer.from('/*M!999999\\- ');
/** A header holds a name of at most 64 characters of 4 bytes, each perhaps doubled or made a comment of its own. */
const MAX_HEADER_BYTES = 2048;
/** What stands before the rows names at most 4096 columns of 64 characters. */
const MAX_INSERT_BYTES = 4 * 1024 * 1024;

/** Where the scan stands: between statements, in a comment of its own, in a statement, or in the rows of an INSERT. */
type Mode = 'top' | 'comment' | 'statement' | 'insert' | 'first-row' | 'row';

export class DumpScanner {
  /** Of the open section, so far. */
  rows = 0;
  /** The section that begins where the scan stands; null while the open one goes on. */
  next: SectionStart | null = null;
  readonly #unknownForm: () => Error;
  #pending: Buffer = Buffer.alloc(0);
  #at = 0;
  #isLast = false;
  #kind: SectionStart['kind'] = 'head';
  #mode: Mode = 'top';
  #quote = 0;
  #isEscaped = false;
  #depth = 0;
  /** The last three bytes before what is pending, of a row that came in parts. */
  #before: readonly [number, number] = [0, 0];
  #isRowBegun = false;

  /** `unknownForm` makes what is thrown where rows are not written as described above. */
  constructor(unknownForm: () => Error) {
    this.#unknownForm = unknownForm;
  }

  /** Whether all bytes were told. */
  get isDrained(): boolean {
    return this.#at === this.#pending.length;
  }

  push(bytes: Buffer): void {
    this.#pending = this.isDrained ? bytes : Buffer.concat([this.#pending.subarray(this.#at), bytes]);
    this.#at = 0;
  }

  /** No more bytes will come. */
  end(): void {
    this.#isLast = true;
  }

  open({ kind, isSequence }: SectionStart): void {
    this.next = null;
    this.#kind = kind;
    // The scan stands on the header that made this section: its first line is passed over, or it would be found again.
    if (kind === 'table') this.#mode = 'comment';
    // A sequence is a table of one row, which the tool writes as a call.
    this.rows = isSequence ? 1 : 0;
  }

  /** Tells `sink` what is at hand, until a section begins or more bytes are needed. */
  scan(sink: DumpSink): void {
    while (this.#at < this.#pending.length && this.next === null) {
      const from = this.#at;
      if (!this.#step(sink) && this.#at === from) return;
    }
  }

  /** False where more bytes are needed. */
  #step(sink: DumpSink): boolean {
    switch (this.#mode) {
      case 'top':
        return this.#scanTop(sink);
      case 'comment':
        return this.#scanComment(sink);
      case 'statement':
        return this.#scanStatement(sink);
      case 'insert':
        return this.#scanInsert(sink);
      case 'first-row':
        return this.#scanFirstRow(sink);
      case 'row':
        return this.#scanRow(sink);
      default:
        return this.#mode satisfies never;
    }
  }

  #takeTo(end: number): Buffer {
    const taken = this.#pending.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }

  /** Between statements, at the start of a line. */
  #scanTop(sink: DumpSink): boolean {
    const rest = this.#pending.subarray(this.#at);
    const first = rest[0];
    if (first === NEWLINE) {
      sink.text(this.#takeTo(this.#at + 1));
      return true;
    }
    if (this.#kind !== 'footer') {
      const start = this.#readSectionStart(rest);
      if (start === 'more') return false;
      if (start !== null) {
        this.next = start;
        return true;
      }
    }
    if (first === DASH && rest[1] === DASH) {
      this.#mode = 'comment';
      return true;
    }
    if (rest.length < INSERT.length && !this.#isLast) return false;
    if (startsWith(rest, SANDBOX_LINE) === 'yes') this.#mode = 'comment';
    else this.#mode = startsWith(rest, INSERT) === 'yes' ? 'insert' : 'statement';
    return true;
  }

  #readSectionStart(rest: Buffer): SectionStart | 'more' | null {
    const footer = startsWith(rest, FOOTER);
    if (footer === 'yes') return { kind: 'footer', table: null, isSequence: false };
    for (const header of [TABLE_HEADER, SEQUENCE_HEADER]) {
      const match = startsWith(rest, header);
      if (match === 'maybe' && !this.#isLast) return 'more';
      if (match !== 'yes') continue;
      const name = readHeaderName(rest, header.length);
      if (name !== null) return { kind: 'table', table: name, isSequence: header === SEQUENCE_HEADER };
      if (rest.length < MAX_HEADER_BYTES && !this.#isLast) return 'more';
    }
    return footer === 'maybe' && !this.#isLast ? 'more' : null;
  }

  #scanComment(sink: DumpSink): boolean {
    const end = this.#pending.indexOf(NEWLINE, this.#at);
    if (end !== -1) this.#mode = 'top';
    sink.text(this.#takeTo(end === -1 ? this.#pending.length : end + 1));
    return true;
  }

  /** Byte by byte, quotes followed, to the semicolon. What follows it up to the line's end is nothing in this tool's output. */
  #scanStatement(sink: DumpSink): boolean {
    const bytes = this.#pending;
    let at = this.#at;
    for (; at < bytes.length; at += 1) {
      const byte = bytes[at] as number;
      if (this.#passQuoted(byte)) continue;
      if (byte !== SEMICOLON) continue;
      this.#mode = 'top';
      at += 1;
      break;
    }
    sink.text(this.#takeTo(at));
    return true;
  }

  /** From `INSERT INTO` to the rows, in one go. */
  #scanInsert(sink: DumpSink): boolean {
    const bytes = this.#pending;
    this.#quote = 0;
    for (let at = this.#at; at < bytes.length; at += 1) {
      const byte = bytes[at] as number;
      if (this.#passQuoted(byte) || byte !== VALUES[0]) continue;
      const match = startsWith(bytes.subarray(at), VALUES);
      const end = at + VALUES.length;
      if (match === 'no') throw this.#unknownForm();
      if (match === 'maybe' || end === bytes.length) break;
      // A newline, or a space where columns are named.
      if (bytes[end] !== NEWLINE && bytes[end] !== SPACE) throw this.#unknownForm();
      this.#mode = 'first-row';
      this.#depth = 0;
      sink.insert(this.#takeTo(end + 1));
      return true;
    }
    if (this.#isLast || bytes.length - this.#at > MAX_INSERT_BYTES) throw this.#unknownForm();
    this.#quote = 0;
    this.#isEscaped = false;
    return false;
  }

  /** Byte by byte, quotes followed: what ends the row must end the line. */
  #scanFirstRow(sink: DumpSink): boolean {
    const bytes = this.#pending;
    for (let at = this.#at; at < bytes.length; at += 1) {
      const byte = bytes[at] as number;
      if (this.#passQuoted(byte)) continue;
      if (byte === OPEN) this.#depth += 1;
      else if (byte === CLOSE && (this.#depth -= 1) === 0) return this.#endFirstRow(sink, at);
      else if (this.#depth === 0) throw this.#unknownForm();
    }
    sink.row(this.#takeTo(bytes.length), false);
    return true;
  }

  #endFirstRow(sink: DumpSink, at: number): boolean {
    const [after, newline] = [this.#pending[at + 1], this.#pending[at + 2]];
    if (newline === undefined && !this.#isLast) {
      // Read again from the bracket on when there is more.
      this.#depth = 1;
      if (at > this.#at) sink.row(this.#takeTo(at), false);
      return false;
    }
    if ((after !== COMMA && after !== SEMICOLON) || newline !== NEWLINE) throw this.#unknownForm();
    this.rows += 1;
    this.#mode = after === COMMA ? 'row' : 'top';
    this.#isRowBegun = false;
    sink.row(this.#takeTo(at + 3), true);
    return true;
  }

  /** A line that is one row. */
  #scanRow(sink: DumpSink): boolean {
    const bytes = this.#pending;
    const start = this.#at;
    if (!this.#isRowBegun) {
      if (bytes[start] !== OPEN) throw this.#unknownForm();
      this.#isRowBegun = true;
      this.#before = [0, 0];
    }
    const end = bytes.indexOf(NEWLINE, start);
    if (end === -1) {
      this.#before = this.#lastTwo(start, bytes.length);
      sink.row(this.#takeTo(bytes.length), false);
      return true;
    }
    const [bracket, last] = this.#lastTwo(start, end);
    if (bracket !== CLOSE || (last !== COMMA && last !== SEMICOLON)) throw this.#unknownForm();
    this.rows += 1;
    this.#isRowBegun = false;
    if (last === SEMICOLON) this.#mode = 'top';
    sink.row(this.#takeTo(end + 1), true);
    return true;
  }

  /** The last two bytes before `end` of a row whose pending part begins at `start`. */
  #lastTwo(start: number, end: number): readonly [number, number] {
    const [older, newer] = this.#before;
    if (end === start) return [older, newer];
    const last = this.#pending[end - 1] as number;
    return [end - start === 1 ? newer : (this.#pending[end - 2] as number), last];
  }

  /** Whether a byte is part of something quoted, its quotes included. */
  #passQuoted(byte: number): boolean {
    if (this.#quote === 0) {
      if (byte !== QUOTE && byte !== BACKTICK && byte !== DOUBLE_QUOTE) return false;
      this.#quote = byte;
      return true;
    }
    if (this.#isEscaped) this.#isEscaped = false;
    else if (byte === BACKSLASH && this.#quote !== BACKTICK) this.#isEscaped = true;
    else if (byte === this.#quote) this.#quote = 0;
    return true;
  }
}

function startsWith(bytes: Buffer, wanted: Buffer): 'yes' | 'no' | 'maybe' {
  const length = Math.min(bytes.length, wanted.length);
  if (bytes.compare(wanted, 0, length, 0, length) !== 0) return 'no';
  return length === wanted.length ? 'yes' : 'maybe';
}

/** The quoted name from `start` on, where it is followed by the end of the header; null where it is not (yet). */
function readHeaderName(bytes: Buffer, start: number): string | null {
  let end = start;
  for (;;) {
    end = bytes.indexOf(BACKTICK, end);
    if (end === -1) return null;
    if (bytes[end + 1] !== BACKTICK) break;
    end += 2;
  }
  if (bytes.toString('latin1', end, end + 5) !== '`\n--\n') return null;
  // The tool comments each line of a name; a name cannot hold anything else that it changes.
  return bytes.toString('utf8', start, end).replaceAll('``', '`').replaceAll('\n-- ', '\n');
}
