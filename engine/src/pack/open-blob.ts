/** From the sealed bytes of a blob to its plaintext, checked against its id. */
import { createHash, hash } from 'node:crypto';
import { MAX_BLOB_BYTES, MAX_CHUNK_BYTES, WHOLE_LISTING_BYTES } from '../limits.ts';
import { decompressExactly, decompressForLook } from '../seal/compress.ts';
import type { MasterKey } from '../seal/master-key.ts';
import { decompressPieces } from '../seal/zstd-pieces.ts';

/** @throws RangeError with the reason where the bytes are not this blob. */
export function openBlob(key: MasterKey, id: string, sealed: Uint8Array, plainBytes: number | null): Buffer {
  return openStored(key, id, sealed, plainBytes).plain;
}

let scratch = Buffer.alloc(0);

/** Memory that is written over by the next blob that is only looked at. */
function scratchOf(bytes: number): Buffer {
  if (scratch.length < bytes) scratch = Buffer.allocUnsafeSlow(bytes);
  return scratch.subarray(0, bytes);
}

/**
 * The same, valid until the next call in this thread: fresh memory for each blob costs more than to open it.
 * @throws RangeError as `openBlob`.
 */
export function lookIntoBlob(key: MasterKey, id: string, sealed: Uint8Array, plainBytes: number | null): Buffer {
  // Huge listings, and whatever claims to be one, are not worth to be kept room for.
  if (Math.max(sealed.length, plainBytes ?? 0) > 2 * MAX_CHUNK_BYTES) return openBlob(key, id, sealed, plainBytes);
  const stored = key.openInto(sealed, scratchOf);
  if (stored === null) throw new RangeError('a seal in it is broken');
  const plain = plainBytes === null ? stored : inflate(stored, plainBytes, decompressForLook);
  requireId(id, hash('sha256', plain, 'hex'));
  return plain;
}

/** The plaintext of a blob and the form in which it was sealed, which another repository may take as it is. */
export function openStored(
  key: MasterKey,
  id: string,
  sealed: Uint8Array,
  plainBytes: number | null,
): { readonly plain: Buffer; readonly stored: Buffer } {
  const stored = unseal(key, sealed);
  const plain = plainBytes === null ? stored : inflate(stored, plainBytes);
  requireId(id, hash('sha256', plain, 'hex'));
  return { plain, stored };
}

/** A plaintext in pieces, each valid until the next, from the start as often as it is asked for. */
export type Pieces = () => Iterable<Uint8Array>;

/**
 * The plaintext of a listing. A huge one is never held whole: its frame is, and is decompressed once to be checked
 * and again by whoever goes through it.
 * @throws RangeError as `openBlob`.
 */
export function openPieces(key: MasterKey, id: string, sealed: Uint8Array, plainBytes: number | null): Pieces {
  if (plainBytes === null || plainBytes <= WHOLE_LISTING_BYTES) {
    const plain = openBlob(key, id, sealed, plainBytes);
    return () => [plain];
  }
  const frame = unseal(key, sealed);
  requirePlainBytes(plainBytes);
  const pieces = (): Iterable<Uint8Array> => decompressPieces(frame, plainBytes);
  const found = createHash('sha256');
  try {
    for (const piece of pieces()) found.update(piece);
  } catch (error) {
    throw new RangeError('a blob in it does not decompress', { cause: error });
  }
  requireId(id, found.digest('hex'));
  return pieces;
}

function unseal(key: MasterKey, sealed: Uint8Array): Buffer {
  const stored = key.open(sealed);
  if (stored === null) throw new RangeError('a seal in it is broken');
  return stored;
}

function requireId(id: string, found: string): void {
  if (found !== id) throw new RangeError('a blob in it does not have the hash that names it');
}

function requirePlainBytes(plainBytes: number): void {
  if (plainBytes > MAX_BLOB_BYTES) throw new RangeError(`a blob in it claims ${plainBytes} bytes`);
}

function inflate(frame: Buffer, plainBytes: number, decompress: typeof decompressExactly = decompressExactly): Buffer {
  requirePlainBytes(plainBytes);
  try {
    return decompress(frame, plainBytes);
  } catch (error) {
    throw new RangeError('a blob in it does not decompress', { cause: error });
  }
}
