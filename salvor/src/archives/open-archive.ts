/**
 * Opens a site's archive, ours or Aegir's or BOA's, or a plain dump, as a stream for a restore: dumps and files in the
 * order in which they lie in it. By its content, never by its name; nothing is unpacked anywhere.
 *
 *   bytes → unpacked, bounded → tar? members, judged → dumps and files; our own manifest is compared at the end
 *                             → else one dump
 */
import { createHash } from 'node:crypto';
import type { Problem } from '@salvor/contract';
import { SalvorError } from '../errors.ts';
import {
  ABOUT_NAME,
  type ArchiveAbout,
  type ArchiveManifest,
  DUMP_NAME,
  MANIFEST_NAME,
  MAX_ARCHIVE_MANIFEST_BYTES,
  SUMS_NAME,
  parseAbout,
  parseArchiveManifest,
} from './archive-manifest.ts';
import { SNIFF_BYTES, compressionOf } from './compress/compression.ts';
import { decompress } from './compress/decompress.ts';
import { type SafeMember, guardMembers } from './guard-members.ts';
import { type ArchiveLimits, DEFAULT_LIMITS } from './limits.ts';
import { MemberSum } from './member-sum.ts';
import { nameFault } from './name-fault.ts';
import { ArchiveFault } from './tar/archive-fault.ts';
import { decodeHeader } from './tar/read-header.ts';
import { type ReadMember, readTar } from './tar/read-tar.ts';
import { BLOCK_BYTES } from './tar/tar-member.ts';

export type ArchiveEntry =
  | { readonly kind: 'about'; readonly about: ArchiveAbout }
  /** A plain dump: of the site's own database where `database` is null, else of another. To be read before the next entry. */
  | { readonly kind: 'dump'; readonly database: string | null; readonly content: AsyncIterable<Uint8Array> }
  | { readonly kind: 'member'; readonly member: SafeMember };

export type OpenArchiveOptions = {
  /** For messages. */
  readonly name: string;
  readonly limits?: ArchiveLimits;
  readonly signal?: AbortSignal | undefined;
  readonly onProblem: (problem: Problem) => void;
};

/**
 * Throws 'archive-damaged', 'archive-hostile', 'archive-too-large', 'archive-unsupported', 'archive-unknown', and
 * 'archive-differs' at its end where it is not what its own manifest says: whoever restores uses nothing of it before.
 */
export async function* openArchive(
  source: AsyncIterable<Uint8Array>,
  options: OpenArchiveOptions,
): AsyncGenerator<ArchiveEntry> {
  const { limits = DEFAULT_LIMITS, signal } = options;
  try {
    const packed = await peek(source, SNIFF_BYTES);
    const plain = await peek(decompress(packed.all, compressionOf(packed.head), limits, signal), BLOCK_BYTES);
    if (isTar(plain.head))
      for await (const entry of readArchive(plain.all, options)) yield nameFaultsOf(entry, options.name);
    else if (isDump(plain.head)) yield nameFaultsOf({ kind: 'dump', database: null, content: plain.all }, options.name);
    else
      throw new SalvorError('archive-unknown', { archive: options.name, why: 'it is neither a tar file nor a dump' });
  } catch (error) {
    throw nameFault(error, options.name);
  }
}

/** What is met while its content is read is thrown by that, and not by the archive. */
function nameFaultsOf(entry: ArchiveEntry, archive: string): ArchiveEntry {
  switch (entry.kind) {
    case 'about':
      return entry;
    case 'dump':
      return { ...entry, content: namingFaults(entry.content, archive) };
    case 'member':
      return { ...entry, member: { ...entry.member, content: namingFaults(entry.member.content, archive) } };
    default:
      return entry satisfies never;
  }
}

async function* namingFaults(content: AsyncIterable<Uint8Array>, archive: string): AsyncGenerator<Uint8Array> {
  try {
    yield* content;
  } catch (error) {
    throw nameFault(error, archive);
  }
}

async function* readArchive(tar: AsyncIterable<Uint8Array>, options: OpenArchiveOptions): AsyncGenerator<ArchiveEntry> {
  const { limits = DEFAULT_LIMITS, name, onProblem } = options;
  const sum = new MemberSum();
  let about: ArchiveAbout | null = null;
  let manifest: ArchiveManifest | null = null;
  for await (const member of guardMembers(summed(readTar(tar, limits), sum), limits, onProblem)) {
    if (manifest !== null) throw new ArchiveFault('hostile', 'something follows its manifest');
    if (member.path === ABOUT_NAME) {
      about = parseAbout(await readSmall(member));
      if (about !== null) yield { kind: 'about', about };
    } else if (member.path === MANIFEST_NAME) {
      manifest = parseArchiveManifest(await readSmall(member));
    } else if (member.path !== SUMS_NAME) yield toEntry(member);
  }
  if (about === null) return;
  if (manifest === null || sum.atManifest !== manifest.members.sha256)
    throw new SalvorError('archive-differs', { archive: name, why: 'a member is another than was written' });
}

/** Adds each member to the sum as it is read by whoever reads it; what is left unread is read here. */
async function* summed(members: AsyncIterable<ReadMember>, sum: MemberSum): AsyncGenerator<ReadMember> {
  for await (const member of members) {
    if (member.name === `./${MANIFEST_NAME}`) sum.atManifest = sum.digest();
    const hash = createHash('sha256');
    const { content, isSparse, ...told } = member;
    const iterator = content[Symbol.asyncIterator]();
    const hashed = async function* (): AsyncGenerator<Uint8Array> {
      for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
        hash.update(next.value);
        yield next.value;
      }
    };
    yield { ...told, isSparse, content: { [Symbol.asyncIterator]: hashed } };
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) hash.update(next.value);
    sum.add(told, told.type === 'file' ? hash.digest('hex') : null);
  }
}

function toEntry(member: SafeMember): ArchiveEntry {
  const database = databaseOf(member.path);
  if (database === undefined) return { kind: 'member', member };
  // A dump is read by a program: it may be nothing but a file.
  if (member.type !== 'file') throw new ArchiveFault('hostile', `its ${member.path} is no file`);
  return { kind: 'dump', database, content: member.content };
}

/** Null for the dump of the site's own database; undefined for what is no dump. */
function databaseOf(path: string): string | null | undefined {
  if (path === DUMP_NAME) return null;
  const name = /^database-([^/]+)\.sql$/.exec(path)?.[1];
  if (name === undefined) return undefined;
  try {
    return decodeURIComponent(name);
  } catch {
    return undefined;
  }
}

async function readSmall({ content, size, path }: SafeMember): Promise<Buffer> {
  if (size > MAX_ARCHIVE_MANIFEST_BYTES) throw new ArchiveFault('too-large', `its ${path} has ${size} bytes`);
  const pieces: Uint8Array[] = [];
  for await (const bytes of content) pieces.push(Uint8Array.from(bytes));
  return Buffer.concat(pieces);
}

function isTar(head: Uint8Array): boolean {
  if (head.length < BLOCK_BYTES) return false;
  try {
    return decodeHeader(head, 0) !== null;
  } catch (error) {
    // A header with a right sum and a number that no file has is a header all the same.
    return error instanceof ArchiveFault && error.kind === 'hostile';
  }
}

/** How the dumps of mysqldump, mariadb-dump, Backup and Migrate and phpMyAdmin begin. */
export function isDump(head: Uint8Array): boolean {
  const text = Buffer.from(head.buffer, head.byteOffset, head.byteLength)
    .toString('latin1')
    .replace(/^\xef\xbb\xbf/, '')
    .trimStart();
  return /^(?:--|#|\/\*|SET |CREATE |DROP |INSERT |USE )/i.test(text);
}

type Peeked = { readonly head: Uint8Array; readonly all: AsyncIterable<Uint8Array> };

/** The first bytes of a stream, and the whole of it. */
async function peek(source: AsyncIterable<Uint8Array>, count: number): Promise<Peeked> {
  const iterator = source[Symbol.asyncIterator]();
  const pieces: Uint8Array[] = [];
  let length = 0;
  while (length < count) {
    const next = await iterator.next();
    if (next.done === true) break;
    pieces.push(Uint8Array.from(next.value));
    length += next.value.length;
  }
  const first = Buffer.concat(pieces);
  const all = async function* (): AsyncGenerator<Uint8Array> {
    try {
      yield first;
      for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value;
    } finally {
      await iterator.return?.();
    }
  };
  return { head: first.subarray(0, count), all: all() };
}
