/** From the sealed bytes of a blob to its plaintext, checked against its id. */
import { hash } from 'node:crypto';
import { MAX_BLOB_BYTES } from '../limits.ts';
import { decompressExactly } from '../seal/compress.ts';
import type { MasterKey } from '../seal/master-key.ts';

/** @throws RangeError with the reason where the bytes are not this blob. */
export function openBlob(key: MasterKey, id: string, sealed: Uint8Array, plainBytes: number | null): Buffer {
  return openStored(key, id, sealed, plainBytes).plain;
}

/** The plaintext of a blob and the form in which it was sealed, which another repository may take as it is. */
export function openStored(
  key: MasterKey,
  id: string,
  sealed: Uint8Array,
  plainBytes: number | null,
): { readonly plain: Buffer; readonly stored: Buffer } {
  const stored = key.open(sealed);
  if (stored === null) throw new RangeError('a seal in it is broken');
  const plain = plainBytes === null ? stored : inflate(stored, plainBytes);
  if (hash('sha256', plain, 'hex') !== id) throw new RangeError('a blob in it does not have the hash that names it');
  return { plain, stored };
}

function inflate(frame: Buffer, plainBytes: number): Buffer {
  if (plainBytes > MAX_BLOB_BYTES) throw new RangeError(`a blob in it claims ${plainBytes} bytes`);
  try {
    return decompressExactly(frame, plainBytes);
  } catch (error) {
    throw new RangeError('a blob in it does not decompress', { cause: error });
  }
}
