/**
 * Sparse files as GNU tar writes them: the old format with pieces in header blocks, and the PAX formats 0.0, 0.1 and
 * 1.0. What is not in a piece is zero bytes; the pieces lie in the archive one behind the other.
 */
import { ArchiveFault } from './archive-fault.ts';
import type { ByteReader } from './byte-reader.ts';
import { type HeaderBlock, readNumber } from './read-header.ts';
import { type PaxRecord, paxCount } from './read-pax.ts';
import { BLOCK_BYTES, bytesToName } from './tar-member.ts';

export type SparsePiece = { readonly offset: number; readonly bytes: number };

export type SparseMap = {
  /** Bytes of the whole file, zeros included. */
  readonly size: number;
  readonly pieces: readonly SparsePiece[];
  /** Bytes of the member's content that the map itself took. */
  readonly mapBytes: number;
};

const OLD_PIECES_AT = 386;
const OLD_IS_EXTENDED_AT = 482;
const OLD_SIZE_AT = 483;
const PIECE_FIELD_BYTES = 12;

/** The map of a member of type `S`: four pieces in its header, and 21 in each block behind while there are more. */
export async function readOldSparse(header: HeaderBlock, reader: ByteReader, maxPieces: number): Promise<SparseMap> {
  const size = fieldOf(header.bytes, OLD_SIZE_AT, reader.offset);
  const pieces = oldPieces(header.bytes, OLD_PIECES_AT, 4, reader.offset);
  for (let isExtended = header.bytes[OLD_IS_EXTENDED_AT] === 1; isExtended;) {
    const block = await reader.upTo(BLOCK_BYTES);
    if (block.length < BLOCK_BYTES) throw new ArchiveFault('damaged', 'it ends in the list of a sparse file');
    pieces.push(...oldPieces(block, 0, 21, reader.offset));
    if (pieces.length > maxPieces) throw tooManyPieces(maxPieces);
    isExtended = block[504] === 1;
  }
  return { size, pieces, mapBytes: 0 };
}

function oldPieces(block: Uint8Array, at: number, count: number, offset: number): SparsePiece[] {
  const pieces: SparsePiece[] = [];
  for (let i = 0; i < count; i++) {
    const from = at + i * 2 * PIECE_FIELD_BYTES;
    if (block[from] === 0) break;
    pieces.push({ offset: fieldOf(block, from, offset), bytes: fieldOf(block, from + PIECE_FIELD_BYTES, offset) });
  }
  return pieces;
}

function fieldOf(block: Uint8Array, at: number, offset: number): number {
  const value = readNumber(block, at, PIECE_FIELD_BYTES, 'list of pieces', offset);
  if (value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER))
    throw new ArchiveFault('hostile', 'a sparse file is larger than files are');
  return Number(value);
}

/** Whether PAX records describe a sparse file, and of which format. */
export function sparseFormatOf(records: readonly PaxRecord[]): '0' | '1.0' | null {
  const major = lastOf(records, 'GNU.sparse.major');
  const minor = lastOf(records, 'GNU.sparse.minor');
  if (major === '1' && minor === '0') return '1.0';
  if (major !== null && major !== '0')
    throw new ArchiveFault('unsupported', 'a sparse file is of a format that is not known');
  return lastOf(records, 'GNU.sparse.map') !== null || lastOf(records, 'GNU.sparse.numblocks') !== null ? '0' : null;
}

/** Formats 0.0 (repeated records) and 0.1 (one list): the map stands in the header. */
export function readPaxSparse(records: readonly PaxRecord[], maxPieces: number): SparseMap {
  const size = paxCount(
    lastOf(records, 'GNU.sparse.size') ?? lastOf(records, 'GNU.sparse.realsize') ?? '',
    'GNU.sparse.size',
  );
  const map = lastOf(records, 'GNU.sparse.map');
  const numbers =
    map === null
      ? records
          .filter(({ key }) => key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes')
          .map(({ value }) => value)
      : map.split(',').filter((part) => part !== '');
  if (numbers.length > 2 * maxPieces) throw tooManyPieces(maxPieces);
  return { size, pieces: pairUp(numbers.map((number) => paxCount(number, 'GNU.sparse.map'))), mapBytes: 0 };
}

/** Format 1.0: the map is decimal numbers, a line each, in front of the content and padded to a block. */
export async function readSparseInContent(
  records: readonly PaxRecord[],
  reader: ByteReader,
  storedBytes: number,
  maxPieces: number,
): Promise<SparseMap> {
  const size = paxCount(lastOf(records, 'GNU.sparse.realsize') ?? '', 'GNU.sparse.realsize');
  const numbers: number[] = [];
  let wanted = 1;
  let line = '';
  let mapBytes = 0;
  while (numbers.length < wanted) {
    const block = await reader.upTo(BLOCK_BYTES);
    mapBytes += BLOCK_BYTES;
    if (block.length < BLOCK_BYTES || mapBytes > storedBytes)
      throw new ArchiveFault('damaged', 'it ends in the list of a sparse file');
    for (const character of bytesToName(block)) {
      if (numbers.length === wanted) break;
      if (character !== '\n') {
        line += character;
        continue;
      }
      numbers.push(paxCount(line, 'the list of a sparse file'));
      line = '';
      if (numbers.length === 1) wanted = 1 + 2 * (numbers[0] ?? 0);
      if (wanted > 1 + 2 * maxPieces) throw tooManyPieces(maxPieces);
    }
    if (line.length > 20) throw new ArchiveFault('hostile', 'the list of a sparse file holds no numbers');
  }
  return { size, pieces: pairUp(numbers.slice(1)), mapBytes };
}

/** Throws `hostile` where pieces overlap, lie beyond the end, or are not the bytes that are stored. */
export function checkSparse({ size, pieces, mapBytes }: SparseMap, storedBytes: number): void {
  let end = 0;
  let bytes = mapBytes;
  for (const piece of pieces) {
    if (piece.offset < end) throw new ArchiveFault('hostile', 'the pieces of a sparse file overlap');
    end = piece.offset + piece.bytes;
    bytes += piece.bytes;
    if (end > size) throw new ArchiveFault('hostile', 'a piece of a sparse file lies beyond its end');
  }
  if (bytes !== storedBytes)
    throw new ArchiveFault('hostile', 'the pieces of a sparse file are not the bytes that are stored');
}

function pairUp(numbers: readonly number[]): SparsePiece[] {
  if (numbers.length % 2 !== 0) throw new ArchiveFault('damaged', 'the list of a sparse file is cut off');
  return Array.from({ length: numbers.length / 2 }, (_, i) => ({
    offset: numbers[2 * i] ?? 0,
    bytes: numbers[2 * i + 1] ?? 0,
  }));
}

function lastOf(records: readonly PaxRecord[], key: string): string | null {
  return records.findLast((record) => record.key === key)?.value ?? null;
}

function tooManyPieces(most: number): ArchiveFault {
  return new ArchiveFault('too-large', `a sparse file has more than ${most} pieces`);
}
