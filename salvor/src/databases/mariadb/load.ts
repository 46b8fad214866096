/**
 * Loads a dump, which is foreign code, into a scratch database: the stock client in its sandbox, as a user of
 * the operating system without rights, as a database user who has this one database.
 *
 *   head + sequences → sessions in parallel, each: head, then table after table from one queue → head + tail, alone
 *
 * Each layer alone stops what a dump may try: the sandbox and the binary mode the client's own commands, the
 * missing rights the rest. After each part the client is made to print a mark: a part is loaded when its mark was
 * read, not when the client ended well, because it does so in the middle of a cut-off statement too.
 */
import { SalvorError, type SalvorErrorCode } from '../../errors.ts';
import { findOwnUser } from '../../lib/own-users.ts';
import { openRun, type OsUser } from '../../lib/run.ts';
import { type DatabaseConnection, type DatabaseLogin, describeAddress, isDiskFull, openConnection } from './connect.ts';
import { openDefaultsFile } from './defaults-file.ts';
import { findSequences } from './find-sequences.ts';
import { putKeysBehindRows } from './keys-behind-rows.ts';
import { type FoundDefiner, rewriteDefiners } from './rewrite-definers.ts';
import type { Scratch } from './scratch.ts';
import { END_MARKER } from './split-dump.ts';
import { readOrigin, unbindTable } from './unbind-table.ts';

export type LoadPart = {
  readonly file: string;
  readonly kind: 'head' | 'table' | 'tail';
  readonly table: string | null;
  /** Where it is known: the largest are loaded first, so that no session is left alone with one at the end. */
  readonly size?: number;
  open(): AsyncIterable<Uint8Array>;
};

export type LoadOptions = {
  /** Where option files are made; a directory of ours. */
  readonly defaultsDirectory: string;
  /** The administrator's: lets values through that are larger than the server takes, for as long as the load runs. */
  readonly admin: DatabaseLogin;
  /** Who the client runs as; by default `salvor-load` or `nobody`. Must be able to reach the server's socket. */
  readonly osUser?: OsUser;
  /** Sessions at a time; default 4: while some wait for the disk or their clients, two processors have work. */
  readonly parallel?: number;
  /** From what size on a table gets its secondary keys behind its rows; default 256 KiB: of fewer rows they cost nothing. */
  readonly keysBehindFromBytes?: number | undefined;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: LoadProgress) => void;
};

export type LoadProgress = {
  readonly file: string;
  readonly parts: number;
  readonly partsTotal: number;
  readonly bytes: number;
};

export type LoadResult = {
  /** Who defined what in the tail; in the scratch database all of it is defined by the load's user. */
  readonly definers: readonly FoundDefiner[];
};

const DEFAULT_SESSIONS = 4;
const KEYS_BEHIND_FROM_BYTES = 256 * 1024;

/** The largest packet that server and client know; a value in hexadecimal takes twice its size. */
const MAX_PACKET_BYTES = 1024 * 1024 * 1024;

/**
 * Loads all parts. Throws 'dump-refused' where a statement asked for more than the scratch database, 'load-failed',
 * 'dump-incomplete', 'disk-full', 'database-unreachable'. After a throw the scratch database is of no use.
 */
export async function loadDump(
  scratch: Scratch,
  parts: readonly LoadPart[],
  options: LoadOptions,
): Promise<LoadResult> {
  const head = parts.find((part) => part.kind === 'head');
  const tail = parts.find((part) => part.kind === 'tail');
  if (head === undefined || tail === undefined) {
    throw new SalvorError('dump-incomplete', { database: scratch.database, why: 'its head or its tail is missing' });
  }
  const origin = await readOrigin(head.open());
  const unbound = parts.map((part) => unbindPart(part, origin));
  // Defaults of columns may name them.
  const sequences = await findSequences(unbound);
  const isSequence = new Set(sequences);
  const tables = unbound
    .filter((part) => part.kind === 'table' && !isSequence.has(part))
    .toSorted((a, b) => (b.size ?? 0) - (a.size ?? 0));
  await using packets = await widenPackets(options);
  await using trust = await trustCreators(options);
  void [packets, trust];

  const start = (keysBehindFromBytes = options.keysBehindFromBytes): Load =>
    new Load(scratch, head, parts.length - 1, { ...options, keysBehindFromBytes });
  let load = start();
  try {
    await loadTables(load, { sequences, tables }, options);
  } catch (error) {
    if (!isWithoutRoomToSort(error)) throw error;
    // Each part begins with the drop of what it makes.
    load = start(Infinity);
    await loadTables(load, { sequences, tables }, options);
  }

  const definers: FoundDefiner[] = [];
  const last = [{ ...tail, open: () => rewriteDefiners(requireEnd(tail.open(), scratch.database), definers, origin) }];
  await load.runSession(() => last.shift(), options.signal);
  return { definers };
}

/** Sequences first, then tables in parallel sessions. */
async function loadTables(
  load: Load,
  parts: { readonly sequences: readonly LoadPart[]; readonly tables: readonly LoadPart[] },
  options: LoadOptions,
): Promise<void> {
  const [sequences, queue] = [[...parts.sequences], [...parts.tables]];
  if (sequences.length > 0) await load.runSession(() => sequences.shift(), options.signal);
  const first = new AbortController();
  const signal = AbortSignal.any([first.signal, ...(options.signal === undefined ? [] : [options.signal])]);
  const sessions = Math.max(1, Math.min(options.parallel ?? DEFAULT_SESSIONS, queue.length));
  const failures: unknown[] = [];
  await Promise.all(
    Array.from({ length: sessions }, async () => {
      try {
        await load.runSession(() => queue.shift(), signal);
      } catch (error) {
        failures.push(error);
        first.abort();
      }
    }),
  );
  if (failures.length > 0) throw options.signal?.aborted === true ? options.signal.reason : failures[0];
}

/** The server's directory for temporary files is full: keys that are made with the rows need none. */
function isWithoutRoomToSort(error: unknown): boolean {
  return error instanceof SalvorError && error.code === 'disk-full' && error.context['number'] === ER_TEMP_FILE_WRITE;
}

const ER_TEMP_FILE_WRITE = 1878;

/** A table with the database that was dumped in it is refused to a user without rights there. */
function unbindPart(part: LoadPart, origin: string | null): LoadPart {
  if (part.kind !== 'table' || origin === null) return part;
  return { ...part, open: () => unbindTable(part.open(), origin) };
}

class Load {
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
      // To sort them the server needs room beside the table: of a large one as much as nobody counts on.
      const isSorted = isOne && (part.size ?? 0) >= (this.#options.keysBehindFromBytes ?? KEYS_BEHIND_FROM_BYTES);
      for await (const bytes of isSorted ? putKeysBehindRows(part.open()) : part.open()) {
        line += countLines(bytes);
        this.#bytes += bytes.byteLength;
        yield bytes;
      }
      const mark = Buffer.from(`\nCOMMIT;\nSELECT '${MARK}${given.length - 1};';\n`);
      line += countLines(mark);
      yield mark;
    }
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

/** Errors of the server that mean: not with your rights. */
const REFUSED: ReadonlySet<number> = new Set([
  1044, 1045, 1095, 1142, 1143, 1148, 1227, 1290, 1345, 1370, 1410, 1419, 1698, 1959, 4166,
]);
/** A statement may be all of the words. */
const MAX_WORDS_CHARS = 300;
const LOST: ReadonlySet<number> = new Set([1053, 1927, 2002, 2003, 2006, 2013]);
const TLS_FAILED = 2026;

function explainFailure(
  error: unknown,
  given: readonly { part: LoadPart; firstLine: number }[],
  { database, server }: { readonly database: string; readonly server: string },
): unknown {
  if (!(error instanceof SalvorError) || error.code !== 'command-failed') return error;
  const words = String(error.context['words']);
  const match = /ERROR (?:(\d+) \([0-9A-Z]{5}\) )?at line (\d+)[^:]*: ([^]*)/.exec(words);
  const unplaced = /ERROR (\d+) \([0-9A-Z]{5}\): ([^]*)/.exec(words);
  const number = Number(match?.[1] ?? unplaced?.[1] ?? 0);
  if (number === TLS_FAILED)
    return new SalvorError('database-tls-failed', { server, why: unplaced?.[2] ?? words }, { cause: error });
  if (LOST.has(number)) {
    return new SalvorError('database-unreachable', { server: database, words }, { cause: error });
  }
  if (isDiskFull(words)) {
    const where = `at the database server ${server} (${words.slice(-MAX_WORDS_CHARS)})`;
    return new SalvorError('disk-full', { where, number }, { cause: error });
  }
  const line = Number(match?.[2] ?? 0);
  const place = given.findLast((entry) => entry.firstLine <= line);
  // An error without a number is the client's own: a command that its sandbox does not know or allow.
  const isClients = match !== null && match[1] === undefined;
  const code: SalvorErrorCode = REFUSED.has(number) || isClients ? 'dump-refused' : 'load-failed';
  const said = (match?.[3] ?? unplaced?.[2] ?? `${String(error.context['outcome'])} ${words}`).trim();
  return new SalvorError(
    code,
    {
      file: place?.part.file ?? 'the head',
      line: place === undefined ? line : line - place.firstLine + 1,
      number,
      words: said,
    },
    { cause: error },
  );
}

async function* requireEnd(source: AsyncIterable<Uint8Array>, database: string): AsyncGenerator<Uint8Array> {
  let end: Buffer = Buffer.alloc(0);
  for await (const bytes of source) {
    end = Buffer.concat([end, bytes.subarray(-64)]).subarray(-64);
    yield bytes;
  }
  // Other tools and settings put a date behind the marker.
  if (!end.toString('latin1').includes(END_MARKER.toString('latin1').trimEnd())) {
    throw new SalvorError('dump-incomplete', { database, why: 'the end marker of the dump tool is missing' });
  }
}

function countLines(bytes: Uint8Array): number {
  let lines = 0;
  for (let at = bytes.indexOf(0x0a); at !== -1; at = bytes.indexOf(0x0a, at + 1)) lines += 1;
  return lines;
}

/**
 * Lets sessions that begin from now on send the largest packets, until it is disposed; then the server is as it was,
 * unless another load runs on it. A crash leaves the wider limit, which costs nothing.
 */
async function widenPackets({ admin, signal }: LoadOptions): Promise<AsyncDisposable> {
  await using resources = new AsyncDisposableStack();
  const connection = resources.use(await openConnection(admin, signal === undefined ? {} : { signal }));
  const size = await readNumber(connection, 'SELECT @@GLOBAL.max_allowed_packet AS number');
  if (size < MAX_PACKET_BYTES) {
    await connection.execute(`SET GLOBAL max_allowed_packet = ${MAX_PACKET_BYTES}`);
    resources.defer(() => putBack(admin, `SET GLOBAL max_allowed_packet = ${size}`));
  }
  return resources.move();
}

/**
 * With a binary log a user without rights may make no function or trigger, as a replica would run it with all rights. That
 * of a load is made for one scratch database in the user's own name, and made again as the site's user by the switch: for
 * as long as the load runs the server lets it be made.
 */
async function trustCreators({ admin, signal }: LoadOptions): Promise<AsyncDisposable> {
  await using resources = new AsyncDisposableStack();
  const connection = resources.use(await openConnection(admin, signal === undefined ? {} : { signal }));
  const isRefused = 'SELECT @@GLOBAL.log_bin AND NOT @@GLOBAL.log_bin_trust_function_creators AS number';
  if ((await readNumber(connection, isRefused)) === 1) {
    await connection.execute('SET GLOBAL log_bin_trust_function_creators = 1');
    resources.defer(() => putBack(admin, 'SET GLOBAL log_bin_trust_function_creators = 0'));
  }
  return resources.move();
}

/** Unless another load runs, which needs it too. */
async function putBack(admin: DatabaseLogin, statement: string): Promise<void> {
  try {
    await using connection = await openConnection(admin);
    const loads = "SELECT COUNT(*) AS number FROM information_schema.PROCESSLIST WHERE USER LIKE 'salvor\\_%'";
    if ((await readNumber(connection, loads)) === 0) await connection.execute(statement);
  } catch {
    // The server is gone, and with it what was set: what the load ended with is what its caller must hear.
  }
}

async function readNumber(connection: DatabaseConnection, sql: string): Promise<number> {
  const [row] = await connection.query<{ number: string | number }>(sql);
  return Number(row?.number ?? 0);
}
