/**
 * The sessions of one load, each a stock client: the head, then part after part.
 *
 * Each layer alone stops what a dump may try: the sandbox and the binary mode the client's own commands, the
 * missing rights the rest. After each part the client is made to print a mark: a part is loaded when its mark was
 * read, not when the client ended well, because it does so in the middle of a cut-off statement too.
 */
import { SalvorError } from '../../errors.ts';
import { findOwnUser } from '../../lib/own-users.ts';
import { openRun } from '../../lib/run.ts';
import { describeAddress } from './connect.ts';
import { openDefaultsFile } from './defaults-file.ts';
import { explainFailure } from './explain-load.ts';
import type { LoadOptions, LoadPart } from './load.ts';
import { prepareTable } from './prepare-table.ts';
import type { Scratch } from './scratch.ts';

const PREPARE_FROM_BYTES = 256 * 1024;

/** All sessions together: what they report is one progress. */
export class LoadRun {
  readonly #scratch: Scratch;
  readonly #head: LoadPart;
  readonly #partsTotal: number;
  readonly #options: LoadOptions;
  #partsDone = 0;
  #bytes = 0;

  constructor(scratch: Scratch, head: LoadPart, partsTotal: number, options: LoadOptions) {
    this.#scratch = scratch;
    this.#head = head;
    this.#partsTotal = partsTotal;
    this.#options = options;
  }

  /** One client: the head, then parts until there are no more. */
  async runSession(take: () => LoadPart | undefined, signal: AbortSignal | undefined): Promise<void> {
    const { login, database } = this.#scratch;
    const user = this.#options.osUser ?? findOwnUser('salvor-load');
    const given: { readonly part: LoadPart; readonly firstLine: number }[] = [];
    const marks = new MarkReader();
    const input = this.#feed(take, given);
    let started;
    {
      using defaults = await openDefaultsFile(login, { directory: this.#options.defaultsDirectory, user });
      started = openRun('mariadb', {
        args: [defaults.argument, ...CLIENT_FLAGS, `--database=${database}`],
        descriptors: defaults.descriptors,
        user,
        stdin: input,
        secrets: [login.password],
        signal,
      });
    }
    await using client = started;
    try {
      for await (const bytes of client.stdout) {
        for (const index of marks.read(bytes)) this.#report(given[index]?.part.file ?? '');
      }
    } catch (error) {
      throw explainFailure(error, given, { database, server: describeAddress(login.address) });
    }
    if (marks.count < given.length) {
      const why = `${given[marks.count]?.part.file ?? ''} ends in the middle of a statement`;
      throw new SalvorError('dump-incomplete', { database, why });
    }
  }

  async *#feed(
    take: () => LoadPart | undefined,
    given: { part: LoadPart; firstLine: number }[],
  ): AsyncGenerator<Uint8Array> {
    yield CHARSET;
    let line = 1 + countLines(CHARSET);
    for await (const bytes of this.#head.open()) {
      line += countLines(bytes);
      yield bytes;
    }
    line += countLines(SESSION);
    yield SESSION;
    for (let part = take(); part !== undefined; part = take()) {
      // A commit waits for the disk: one for a table instead of one for each megabyte of it.
      const isOne = part.kind === 'table' && part.size !== undefined && part.size <= MAX_TRANSACTION_BYTES;
      yield Buffer.from(`SET AUTOCOMMIT=${isOne ? 0 : 1};\n`);
      line += 1;
      given.push({ part, firstLine: line });
      for await (const bytes of this.#open(part, isOne)) {
        line += countLines(bytes);
        this.#bytes += bytes.byteLength;
        yield bytes;
      }
      const mark = Buffer.from(`\nCOMMIT;\nSELECT '${MARK}${given.length - 1};';\n`);
      line += countLines(mark);
      yield mark;
    }
  }

  #open(part: LoadPart, isOne: boolean): AsyncIterable<Uint8Array> {
    const size = part.size ?? 0;
    if (part.kind !== 'table' || size < (this.#options.prepareFromBytes ?? PREPARE_FROM_BYTES)) return part.open();
    // To sort keys the server needs room beside the table: of a large one as much as nobody counts on.
    return prepareTable(part.open(), { keysBehind: isOne && this.#options.keysBehind !== false });
  }

  #report(file: string): void {
    this.#partsDone += 1;
    this.#options.onProgress?.({ file, parts: this.#partsDone, partsTotal: this.#partsTotal, bytes: this.#bytes });
  }
}

const CLIENT_FLAGS = [
  // No command of the client that touches files or starts programs.
  '--sandbox',
  // No command of the client at all but DELIMITER; bytes in values as they are.
  '--binary-mode',
  // The server may not ask for a file of this machine.
  '--local-infile=0',
  // What is of more than one byte holds no quote and no line end in UTF-8: the client has not to look for it.
  '--default-character-set=latin1',
  '--max-allowed-packet=1G',
  // What it gives to the server in one go: of 16 KiB, its own measure, both wait for each other more often.
  '--net-buffer-length=1M',
  // Marks come as they are printed: they are the progress.
  '--batch',
  '--skip-column-names',
  '--unbuffered',
  '--skip-reconnect',
  '--skip-auto-rehash',
];

/** Sent before the head: what it does not say is said in UTF-8. */
const CHARSET = Buffer.from('SET NAMES utf8mb4;\n');

/** Sent behind the head, whatever that says. */
const SESSION = Buffer.from(
  [
    '',
    // Dates that no calendar has come back as they were, and rows that a check would refuse: also from other tools' dumps.
    "/*!40101 SET SQL_MODE=CONCAT(@@SQL_MODE,',ALLOW_INVALID_DATES') */;",
    '/*M!100201 SET CHECK_CONSTRAINT_CHECKS=0 */;',
    // Off, an InnoDB table that is loaded in one transaction is sorted through files, which takes three times as long.
    'SET UNIQUE_CHECKS=1;',
    // A point is read from wherever it lies: a session that gets nothing for a while is none that was forgotten.
    'SET WAIT_TIMEOUT=86400;',
    '/*M!100101 SET MAX_STATEMENT_TIME=0 */;',
    // Nobody else knows the scratch database, but the whole server can be locked, which would last for a day.
    'SET LOCK_WAIT_TIMEOUT=300;',
    // A table in memory was made under the limit of its day.
    'SET MAX_HEAP_TABLE_SIZE=1073741824;',
    '',
  ].join('\n'),
);

const MARK = 'salvor-part-loaded-';

/** Finds our marks in what the client prints; a dump that prints much else costs no memory. */
class MarkReader {
  count = 0;
  #rest = '';

  read(bytes: Uint8Array): number[] {
    this.#rest += Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
    const read: number[] = [];
    for (;;) {
      const mark = `${MARK}${this.count};`;
      const at = this.#rest.indexOf(mark);
      if (at === -1) {
        this.#rest = this.#rest.slice(-mark.length);
        return read;
      }
      read.push(this.count);
      this.count += 1;
      this.#rest = this.#rest.slice(at + mark.length);
    }
  }
}

/** What the server keeps to take a transaction back grows with it, and in an old server never shrinks again. */
const MAX_TRANSACTION_BYTES = 64 * 1024 * 1024;

function countLines(bytes: Uint8Array): number {
  let lines = 0;
  for (let at = bytes.indexOf(0x0a); at !== -1; at = bytes.indexOf(0x0a, at + 1)) lines += 1;
  return lines;
}
