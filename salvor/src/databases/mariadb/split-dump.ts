/**
 * Cuts the stream of a dump of tables where the tool begins a table, and counts rows on the way.
 *
 *   head │ table │ table │ … │ footer          one pass, bounded memory, every byte exactly once
 *
 * A header is believed only where the tool can have written it: between two statements. Inside a
 * statement quotes are followed, because names of tables and columns hold raw newlines and a column can be
 * called `…\n--\n-- Table structure for table `zz`\n--\n…`. Rows are read by lines: the tool escapes
 * newlines in values, so that a line of an INSERT is a row, and its last character says whether another one
 * follows. Hence also: in a table's bytes each `,` or `;` before a newline that ends such a line is the end of a
 * row, and a cutter may cut there. The first row of each INSERT is read quote by quote to be sure of that:
 * older tools print all rows in one line, and are refused instead of miscounted.
 */
import { SalvorError } from '../../errors.ts';

export type DumpSection = {
  readonly kind: 'head' | 'table' | 'footer';
  readonly table: string | null;
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Valid once `bytes` were read to their end. */
  rows(): number;
};

const NEWLINE = 0x0a;
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
/** The tool's first line: it ends with the line, not with a semicolon. */
const SANDBOX_LINE = Buffer.from('/*M!999999\\- ');
const VALUES = Buffer.from('VALUES');
/** The last line of a whole dump made without a date. */
export const END_MARKER: Buffer = Buffer.from('-- Dump completed\n');
/** A header holds a name of at most 64 characters of 4 bytes, each perhaps doubled or made a comment of its own. */
const MAX_HEADER_BYTES = 2048;

/**
 * The sections of a dump of tables, in order; each must be read to its end before the next is asked for.
 * Throws 'dump-incomplete' where the stream ends before the tool's end marker.
 */
export async function* splitDump(source: AsyncIterable<Uint8Array>, database: string): AsyncGenerator<DumpSection> {
  const splitter = new DumpSplitter(source, database);
  try {
    let next: SectionStart | null = { kind: 'head', table: null, isSequence: false };
    while (next !== null) {
      const section: DumpSection = splitter.openSection(next);
      yield section;
      next = splitter.closeSection();
    }
  } finally {
    await splitter.stop();
  }
}

type SectionStart = { readonly kind: DumpSection['kind']; readonly table: string | null; readonly isSequence: boolean };

/** Where the scan stands: between statements, in a comment of its own, in a statement, or in the rows of an INSERT. */
type Mode = 'top' | 'comment' | 'statement' | 'first-row' | 'row';

class DumpSplitter {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #database: string;
  #pending: Buffer = Buffer.alloc(0);
  /** Bytes of `#pending` that were scanned and belong to the open section. */
  #scanned = 0;
  #isSourceDone = false;
  #isSectionDone = true;
  #next: SectionStart | null = null;
  #mode: Mode = 'top';
  #quote = 0;
  #isEscaped = false;
  #depth = 0;
  #isInsert = false;
  #lastByte = 0;
  #rows = 0;
  #kind: SectionStart['kind'] = 'head';
  #end: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Uint8Array>, database: string) {
    this.#source = source[Symbol.asyncIterator]();
    this.#database = database;
  }

  openSection(start: SectionStart): DumpSection {
    this.#isSectionDone = false;
    this.#next = null;
    this.#kind = start.kind;
    // The scan stands on the header that made this section: its first line is passed over, or it would be found again.
    if (start.kind === 'table') this.#mode = 'comment';
    // A sequence is a table of one row, which the tool writes as a call.
    this.#rows = start.isSequence ? 1 : 0;
    let rows = 0;
    const read = this.#read.bind(this);
    const bytes = (async function* (splitter: DumpSplitter) {
      yield* read();
      rows = splitter.#rows;
    })(this);
    return { kind: start.kind, table: start.table, bytes, rows: () => rows };
  }

  closeSection(): SectionStart | null {
    if (!this.#isSectionDone) throw new Error('a section of a dump was left before its end');
    return this.#next;
  }

  async stop(): Promise<void> {
    await this.#source.return?.();
  }

  async *#read(): AsyncGenerator<Uint8Array> {
    while (!this.#isSectionDone) {
      this.#scan();
      if (this.#scanned > 0) {
        const ready = this.#pending.subarray(0, this.#scanned);
        this.#pending = this.#pending.subarray(this.#scanned);
        this.#scanned = 0;
        this.#end = Buffer.concat([this.#end, ready.subarray(-END_MARKER.length)]).subarray(-END_MARKER.length);
        yield ready;
      } else if (!this.#isSectionDone) {
        await this.#fill();
      }
    }
  }

  async #fill(): Promise<void> {
    if (this.#isSourceDone) return this.#finish();
    const { done, value } = await this.#source.next();
    if (done === true) {
      this.#isSourceDone = true;
      return;
    }
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    this.#pending = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes]);
  }

  /** The source has ended and nothing of it can be scanned on. */
  #finish(): void {
    const isWhole = this.#kind === 'footer' && this.#pending.length === 0 && this.#end.equals(END_MARKER);
    if (!isWhole) {
      throw new SalvorError('dump-incomplete', {
        database: this.#database,
        why: 'the end marker of the dump tool is missing',
      });
    }
    this.#isSectionDone = true;
  }

  /** Scans `#pending` on until a section begins, or until it takes more bytes to know what stands there. */
  #scan(): void {
    while (this.#scanned < this.#pending.length && !this.#isSectionDone) {
      if (this.#mode === 'top') {
        if (!this.#scanTop()) return;
      } else if (this.#mode === 'comment') this.#scanComment();
      else if (this.#mode === 'row') {
        if (!this.#scanRow()) return;
      } else if (!this.#scanStatement()) return;
    }
  }

  /** Between statements, at the start of a line. False where more bytes are needed. */
  #scanTop(): boolean {
    const rest = this.#pending.subarray(this.#scanned);
    const first = rest[0];
    if (first === NEWLINE) {
      this.#scanned += 1;
      return true;
    }
    if (this.#kind !== 'footer') {
      const start = this.#readSectionStart(rest);
      if (start === 'more') return false;
      if (start !== null) {
        this.#next = start;
        this.#isSectionDone = true;
        return true;
      }
    }
    if (first === DASH && rest[1] === DASH) {
      this.#mode = 'comment';
      return true;
    }
    if (rest.length < INSERT.length && !this.#isSourceDone) return false;
    if (startsWith(rest, SANDBOX_LINE) === 'yes') {
      this.#mode = 'comment';
      return true;
    }
    this.#isInsert = rest.subarray(0, INSERT.length).equals(INSERT);
    this.#mode = 'statement';
    return true;
  }

  #readSectionStart(rest: Buffer): SectionStart | 'more' | null {
    const footer = startsWith(rest, FOOTER);
    if (footer === 'yes') return { kind: 'footer', table: null, isSequence: false };
    for (const header of [TABLE_HEADER, SEQUENCE_HEADER]) {
      const match = startsWith(rest, header);
      if (match === 'maybe' && !this.#isSourceDone) return 'more';
      if (match !== 'yes') continue;
      const name = readHeaderName(rest, header.length);
      if (name !== null) return { kind: 'table', table: name, isSequence: header === SEQUENCE_HEADER };
      if (rest.length < MAX_HEADER_BYTES && !this.#isSourceDone) return 'more';
    }
    return footer === 'maybe' && !this.#isSourceDone ? 'more' : null;
  }

  #scanComment(): void {
    const end = this.#pending.indexOf(NEWLINE, this.#scanned);
    if (end === -1) {
      this.#scanned = this.#pending.length;
      return;
    }
    this.#scanned = end + 1;
    this.#mode = 'top';
  }

  /** A line that is one row. False where more bytes are needed. */
  #scanRow(): boolean {
    const end = this.#pending.indexOf(NEWLINE, this.#scanned);
    if (end === -1) {
      this.#lastByte = this.#pending[this.#pending.length - 1] ?? 0;
      this.#scanned = this.#pending.length;
      return true;
    }
    const last = end > this.#scanned ? this.#pending[end - 1] : this.#lastByte;
    if (last !== COMMA && last !== SEMICOLON) throw this.#unknownForm();
    this.#rows += 1;
    this.#scanned = end + 1;
    if (last === SEMICOLON) this.#mode = 'top';
    return true;
  }

  /** Byte by byte, quotes followed: structure, and the first row of an INSERT. False where more bytes are needed. */
  #scanStatement(): boolean {
    const bytes = this.#pending;
    let at = this.#scanned;
    for (; at < bytes.length; at += 1) {
      const byte = bytes[at] as number;
      if (this.#quote !== 0) {
        if (this.#isEscaped) this.#isEscaped = false;
        else if (byte === BACKSLASH && this.#quote !== BACKTICK) this.#isEscaped = true;
        else if (byte === this.#quote) this.#quote = 0;
        continue;
      }
      if (byte === QUOTE || byte === BACKTICK || byte === DOUBLE_QUOTE) {
        this.#quote = byte;
      } else if (this.#mode === 'first-row') {
        if (byte === OPEN) this.#depth += 1;
        else if (byte === CLOSE && (this.#depth -= 1) === 0) {
          if (bytes.length < at + 3 && !this.#isSourceDone) break;
          const [after, newline] = [bytes[at + 1], bytes[at + 2]];
          if ((after !== COMMA && after !== SEMICOLON) || newline !== NEWLINE) throw this.#unknownForm();
          this.#rows += 1;
          this.#mode = after === COMMA ? 'row' : 'top';
          this.#scanned = at + 3;
          return true;
        }
      } else if (this.#isInsert && byte === VALUES[0]) {
        if (bytes.length < at + VALUES.length && !this.#isSourceDone) break;
        if (!bytes.subarray(at, at + VALUES.length).equals(VALUES)) throw this.#unknownForm();
        this.#mode = 'first-row';
        this.#depth = 0;
        at += VALUES.length - 1;
      } else if (byte === SEMICOLON) {
        // What follows up to the line's end is nothing in this tool's output, and the next line is read afresh.
        this.#mode = 'top';
        this.#scanned = at + 1;
        return true;
      }
    }
    const moved = at > this.#scanned;
    this.#scanned = at;
    return moved;
  }

  #unknownForm(): SalvorError {
    const words =
      'the dump tool writes rows in a form that this version does not count (known: mariadb-dump 10.6 and later)';
    return new SalvorError('dump-failed', { database: this.#database, words });
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
