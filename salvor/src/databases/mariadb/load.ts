/**
 * Loads a dump, which is foreign code, into a scratch database: the stock client in its sandbox, as a user of
 * the operating system without rights, as a database user who has this one database.
 *
 *   head + sequences → sessions in parallel, each: head, then table after table from one queue → head + tail, alone
 *
 * What one session is told, and how it is known what it has done: `load-session.ts`.
 */
import { SalvorError } from '../../errors.ts';
import type { OsUser } from '../../lib/run.ts';
import type { DatabaseLogin } from './connect.ts';
import { findSequences } from './find-sequences.ts';
import { LoadRun } from './load-session.ts';
import { type FoundDefiner, rewriteDefiners } from './rewrite-definers.ts';
import type { Scratch } from './scratch.ts';
import { trustCreators, widenPackets } from './server-for-load.ts';
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
  /** Sessions at a time; default 6: while some wait for the disk or their clients, two processors have work. */
  readonly parallel?: number;
  /** From what size on a table is made quicker to load; default 256 KiB: fewer rows cost nothing. */
  readonly prepareFromBytes?: number;
  /** Whether the secondary keys of such a table may come behind its rows; by default they do. */
  readonly keysBehind?: boolean;
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

const DEFAULT_SESSIONS = 6;

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

  const start = (changed: Partial<LoadOptions> = {}): LoadRun =>
    new LoadRun(scratch, head, parts.length - 1, { ...options, ...changed });
  let load = start();
  try {
    await loadTables(load, { sequences, tables }, options);
  } catch (error) {
    if (!isWithoutRoomToSort(error)) throw error;
    // Each part begins with the drop of what it makes.
    load = start({ keysBehind: false });
    await loadTables(load, { sequences, tables }, options);
  }

  const definers: FoundDefiner[] = [];
  const last = [{ ...tail, open: () => rewriteDefiners(requireEnd(tail.open(), scratch.database), definers, origin) }];
  await load.runSession(() => last.shift(), options.signal);
  return { definers };
}

/**
 * Sequences first, then tables in parallel sessions. One of them begins with the smallest: to make a table is to wait for the
 * disk, which the others need not wait for while they have rows to put in.
 */
async function loadTables(
  load: LoadRun,
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
    Array.from({ length: sessions }, async (_, number) => {
      const takesSmallest = number > 0 && number === sessions - 1;
      try {
        await load.runSession(() => (takesSmallest ? queue.pop() : queue.shift()), signal);
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
