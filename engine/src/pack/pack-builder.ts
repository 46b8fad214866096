/**
 * One pack in the making: sealed blobs one after another in a buffer, then the header. Where a storage takes a file
 * before it has its name, the pack goes there piece by piece, and no more than a piece of it is held.
 */
import { createHash, hash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { HEADER_LENGTH_BYTES, encodePackHeader, entryBytes } from '../format/pack-header.ts';
import type { BlobType, PackEntry } from '../format/pack-header.ts';
import { MAX_PACK_BLOBS, PACK_TARGET_BYTES } from '../limits.ts';
import { SEAL_OVERHEAD_BYTES } from '../seal/master-key.ts';
import type { MasterKey } from '../seal/master-key.ts';

/** Room behind the target for a usual last blob and the header; larger blobs make the buffer grow. */
export const PACK_BUFFER_BYTES: number = PACK_TARGET_BYTES + 2 * 1024 * 1024;

/** Of a pack that goes out in pieces: large beside what a write costs, small beside a pack. */
export const PACK_PIECE_BYTES: number = 2 * 1024 * 1024;

/** Pieces have whole pages, the last one apart: what the disk takes directly. */
const PAGE_BYTES = 4096;

/** Takes the pieces of one pack, whose buffers change hands, and has buffers of earlier ones. */
export type PieceDock = {
  readonly ship: (piece: Buffer) => void;
  readonly spareBuffer: () => ArrayBuffer | undefined;
};

/** A blob of a pack, and the entry of the index that it settles. */
export type BuiltEntry = PackEntry & { readonly claim: number };

/** A finished pack: `bytes` are the file's last piece, or all of it where it is the only one, `id` its name. */
export type BuiltPack = {
  readonly id: string;
  readonly bytes: Buffer;
  readonly entries: readonly BuiltEntry[];
};

export class PackBuilder {
  readonly type: BlobType;
  readonly entries: BuiltEntry[] = [];
  readonly #pieces: PieceDock | null;
  #buffer: Buffer;
  /** Bytes in the buffer, and before them. */
  #length = 0;
  #shipped = 0;
  #hash: Hash | null = null;

  /** `buffer`: one that an earlier pack gave back; with `pieces` all buffers come from there. */
  constructor(
    type: BlobType,
    { buffer, pieces = null }: { buffer?: ArrayBuffer | undefined; pieces?: PieceDock | null } = {},
  ) {
    this.type = type;
    this.#pieces = pieces;
    if (pieces === null)
      this.#buffer = buffer === undefined ? Buffer.allocUnsafeSlow(PACK_BUFFER_BYTES) : Buffer.from(buffer);
    else this.#buffer = pieceBuffer(PACK_PIECE_BYTES, pieces);
  }

  get isFull(): boolean {
    return this.#shipped + this.#length >= PACK_TARGET_BYTES || this.entries.length >= MAX_PACK_BLOBS;
  }

  /** Whether a part of it is on its way: it can't be put together with another one then. */
  get isShipping(): boolean {
    return this.#shipped > 0;
  }

  /** Seals a blob in its stored form behind the others; the sealed bytes are returned for a second look. */
  append(key: MasterKey, id: string, stored: Uint8Array, plainBytes: number | null, claim: number): Buffer {
    const length = stored.length + SEAL_OVERHEAD_BYTES;
    this.#reserve(length);
    key.sealInto(stored, this.#buffer, this.#length);
    return this.#add({ type: this.type, id, offset: this.#shipped + this.#length, length, plainBytes, claim });
  }

  /** Takes over all blobs of another builder as they are sealed. */
  appendSealed(payload: Uint8Array, entries: readonly BuiltEntry[]): void {
    for (const entry of entries) {
      this.#reserve(entry.length);
      this.#buffer.set(payload.subarray(entry.offset, entry.offset + entry.length), this.#length);
      this.#add({ ...entry, offset: this.#shipped + this.#length });
    }
  }

  /** The sealed blobs without a header, in the pack's own buffer; not of one that is shipping. */
  payload(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Closes the pack with its header. */
  finish(key: MasterKey): BuiltPack {
    const header = encodePackHeader(this.entries);
    const sealedLength = header.length + SEAL_OVERHEAD_BYTES;
    this.#reserve(sealedLength + HEADER_LENGTH_BYTES);
    key.sealInto(header, this.#buffer, this.#length);
    this.#length += sealedLength;
    this.#length = this.#buffer.writeUInt32LE(sealedLength, this.#length);
    const bytes = this.payload();
    const id = this.#hash === null ? hash('sha256', bytes, 'hex') : this.#hash.update(bytes).digest('hex');
    return { id, bytes, entries: this.entries };
  }

  #add(entry: BuiltEntry): Buffer {
    this.entries.push(entry);
    const sealed = this.#buffer.subarray(this.#length, this.#length + entry.length);
    this.#length += entry.length;
    return sealed;
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return;
    if (this.#pieces !== null) {
      this.#ship(this.#pieces, bytes);
      return;
    }
    const larger = Buffer.allocUnsafeSlow(this.#length + bytes + 1024 * 1024);
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }

  /** Ships all whole pages, and goes on with the rest in a buffer with room for some bytes more. */
  #ship(pieces: PieceDock, bytes: number): void {
    const whole = this.#length - (this.#length % PAGE_BYTES);
    const rest = this.#length - whole;
    const next = pieceBuffer(rest + bytes, pieces);
    this.#buffer.copy(next, 0, whole, this.#length);
    const piece = this.#buffer.subarray(0, whole);
    this.#buffer = next;
    this.#length = rest;
    this.#shipped += whole;
    if (whole === 0) return;
    (this.#hash ??= createHash('sha256')).update(piece);
    pieces.ship(piece);
  }
}

/** Room for so many bytes, in whole pages. */
function pieceBuffer(bytes: number, pieces: PieceDock): Buffer {
  const spare = bytes <= PACK_PIECE_BYTES ? pieces.spareBuffer() : undefined;
  const length = Math.max(PACK_PIECE_BYTES, Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES);
  // One that could be resized begins at a page; others are the heap's.
  const memory = spare ?? new ArrayBuffer(length, { maxByteLength: length });
  return Buffer.from(memory, 0, memory.byteLength);
}

/** Bytes of a pack file by what its index says: blobs, header, and the header's seal and length. */
export function packBytes(entries: readonly Pick<PackEntry, 'length' | 'plainBytes'>[]): number {
  const blobs = entries.reduce((sum, entry) => sum + entry.length + entryBytes(entry), 0);
  return blobs + SEAL_OVERHEAD_BYTES + HEADER_LENGTH_BYTES;
}
