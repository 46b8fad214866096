/**
 * Cuts the bytes of one dumped table into pieces of a few KiB that each become one blob, so that what changes in a row
 * changes its own piece and no other. Cuts lie between rows, and of all places that are far enough from the last cut
 * the one is taken whose row has the greatest hash of its primary key: keys decide, content and sizes hardly ever do.
 *
 *   structure │ INSERT … row, row; │ row, row, │ row; INSERT … row │ giant │ row         │ = cut
 *
 * The tool ends its statements by their size, so that a longer row would move the ends of all that follow. They are
 * written anew here: a statement ends where a cut is and the hash says so, or before it gets too large. The rows and
 * all else stay byte for byte as the tool wrote them. What comes out is one plain dump again.
 */
import { type KeyColumns, RowKey } from './row-key.ts';
import type { DumpSink } from './scan-dump.ts';

export type CutPlan = KeyColumns & {
  /** Mean of a piece, 1 KiB to 256 KiB. Pieces have from half to three halves of it, more where a row has. */
  readonly meanBytes: number;
};

export const MIN_CUT_BYTES = 1024;
export const MAX_CUT_BYTES = 256 * 1024;

/** A row of more than this is passed on in parts, which bounds what is held; it has pieces and a statement of its own. */
const GIANT_ROW_BYTES = 512 * 1024;
/** Parts of such a row, and of a run of bytes without rows that is longer. */
const PART_BYTES = 256 * 1024;
/** A statement ends at the next cut once it has this many bytes: below what any server takes, as the tool's own. */
const FULL_STATEMENT_BYTES = 1_000_000;
/**
 * What the keys make a statement of, in the mean: a server waits for its disk once a statement, and where the size has to
 * decide instead the end seldom moves, as it is looked for from a beginning that keys have decided.
 */
const STATEMENT_BYTES = 1024 * 1024;
/** What pieces are written into: small for the many small tables, then large. */
const FIRST_SLAB_BYTES = 16 * 1024;
const SLAB_BYTES = 1024 * 1024;

const COMMA = 0x2c;
const SEMICOLON = 0x3b;
/** Above every hash: the place is taken wherever the piece would get too large. */
const ALWAYS = 2 ** 32;

/** Where a piece may end: before a row, or between structure and rows. */
type Place = { readonly at: number; readonly hash: number; readonly isRow: boolean };

export class RowCutter implements DumpSink {
  readonly #plan: CutPlan;
  readonly #min: number;
  readonly #max: number;
  /** One cut in so many ends the statement too. */
  readonly #cutsPerStatement: number;
  /** Bytes are put one behind the other and never written again once they were given away. */
  #slab: Buffer = Buffer.alloc(0);
  /** Of the open piece. */
  #start = 0;
  #end = 0;
  #places: Place[] = [];
  /** Of the row in work; -1 between rows. */
  #rowStart = -1;
  /** What begins the statement in work; null outside of one. */
  #prefix: Buffer | null = null;
  #key: RowKey | null = null;
  /** What comes before the next row. */
  #before: 'prefix' | 'row' | 'giant' = 'prefix';
  /** Of the statement in work, in pieces that are finished. */
  #statementBytes = 0;
  #isInGiant = false;
  #ready: Buffer[] = [];

  constructor(plan: CutPlan) {
    this.#plan = plan;
    this.#min = plan.meanBytes / 2;
    this.#max = this.#min * 3;
    this.#cutsPerStatement = Math.max(1, Math.round(STATEMENT_BYTES / plan.meanBytes));
  }

  /** The pieces that were finished since the last call. */
  take(): readonly Buffer[] {
    const ready = this.#ready;
    this.#ready = [];
    return ready;
  }

  text(bytes: Buffer): void {
    this.#endStatement();
    this.#append(bytes);
    this.#giveParts(PART_BYTES + 2 * this.#max);
  }

  insert(prefix: Buffer): void {
    // The tool has begun a new statement for the same rows only because the last one was full.
    if (this.#prefix?.equals(prefix) === true) return;
    this.#endStatement();
    this.#prefix = Buffer.from(prefix);
    this.#key = new RowKey(this.#plan, prefix);
    this.#before = 'prefix';
    this.#places.push({ at: this.#end, hash: ALWAYS, isRow: false });
    this.#append(prefix);
  }

  row(bytes: Buffer, isEnd: boolean): void {
    if (this.#rowStart === -1) this.#rowStart = this.#end;
    this.#append(bytes);
    if (!this.#isInGiant && this.#end - this.#rowStart > GIANT_ROW_BYTES) this.#beginGiant();
    // A row's last three bytes stay at hand: the end of its statement may have to be written there.
    if (this.#isInGiant) this.#giveParts(PART_BYTES + 3);
    if (isEnd) this.#endRow();
  }

  /** No more will come. */
  end(): void {
    this.#endStatement();
    if (this.#end > this.#start) this.#give(this.#end);
  }

  #endRow(): void {
    const start = this.#rowStart;
    this.#rowStart = -1;
    // Till it is known that no row follows in this statement.
    this.#slab[this.#end - 2] = COMMA;
    if (this.#isInGiant) {
      this.#isInGiant = false;
      this.#before = 'giant';
      return;
    }
    if (this.#before !== 'prefix') {
      const hash = this.#before === 'giant' ? ALWAYS : (this.#key as RowKey).hash(this.#slab, start, this.#end - 2);
      this.#places.push({ at: start, hash, isRow: true });
      while ((this.#places.at(-1)?.at ?? 0) - this.#start > this.#max) this.#cut(this.#choose());
    }
    this.#before = 'row';
  }

  /** Of the places neither too near nor too far the one with the greatest hash; else the first that is too far. */
  #choose(): Place {
    let best: Place | undefined;
    for (const place of this.#places) {
      const bytes = place.at - this.#start;
      if (bytes > this.#max) return best ?? place;
      if (bytes === 0 || (bytes < this.#min && place.hash !== ALWAYS)) continue;
      if (best === undefined || place.hash > best.hash) best = place;
    }
    throw new Error('a table is to be cut where no row begins');
  }

  #cut({ at, hash, isRow }: Place): void {
    this.#statementBytes += at - this.#start;
    const endsStatement =
      isRow && (hash === ALWAYS || hash % this.#cutsPerStatement === 0 || this.#statementBytes >= FULL_STATEMENT_BYTES);
    if (endsStatement) this.#slab[at - 2] = SEMICOLON;
    this.#give(at);
    if (endsStatement) this.#beginStatement();
    else if (!isRow) this.#statementBytes = 0;
  }

  /** Puts the beginning of a statement in front of what is in the open piece. */
  #beginStatement(): void {
    const prefix = this.#prefix as Buffer;
    this.#statementBytes = 0;
    this.#reserve(prefix.length);
    this.#slab.copyWithin(this.#start + prefix.length, this.#start, this.#end);
    prefix.copy(this.#slab, this.#start);
    this.#shift(prefix.length);
    this.#end += prefix.length;
  }

  #endStatement(): void {
    if (this.#prefix === null) return;
    this.#slab[this.#end - 2] = SEMICOLON;
    this.#prefix = null;
    this.#statementBytes = 0;
  }

  /** The row in work is too large to be held: what is before it ends here. */
  #beginGiant(): void {
    this.#isInGiant = true;
    if (this.#before !== 'prefix') this.#cut({ at: this.#rowStart, hash: ALWAYS, isRow: true });
    else this.#places = [];
  }

  /** Parts of one size, however the bytes came in, while more than `most` are held. */
  #giveParts(most: number): void {
    while (this.#end - this.#start > most) this.#give(this.#start + PART_BYTES);
  }

  #give(end: number): void {
    this.#ready.push(this.#slab.subarray(this.#start, end));
    this.#start = end;
    this.#places = this.#places.filter(({ at }) => at > end);
  }

  #append(bytes: Buffer): void {
    this.#reserve(bytes.length);
    bytes.copy(this.#slab, this.#end);
    this.#end += bytes.length;
  }

  /** Sees to it that so many bytes can be put behind the open piece. */
  #reserve(bytes: number): void {
    if (this.#end + bytes <= this.#slab.length) return;
    const held = this.#end - this.#start;
    const size = this.#slab.length === 0 ? FIRST_SLAB_BYTES : SLAB_BYTES;
    const slab = Buffer.allocUnsafeSlow(Math.max(size, 2 * (held + bytes)));
    this.#slab.copy(slab, 0, this.#start, this.#end);
    this.#slab = slab;
    this.#shift(-this.#start);
    [this.#start, this.#end] = [0, held];
  }

  /** The open piece's bytes have moved. */
  #shift(by: number): void {
    this.#places = this.#places.map((place) => ({ ...place, at: place.at + by }));
    if (this.#rowStart !== -1) this.#rowStart += by;
  }
}
