/** One pack in the making: sealed blobs one after another in a buffer, then the header. */
import { hash } from 'node:crypto';
import { HEADER_LENGTH_BYTES, encodePackHeader, entryBytes } from '../format/pack-header.ts';
import type { BlobType, PackEntry } from '../format/pack-header.ts';
import { PACK_TARGET_BYTES } from '../limits.ts';
import { SEAL_OVERHEAD_BYTES } from '../seal/master-key.ts';
import type { MasterKey } from '../seal/master-key.ts';

/** Room behind the target for a usual last blob and the header; larger blobs make the buffer grow. */
export const PACK_BUFFER_BYTES: number = PACK_TARGET_BYTES + 2 * 1024 * 1024;

/** A blob of a pack, and the entry of the index that it settles. */
export type BuiltEntry = PackEntry & { readonly claim: number };

/** A finished pack: `bytes` are the file, `id` its name. */
export type BuiltPack = { readonly id: string; readonly bytes: Buffer; readonly entries: readonly BuiltEntry[] };

export class PackBuilder {
  readonly type: BlobType;
  readonly entries: BuiltEntry[] = [];
  #buffer: Buffer;
  #length = 0;

  /** `buffer`: one that an earlier pack gave back. */
  constructor(type: BlobType, buffer?: ArrayBuffer) {
    this.type = type;
    this.#buffer = buffer === undefined ? Buffer.allocUnsafeSlow(PACK_BUFFER_BYTES) : Buffer.from(buffer);
  }

  get payloadBytes(): number {
    return this.#length;
  }

  get isFull(): boolean {
    return this.#length >= PACK_TARGET_BYTES;
  }

  /** Seals a blob in its stored form behind the others; the sealed bytes are returned for a second look. */
  append(key: MasterKey, id: string, stored: Uint8Array, plainBytes: number | null, claim: number): Buffer {
    const length = stored.length + SEAL_OVERHEAD_BYTES;
    this.#reserve(length);
    key.sealInto(stored, this.#buffer, this.#length);
    return this.#add({ type: this.type, id, offset: this.#length, length, plainBytes, claim });
  }

  /** Takes over all blobs of another builder as they are sealed. */
  appendSealed(payload: Uint8Array, entries: readonly BuiltEntry[]): void {
    for (const entry of entries) {
      this.#reserve(entry.length);
      this.#buffer.set(payload.subarray(entry.offset, entry.offset + entry.length), this.#length);
      this.#add({ ...entry, offset: this.#length });
    }
  }

  /** The sealed blobs without a header, in the pack's own buffer. */
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
    return { id: hash('sha256', bytes, 'hex'), bytes, entries: this.entries };
  }

  #add(entry: BuiltEntry): Buffer {
    this.entries.push(entry);
    const sealed = this.#buffer.subarray(entry.offset, entry.offset + entry.length);
    this.#length += entry.length;
    return sealed;
  }

  #reserve(bytes: number): void {
    const wanted = this.#length + bytes;
    if (wanted <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(wanted + 1024 * 1024);
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}

/** Bytes of a pack file by what its index says: blobs, header, and the header's seal and length. */
export function packBytes(entries: readonly Pick<PackEntry, 'length' | 'plainBytes'>[]): number {
  const blobs = entries.reduce((sum, entry) => sum + entry.length + entryBytes(entry), 0);
  return blobs + SEAL_OVERHEAD_BYTES + HEADER_LENGTH_BYTES;
}
