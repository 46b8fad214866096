/**
 * The bytes between the agent and a helper: frames of a header and a payload, in both directions.
 *
 *   header's bytes (u32, little-endian) · payload's bytes (u32) · header (JSON) · payload
 *
 * What a helper sends is foreign data: it runs as a tenant's user. Its sizes are bounded before anything is kept.
 */

export type Frame = { readonly header: unknown; readonly payload: Buffer };

/** A request names a path of at most 4095 bytes, some attributes of at most 64 KiB in base64, and little else. */
const MAX_HEADER_BYTES = 512 * 1024;
export const MAX_PAYLOAD_BYTES = 256 * 1024;
const SIZES_BYTES = 8;

/** The bytes of one frame. The payload is not copied. */
export function encodeFrame(header: object, payload: Uint8Array = EMPTY): readonly Uint8Array[] {
  const text = Buffer.from(JSON.stringify(header));
  if (text.length > MAX_HEADER_BYTES || payload.length > MAX_PAYLOAD_BYTES)
    throw new RangeError('a frame is too large');
  const sizes = Buffer.alloc(SIZES_BYTES);
  sizes.writeUInt32LE(text.length, 0);
  sizes.writeUInt32LE(payload.length, 4);
  const head = Buffer.concat([sizes, text]);
  return payload.length === 0 ? [head] : [head, payload];
}

const EMPTY = new Uint8Array(0);

/** The frames of a stream. Throws RangeError where it is none of ours or ends in the middle of one. */
export async function* readFrames(source: AsyncIterable<Uint8Array>): AsyncGenerator<Frame> {
  let pieces: Uint8Array[] = [];
  let length = 0;
  let needed = SIZES_BYTES;
  for await (const piece of source) {
    pieces.push(piece);
    length += piece.length;
    while (length >= needed) {
      const bytes = pieces.length === 1 ? asBuffer(pieces[0] ?? EMPTY) : Buffer.concat(pieces);
      const size = frameBytes(bytes);
      needed = size;
      if (length < size) {
        pieces = [bytes];
        break;
      }
      const headerEnd = SIZES_BYTES + bytes.readUInt32LE(0);
      yield { header: parseHeader(bytes.subarray(SIZES_BYTES, headerEnd)), payload: bytes.subarray(headerEnd, size) };
      pieces = length === size ? [] : [bytes.subarray(size)];
      length -= size;
      needed = SIZES_BYTES;
    }
  }
  if (length > 0) throw new RangeError('the stream ends in the middle of a frame');
}

function frameBytes(bytes: Buffer): number {
  const header = bytes.readUInt32LE(0);
  const payload = bytes.readUInt32LE(4);
  if (header > MAX_HEADER_BYTES || payload > MAX_PAYLOAD_BYTES) throw new RangeError('a frame is too large');
  return SIZES_BYTES + header + payload;
}

function parseHeader(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new RangeError('a header is no JSON', { cause });
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
