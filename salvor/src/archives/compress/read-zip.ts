/**
 * The first file of a zip archive, which is all that Backup and Migrate puts into one. Read as a stream from its local
 * header (PKWARE's APPNOTE 4.3.7); what follows it is not looked at. No password, no split archive, no file that is
 * stored without its size.
 */
import { crc32, createInflateRaw } from 'node:zlib';
import { ArchiveFault } from '../tar/archive-fault.ts';

const HEADER_BYTES = 30;
const SIGNATURE = 0x04034b50;
const ENCRYPTED = 1;
/** Size and check sum follow the content, and are 0 in front of it. */
const SIZES_FOLLOW = 8;
const STORED = 0;
const DEFLATED = 8;
/** Of 64-bit sizes, which stand elsewhere. */
const ELSEWHERE = 0xffffffff;

/** How a stream is unpacked by a codec of Node; `decompress.ts` has it. */
export type Through = (
  source: AsyncGenerator<Uint8Array>,
  stream: ReturnType<typeof createInflateRaw>,
) => AsyncIterable<Uint8Array>;

/** Throws `ArchiveFault`. */
export async function* readZip(
  source: AsyncGenerator<Uint8Array>,
  through: Through,
  chunkSize: number,
): AsyncGenerator<Uint8Array> {
  const reader = new Front(source);
  const header = await reader.take(HEADER_BYTES);
  if (header.readUInt32LE(0) !== SIGNATURE) throw new ArchiveFault('damaged', 'it does not begin with a file');
  const flags = header.readUInt16LE(6);
  const method = header.readUInt16LE(8);
  const sum = header.readUInt32LE(14);
  const packedBytes = header.readUInt32LE(18);
  await reader.take(header.readUInt16LE(26) + header.readUInt16LE(28));
  if ((flags & ENCRYPTED) !== 0) throw new ArchiveFault('unsupported', 'it is locked with a password');
  const isFollowed = (flags & SIZES_FOLLOW) !== 0;
  let found = 0;
  const content = contentOf(reader, method, isFollowed ? null : packedBytes, (rest) =>
    through(rest, createInflateRaw({ chunkSize })),
  );
  for await (const bytes of content) {
    found = crc32(bytes, found);
    yield bytes;
  }
  if (!isFollowed && found !== sum) throw new ArchiveFault('damaged', 'its content is another than its check sum says');
}

function contentOf(
  reader: Front,
  method: number,
  packedBytes: number | null,
  inflate: (rest: AsyncGenerator<Uint8Array>) => AsyncIterable<Uint8Array>,
): AsyncIterable<Uint8Array> {
  if (method === DEFLATED) return inflate(reader.rest());
  if (method !== STORED) throw new ArchiveFault('unsupported', `it is packed by method ${method} of zip`);
  if (packedBytes === null || packedBytes === ELSEWHERE)
    throw new ArchiveFault('unsupported', 'its file is stored without its size');
  return reader.exactly(packedBytes);
}

/** The beginning of a stream, and then the rest of it. */
class Front {
  readonly #source: AsyncGenerator<Uint8Array>;
  #held: Buffer = Buffer.alloc(0);

  constructor(source: AsyncGenerator<Uint8Array>) {
    this.#source = source;
  }

  async take(count: number): Promise<Buffer> {
    while (this.#held.length < count) {
      const next = await this.#source.next();
      if (next.done === true) throw new ArchiveFault('damaged', 'it is cut off');
      this.#held = Buffer.concat([this.#held, next.value]);
    }
    const taken = this.#held.subarray(0, count);
    this.#held = this.#held.subarray(count);
    return taken;
  }

  async *rest(): AsyncGenerator<Uint8Array> {
    yield this.#held;
    yield* this.#source;
  }

  async *exactly(count: number): AsyncGenerator<Uint8Array> {
    let left = count;
    for await (const bytes of this.rest()) {
      const piece = bytes.subarray(0, left);
      left -= piece.length;
      if (piece.length > 0) yield piece;
      if (left === 0) return;
    }
    if (left > 0) throw new ArchiveFault('damaged', 'it is cut off');
  }
}
