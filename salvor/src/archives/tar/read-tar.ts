/**
 * Reads a tar stream member by member: old, ustar, GNU's and PAX. Believes nothing: each length is bounded, each number
 * checked, and what two programs could read in two ways is a fault. Knows nothing of where a name would lead:
 * `guard-members.ts` judges names.
 *
 *   header blocks (long names, extended headers) → the member → its content, which the caller reads or not → padding
 *
 * What is read past the end of the archive is passed over, so that a compressor's own check at its end is reached.
 */
import type { ArchiveLimits } from '../limits.ts';
import { MAX_PATH_BYTES } from '../limits.ts';
import { ArchiveFault } from './archive-fault.ts';
import { ByteReader } from './byte-reader.ts';
import { type HeaderBlock, decodeHeader } from './read-header.ts';
import { type PaxRecord, paxCount, paxTime, readPax } from './read-pax.ts';
import {
  type SparseMap,
  checkSparse,
  readOldSparse,
  readPaxSparse,
  readSparseInContent,
  sparseFormatOf,
} from './sparse.ts';
import { BLOCK_BYTES, type TarMember, type TarType, type Xattr, paddingOf } from './tar-member.ts';

export type ReadMember = TarMember & {
  /** The content, to be read once and before the next member is asked for; what is left is passed over. */
  readonly content: AsyncIterable<Uint8Array>;
  readonly isSparse: boolean;
};

/** Zero bytes of a sparse file: pieces of this very buffer, so that whoever writes them can leave a hole. */
const HOLE = Buffer.alloc(256 * 1024);

export function isHole(bytes: Uint8Array): boolean {
  return bytes.buffer === HOLE.buffer;
}

/** Throws `ArchiveFault`, and what the source throws. */
export async function* readTar(source: AsyncIterable<Uint8Array>, limits: ArchiveLimits): AsyncGenerator<ReadMember> {
  await using reader = new ByteReader(source);
  const tar = new TarReader(reader, limits);
  for (let member = await tar.next(); member !== null; member = await tar.next()) yield member;
}

type Extras = { name: string | null; linkName: string | null; records: readonly PaxRecord[] };

/** Of one member that is being read: how much of its content is still in the stream. */
type Content = { left: number; padding: number };

class TarReader {
  readonly #reader: ByteReader;
  readonly #limits: ArchiveLimits;
  #content: Content = { left: 0, padding: 0 };
  #members = 0;

  constructor(reader: ByteReader, limits: ArchiveLimits) {
    this.#reader = reader;
    this.#limits = limits;
  }

  /** Null at the end of the archive, which must be there: two empty blocks, or one as some programs write. */
  async next(): Promise<ReadMember | null> {
    await this.#passOver();
    const extras: Extras = { name: null, linkName: null, records: [] };
    for (;;) {
      const header = await this.#readHeader();
      if (header === null) return null;
      if (++this.#members > this.#limits.maxMembers)
        throw new ArchiveFault('too-large', `it has more than ${this.#limits.maxMembers} members`);
      if (!(await this.#takeExtra(header, extras))) return this.#open(header, extras);
    }
  }

  async #readHeader(): Promise<HeaderBlock | null> {
    const offset = this.#reader.offset;
    const block = await this.#reader.upTo(BLOCK_BYTES);
    if (block.length < BLOCK_BYTES)
      throw new ArchiveFault('damaged', `it is cut off at byte ${this.#reader.offset}: its end is missing`);
    const header = decodeHeader(Buffer.from(block), offset);
    if (header === null) await this.#reader.skip(Number.MAX_SAFE_INTEGER);
    return header;
  }

  /** True for a header that only says something of the next one. */
  async #takeExtra(header: HeaderBlock, extras: Extras): Promise<boolean> {
    switch (header.flag) {
      case 'L':
        extras.name = endAtZero(await this.#readWhole(header, MAX_PATH_BYTES + 1));
        return true;
      case 'K':
        extras.linkName = endAtZero(await this.#readWhole(header, MAX_PATH_BYTES + 1));
        return true;
      case 'x':
      case 'X':
        extras.records = readPax(await this.#readWhole(header, this.#limits.maxHeaderBytes));
        return true;
      case 'g':
        refuseGlobals(readPax(await this.#readWhole(header, this.#limits.maxHeaderBytes)));
        return true;
      case 'V':
        // A label of the whole archive.
        if (header.size > 0) throw new ArchiveFault('hostile', 'a label has content');
        return true;
      default:
        return false;
    }
  }

  async #readWhole(header: HeaderBlock, most: number): Promise<Uint8Array> {
    if (header.size > most)
      throw new ArchiveFault('too-large', `an extended header has ${header.size} bytes and ${most} are taken`);
    const bytes = Buffer.from(await this.#reader.upTo(header.size));
    const padding = paddingOf(header.size);
    if (bytes.length < header.size || (await this.#reader.skip(padding)) < padding)
      throw new ArchiveFault('damaged', 'it is cut off in an extended header');
    return bytes;
  }

  async #open(header: HeaderBlock, extras: Extras): Promise<ReadMember> {
    const said = new Map(extras.records.filter(({ value }) => value !== '').map(({ key, value }) => [key, value]));
    const stored = said.has('size') ? paxCount(said.get('size') ?? '', 'size') : header.size;
    const name = said.get('GNU.sparse.name') ?? said.get('path') ?? extras.name ?? header.name;
    const type = typeOf(header, name);
    // GNU tar takes a hard link's size for that of the other name, and nothing follows.
    if (type !== 'file' && type !== 'directory' && type !== 'hardlink' && stored > 0)
      throw new ArchiveFault('hostile', 'a member that is no file has content');
    const bytes = type === 'hardlink' ? 0 : stored;
    this.#content = { left: bytes, padding: paddingOf(bytes) };
    const sparse = type === 'file' ? await this.#readSparse(header, extras.records, bytes) : null;
    const content = this.#content;
    return {
      name: type === 'directory' ? name.replace(/(?<=[^/])\/+$/, '') : name,
      type,
      mode: header.mode,
      uid: said.has('uid') ? paxCount(said.get('uid') ?? '', 'uid') : header.uid,
      gid: said.has('gid') ? paxCount(said.get('gid') ?? '', 'gid') : header.gid,
      user: said.get('uname') ?? header.user,
      group: said.get('gname') ?? header.group,
      size: type === 'file' ? (sparse?.size ?? bytes) : 0,
      mtimeNs: said.has('mtime') ? paxTime(said.get('mtime') ?? '') : header.mtimeNs,
      linkName: said.get('linkpath') ?? extras.linkName ?? header.linkName,
      xattrs: xattrsOf(extras.records),
      isSparse: sparse !== null,
      content: type !== 'file' ? NOTHING : sparse === null ? this.#read(content, bytes) : this.#expand(content, sparse),
    };
  }

  async #readSparse(header: HeaderBlock, records: readonly PaxRecord[], stored: number): Promise<SparseMap | null> {
    const { maxPieces } = this.#limits;
    const format = sparseFormatOf(records);
    let map: SparseMap | null = null;
    if (header.flag === 'S') map = await readOldSparse(header, this.#reader, maxPieces);
    else if (format === '0') map = readPaxSparse(records, maxPieces);
    else if (format === '1.0') map = await readSparseInContent(records, this.#reader, stored, maxPieces);
    if (map === null) return null;
    checkSparse(map, stored);
    this.#content.left -= map.mapBytes;
    return map;
  }

  async *#read(content: Content, bytes: number): AsyncGenerator<Uint8Array> {
    for (let left = bytes; left > 0;) {
      if (content !== this.#content) throw new Error('a member was read after the next one was asked for');
      const piece = await this.#reader.some(left);
      if (piece === null) throw new ArchiveFault('damaged', 'it is cut off in the content of a file');
      content.left -= piece.length;
      left -= piece.length;
      yield piece;
    }
  }

  async *#expand(content: Content, { size, pieces }: SparseMap): AsyncGenerator<Uint8Array> {
    let at = 0;
    for (const { offset, bytes } of pieces) {
      yield* holeOf(offset - at);
      yield* this.#read(content, bytes);
      at = offset + bytes;
    }
    yield* holeOf(size - at);
  }

  async #passOver(): Promise<void> {
    const { left, padding } = this.#content;
    this.#content = { left: 0, padding: 0 };
    if ((await this.#reader.skip(left + padding)) < left + padding)
      throw new ArchiveFault('damaged', 'it is cut off in the content of a file');
  }
}

function* holeOf(bytes: number): Generator<Uint8Array> {
  for (let left = bytes; left > 0; left -= HOLE.length) yield HOLE.subarray(0, Math.min(left, HOLE.length));
}

const NOTHING: AsyncIterable<Uint8Array> = {
  [Symbol.asyncIterator]: () => ({ next: async () => ({ done: true as const, value: undefined }) }),
};

function typeOf(header: HeaderBlock, name: string): TarType {
  switch (header.flag) {
    case '0':
    case '\0':
      // Before there was a type for them, directories were files whose names end with a slash.
      return name.endsWith('/') ? 'directory' : 'file';
    case '7':
    case 'S':
      return 'file';
    case '1':
      return 'hardlink';
    case '2':
      return 'symlink';
    case '3':
      return 'character-device';
    case '4':
      return 'block-device';
    case '5':
    case 'D':
      return 'directory';
    case '6':
      return 'fifo';
    case 'M':
      throw new ArchiveFault('unsupported', 'it is one of several volumes');
    default:
      throw new ArchiveFault('unsupported', `it has a member of type ${JSON.stringify(header.flag)}`);
  }
}

/** What all members share may be an owner or a time that each states itself; a name or a size for all is a trick. */
function refuseGlobals(records: readonly PaxRecord[]): void {
  const found = records.find(({ key }) => /^(?:path|linkpath|size|GNU\.sparse\..*)$/.test(key));
  if (found !== undefined) throw new ArchiveFault('hostile', `a global header sets the ${found.key} of all members`);
}

const XATTR = 'SCHILY.xattr.';

function xattrsOf(records: readonly PaxRecord[]): Xattr[] {
  return records
    .filter(({ key }) => key.startsWith(XATTR))
    .map(({ key, value }) => ({
      name: key.slice(XATTR.length).replaceAll('%3D', '=').replaceAll('%25', '%'),
      value: Buffer.from(value, 'latin1'),
    }));
}

function endAtZero(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return Buffer.from(bytes.buffer, bytes.byteOffset, end === -1 ? bytes.length : end).toString('latin1');
}
