/**
 * Cuts the stream of a dump of tables where the tool begins a table, and counts rows on the way.
 *
 *   head │ table │ table │ … │ footer          one pass, bounded memory, every byte exactly once
 *
 * A table's bytes come in pieces that are meant to stay whole (`cut-rows.ts`); those of the rest as they arrive.
 */
import { SalvorError } from '../../errors.ts';
import { type CutPlan, RowCutter } from './cut-rows.ts';
import { DumpScanner, type DumpSink, type SectionStart } from './scan-dump.ts';

export type DumpSection = {
  readonly kind: SectionStart['kind'];
  readonly table: string | null;
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Valid once `bytes` were read to their end. */
  rows(): number;
};

/** The last line of a whole dump made without a date. */
export const END_MARKER: Buffer = Buffer.from('-- Dump completed\n');

/**
 * The sections of a dump of tables, in order; each must be read to its end before the next is asked for.
 * Throws 'dump-incomplete' where the stream ends before the tool's end marker, and 'dump-failed' where rows are written
 * as no known tool does.
 */
export async function* splitDump(
  source: AsyncIterable<Uint8Array>,
  database: string,
  planOf: (table: string) => CutPlan,
): AsyncGenerator<DumpSection> {
  const splitter = new DumpSplitter(source, database, planOf);
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

/** What comes out of a section: pieces as they are finished. */
type SectionSink = DumpSink & { take(): readonly Buffer[]; end(): void };

class DumpSplitter {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #database: string;
  readonly #planOf: (table: string) => CutPlan;
  readonly #scanner: DumpScanner;
  #isSectionDone = true;
  #end: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Uint8Array>, database: string, planOf: (table: string) => CutPlan) {
    this.#source = source[Symbol.asyncIterator]();
    this.#database = database;
    this.#planOf = planOf;
    this.#scanner = new DumpScanner(() => unknownForm(database));
  }

  openSection(start: SectionStart): DumpSection {
    this.#isSectionDone = false;
    this.#scanner.open(start);
    let rows = 0;
    const read = this.#read.bind(this);
    const bytes = (async function* (scanner: DumpScanner) {
      yield* read(start);
      rows = scanner.rows;
    })(this.#scanner);
    return { kind: start.kind, table: start.table, bytes, rows: () => rows };
  }

  closeSection(): SectionStart | null {
    if (!this.#isSectionDone) throw new Error('a section of a dump was left before its end');
    return this.#scanner.next;
  }

  async stop(): Promise<void> {
    await this.#source.return?.();
  }

  async *#read({ kind, table }: SectionStart): AsyncGenerator<Uint8Array> {
    const scanner = this.#scanner;
    const sink: SectionSink = table === null ? new AsTheyAre() : new RowCutter(this.#planOf(table));
    let isDone = false;
    for (;;) {
      scanner.scan(sink);
      for (const piece of sink.take()) {
        if (kind === 'footer')
          this.#end = Buffer.concat([this.#end, piece.subarray(-END_MARKER.length)]).subarray(-END_MARKER.length);
        yield piece;
      }
      if (scanner.next !== null) break;
      if (isDone) {
        this.#requireWhole(kind);
        break;
      }
      const { done, value } = await this.#source.next();
      if (done === true) {
        isDone = true;
        scanner.end();
      } else scanner.push(Buffer.from(value.buffer, value.byteOffset, value.byteLength));
    }
    sink.end();
    yield* sink.take();
    this.#isSectionDone = true;
  }

  /** The source has ended and nothing of it can be scanned on. */
  #requireWhole(kind: SectionStart['kind']): void {
    if (kind === 'footer' && this.#scanner.isDrained && this.#end.equals(END_MARKER)) return;
    throw new SalvorError('dump-incomplete', {
      database: this.#database,
      why: 'the end marker of the dump tool is missing',
    });
  }
}

class AsTheyAre implements SectionSink {
  #ready: Buffer[] = [];

  take(): readonly Buffer[] {
    const ready = this.#ready;
    this.#ready = [];
    return ready;
  }

  text(bytes: Buffer): void {
    this.#ready.push(bytes);
  }

  insert(prefix: Buffer): void {
    this.#ready.push(prefix);
  }

  row(bytes: Buffer): void {
    this.#ready.push(bytes);
  }

  end(): void {}
}

function unknownForm(database: string): SalvorError {
  const words =
    'the dump tool writes rows in a form that this version does not count (known: mariadb-dump 10.6 and later)';
  return new SalvorError('dump-failed', { database, words });
}
