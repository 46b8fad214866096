/**
 * The envelope of index, snapshot and lock files. Version 1: sealed JSON. Version 2: the byte 02 and one zstd frame,
 * or plain JSON, told apart by the first byte. Config files are outside this rule: sealed JSON in both.
 */
import { compress, contentBytesOf, decompress, decompressForLook } from '../seal/compress.ts';
import type { MasterKey } from '../seal/master-key.ts';

const COMPRESSED = 0x02;
const OPEN_BRACE = 0x7b;
const OPEN_BRACKET = 0x5b;

/** Seals the JSON text of an index, snapshot or lock as version 2 does. */
export function sealUnpacked(key: MasterKey, json: string): Buffer {
  return key.seal(Buffer.concat([Buffer.from([COMPRESSED]), compress(Buffer.from(json))]));
}

/** The JSON text. @throws RangeError where the bytes were changed, sealed with another key, or are of no known form. */
export function openUnpacked(key: MasterKey, sealed: Uint8Array, maxBytes: number): string {
  return openWith(key, sealed, maxBytes, (frame) => decompress(frame, maxBytes)).toString('utf8');
}

/** The same as bytes, which the next call on this thread may write over: for those who need no text of all of it. */
export function openUnpackedForLook(key: MasterKey, sealed: Uint8Array, maxBytes: number): Buffer {
  return openWith(key, sealed, maxBytes, (frame) => {
    const bytes = contentBytesOf(frame);
    return bytes === null || bytes > maxBytes ? decompress(frame, maxBytes) : decompressForLook(frame, bytes);
  });
}

function openWith(
  key: MasterKey,
  sealed: Uint8Array,
  maxBytes: number,
  decompressFrame: (frame: Buffer) => Buffer,
): Buffer {
  const plain = key.open(sealed);
  if (plain === null) throw new RangeError('its seal is broken');
  if (plain.length > maxBytes) throw new RangeError('it is too large');
  if (plain.length === 0 || plain[0] === OPEN_BRACE || plain[0] === OPEN_BRACKET) return plain;
  if (plain[0] !== COMPRESSED) throw new RangeError('it is neither JSON nor compressed');
  try {
    return decompressFrame(plain.subarray(1));
  } catch (error) {
    throw new RangeError('it does not decompress', { cause: error });
  }
}
