/**
 * Packs one block by itself, so that blocks can be packed side by side: a stretch of one deflate stream that begins
 * and ends at a byte, or one zstd frame. The same bytes give the same result, whoever packs them and when.
 */
import { constants, deflateRawSync, zstdCompressSync } from 'node:zlib';

export type BlockJob = {
  readonly method: 'deflate' | 'zstd';
  readonly level: number;
  /** The block, behind `before` bytes of what stands in front of it: matches may reach back into them. */
  readonly bytes: Uint8Array;
  readonly before: number;
};

/** What deflate can look back: a block packed without it would cost up to 3 %. */
export const WINDOW_BYTES = 32 * 1024;

/** Judged by itself: long enough to tell, short enough not to mix images with text. */
const PART_BYTES = 64 * 1024;

/** Room that a packed block of so many bytes may need: where nothing can be packed it grows by less than a thousandth. */
export function packedRoom(bytes: number): number {
  return bytes + (bytes >> 8) + 1024;
}

/** Packs into `target`, which has `packedRoom`; how many bytes it became. */
export function packBlock(job: BlockJob, target: Uint8Array): number {
  if (job.method === 'zstd') {
    const params = { [constants.ZSTD_c_compressionLevel]: job.level, [constants.ZSTD_c_checksumFlag]: 1 };
    return put(zstdCompressSync(job.bytes.subarray(job.before), { params }), target, 0);
  }
  let length = 0;
  for (const { from, to, isDense } of splitByDensity(job.bytes, job.before))
    length = isDense
      ? store(job.bytes.subarray(from, to), target, length)
      : put(deflate(job.bytes, from, to, job.level), target, length);
  return length;
}

/** Of one stored block of deflate, which says its length in 16 bits (RFC 1951, 3.2.4). */
const MAX_STORED_BYTES = 65_535;
const STORED_HEAD_BYTES = 5;

/** As they are: where nothing is gained there is nothing to search. What stands before and behind ends at a byte. */
function store(bytes: Uint8Array, target: Uint8Array, at: number): number {
  let to = at;
  for (let from = 0; from < bytes.length; from += MAX_STORED_BYTES) {
    const stored = bytes.subarray(from, from + MAX_STORED_BYTES);
    const { length } = stored;
    // Not the last block of the stream, and stored: a zero byte. Its length, and that with each bit turned.
    target.set([0, length & 0xff, length >> 8, ~length & 0xff, (~length >> 8) & 0xff], to);
    to = put(stored, target, to + STORED_HEAD_BYTES);
  }
  return to;
}

function put(packed: Uint8Array, target: Uint8Array, at: number): number {
  target.set(packed, at);
  return at + packed.length;
}

function deflate(bytes: Uint8Array, from: number, to: number, level: number): Buffer {
  const dictionary = bytes.subarray(Math.max(0, from - WINDOW_BYTES), from);
  return deflateRawSync(bytes.subarray(from, to), {
    level,
    // More memory for symbols: 0.1 % smaller at the same cost.
    memLevel: 9,
    chunkSize: packedRoom(to - from),
    // The next block begins at a byte.
    finishFlush: constants.Z_SYNC_FLUSH,
    ...(dictionary.length > 0 ? { dictionary } : {}),
  });
}

type Stretch = { readonly from: number; readonly to: number; readonly isDense: boolean };

/** Stretches of the block that can't be packed (images, archives) and those that can. */
function splitByDensity(bytes: Uint8Array, before: number): Stretch[] {
  const stretches: Stretch[] = [];
  for (let from = before; from < bytes.length; from += PART_BYTES) {
    const to = Math.min(bytes.length, from + PART_BYTES);
    const isDense = isIncompressible(bytes, from, to);
    const last = stretches.at(-1);
    if (last?.isDense === isDense) stretches[stretches.length - 1] = { ...last, to };
    else stretches.push({ from, to, isDense });
  }
  return stretches;
}

/**
 * Bits of information in a byte, taken alone, from which on packing gains nothing: random bytes of this many come to
 * 7.997, JPEG to 7.95 and more, packed text to 7.98; PHP and SQL to less than 5.5.
 */
const DENSE_BITS = 7.9;
/** In a shorter stretch chance decides. */
const MIN_JUDGED_BYTES = 4096;
/** Of longer ones each fourth byte tells as much: random ones of 16 KB come to 7.989. */
const SAMPLED_FROM_BYTES = 32 * 1024;
const SAMPLE_STEP = 4;

const counts = new Uint32Array(256);

function isIncompressible(bytes: Uint8Array, from: number, to: number): boolean {
  const length = to - from;
  if (length < MIN_JUDGED_BYTES) return false;
  const step = length < SAMPLED_FROM_BYTES ? 1 : SAMPLE_STEP;
  counts.fill(0);
  for (let at = from; at < to; at += step) counts[bytes[at] as number] = (counts[bytes[at] as number] as number) + 1;
  const judged = Math.ceil(length / step);
  let bits = 0;
  for (const count of counts) if (count > 0) bits -= count * Math.log2(count / judged);
  return bits / judged > DENSE_BITS;
}
