/**
 * A database as entries of a snapshot: a directory with one file per table between head and tail, dumped while the
 * engine reads it: one pass over the tool's output, nothing held. What was read is counted and hashed for the manifest.
 */
import { createHash } from 'node:crypto';
import type { Problem } from '@salvor/contract';
import type { SourceEntry } from '@salvor/engine';
import type { DatabaseLogin } from '../databases/mariadb/connect.ts';
import { dumpDatabase } from '../databases/mariadb/dump.ts';
import { makeDirectoryName } from '../databases/mariadb/part-name.ts';
import type { NamePrefixes } from '../databases/mariadb/own-names.ts';
import type { DatabaseFacts } from '../databases/mariadb/probe.ts';
import type { SiteDatabase } from '../sites/site.ts';
import type { ManifestDatabase, ManifestFile } from './manifest.ts';

/** A database of the site, and where its tables are read: under its own name as its own user, or where a restore has put them. */
export type CaptureDatabase = {
  readonly database: SiteDatabase;
  readonly facts: DatabaseFacts;
  readonly readFrom: { readonly login: DatabaseLogin; readonly name: string };
  /** Tables of which only the structure is kept. */
  readonly withoutRows?: readonly string[];
  /** What is the site's in it, where others use it too. */
  readonly names?: NamePrefixes | null;
};

export type DumpEntriesOptions = {
  /** A directory of ours alone, for what the dump tool is told. */
  readonly scratch: string;
  /** Mean size of what tables are cut into. */
  readonly cutBytes: number;
  /** What the files in the snapshot say of their age. */
  readonly time: Date;
  readonly clock: () => Date;
  readonly signal: AbortSignal;
  readonly onProblem: (problem: Problem) => void;
  /** Called when the database's dump was read to its end. */
  readonly onDone: (database: ManifestDatabase) => void;
};

/** Roughly what their dumps will have: tables without their indexes, in bytes, as the server estimates them. */
export function sizeOfDatabases(databases: readonly CaptureDatabase[]): number {
  const tables = databases.flatMap(({ facts }) => facts.tables);
  return tables.reduce((sum, table) => sum + table.approximateDataBytes, 0);
}

/** The dump that failed is what failed, not the engine that was reading it. */
export function unwrapSourceFailure(error: unknown): unknown {
  const isSource = error instanceof Error && 'code' in error && error.code === 'source-failed';
  return isSource && error.cause instanceof Error ? error.cause : error;
}

/** The directory of one database. Reading it throws what the dump throws, its database named in the message. */
export function dumpEntries(wanted: CaptureDatabase, options: DumpEntriesOptions): SourceEntry {
  const name = makeDirectoryName(wanted.database.name);
  return { kind: 'directory', name, mode: 0o700, mtimeNs: toNs(options.time), entries: dumpParts(wanted, options) };
}

/** Yields the next file of the dump when the one before was read. */
async function* dumpParts(
  { database, facts, readFrom, names, withoutRows = [] }: CaptureDatabase,
  { scratch, cutBytes, time, clock, signal, onProblem, onDone }: DumpEntriesOptions,
): AsyncGenerator<SourceEntry> {
  const files: ManifestFile[] = [];
  const began = clock();
  const parts = dumpDatabase(readFrom.login, readFrom.name, {
    defaultsDirectory: scratch,
    signal,
    cutBytes,
    withoutRows,
    names: names ?? undefined,
    onProblem: ({ code, message, name }) => onProblem({ code, message, path: `${database.name}.${name}` }),
  });
  for await (const part of parts) {
    const { file, kind, table } = part;
    const { counted, count } = countBytes(part.bytes);
    const cut = kind === 'table' ? 'given' : 'content';
    yield { kind: 'stream', name: file, mode: 0o600, mtimeNs: toNs(time), cut, open: () => counted };
    const rows = kind === 'table' ? part.rows() : null;
    files.push({ name: file, kind, table, rows, ...count() });
  }
  const directory = makeDirectoryName(database.name);
  onDone({
    engine: 'mariadb',
    name: database.name,
    ...(directory === database.name ? {} : { directory }),
    user: database.login.user,
    prefix: database.prefix,
    ...(names == null ? {} : { others: [...new Set(names.others)] }),
    charset: facts.charset,
    collation: facts.collation,
    server: facts.serverVersion,
    time: began.toISOString(),
    views: [...facts.views],
    files,
  });
}

/** Passes bytes on; asked at their end, `count` says how many they were, and their hash. */
export function countBytes(source: AsyncIterable<Uint8Array>): {
  readonly counted: AsyncIterable<Uint8Array>;
  readonly count: () => Pick<ManifestFile, 'bytes' | 'sha256'>;
} {
  const hash = createHash('sha256');
  let bytes = 0;
  const pass = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      hash.update(chunk);
      bytes += chunk.length;
      yield chunk;
    }
  };
  return { counted: pass(), count: () => ({ bytes, sha256: hash.digest('hex') }) };
}

function toNs(time: Date): bigint {
  return BigInt(time.getTime()) * 1_000_000n;
}
