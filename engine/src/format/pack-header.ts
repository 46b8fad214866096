/**
 * The header at the end of a pack: one entry per blob, in the order of the blobs, sealed, then its length.
 *
 *   pack   = sealed blobs ‖ sealed header ‖ u32 little-endian length of the sealed header
 *   entry  = type (0 data, 1 tree: u32 sealed length, id) or (2 data, 3 tree, compressed: u32 sealed length, u32 plain length, id)
 */
import { ID_BYTES } from '../ids.ts';

export type BlobType = 'data' | 'tree';

/** One blob of a pack. `plainBytes` is null where it lies uncompressed; `offset` and `length` are of the sealed bytes. */
export type PackEntry = {
  readonly type: BlobType;
  readonly id: string;
  readonly offset: number;
  readonly length: number;
  readonly plainBytes: number | null;
};

/** The length field behind the header. */
export const HEADER_LENGTH_BYTES = 4;
const PLAIN_ENTRY_BYTES = 1 + 4 + ID_BYTES;
const COMPRESSED_ENTRY_BYTES = PLAIN_ENTRY_BYTES + 4;

/** What a header entry takes, bytes. */
export function entryBytes(entry: Pick<PackEntry, 'plainBytes'>): number {
  return entry.plainBytes === null ? PLAIN_ENTRY_BYTES : COMPRESSED_ENTRY_BYTES;
}

/** The plaintext of a header. */
export function encodePackHeader(entries: readonly PackEntry[]): Buffer {
  const out = Buffer.allocUnsafe(entries.reduce((sum, entry) => sum + entryBytes(entry), 0));
  let at = 0;
  for (const entry of entries) {
    out[at] = (entry.type === 'tree' ? 1 : 0) + (entry.plainBytes === null ? 0 : 2);
    at = out.writeUInt32LE(entry.length, at + 1);
    if (entry.plainBytes !== null) at = out.writeUInt32LE(entry.plainBytes, at);
    at += out.write(entry.id, at, 'hex');
  }
  return out;
}

/** @throws RangeError where the bytes are no header. */
export function decodePackHeader(header: Uint8Array): PackEntry[] {
  const bytes = Buffer.from(header.buffer, header.byteOffset, header.length);
  const entries: PackEntry[] = [];
  let at = 0;
  let offset = 0;
  while (at < bytes.length) {
    const kind = bytes[at] ?? 0xff;
    if (kind > 3) throw new RangeError(`its header has an entry of type ${kind}`);
    const isCompressed = kind >= 2;
    const size = isCompressed ? COMPRESSED_ENTRY_BYTES : PLAIN_ENTRY_BYTES;
    if (at + size > bytes.length) throw new RangeError('its header is cut off');
    const length = bytes.readUInt32LE(at + 1);
    const plainBytes = isCompressed ? bytes.readUInt32LE(at + 5) : null;
    const id = bytes.toString('hex', at + size - ID_BYTES, at + size);
    entries.push({ type: kind % 2 === 1 ? 'tree' : 'data', id, offset, length, plainBytes });
    offset += length;
    at += size;
  }
  return entries;
}
