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
    length = put(deflate(job.bytes, from, to, isDense ? 0 : job.level), target, length);
  return length;
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
    chunkSize: to - from + 64,
    // The next block begins at a byte.
    finishFlush: constants.Z_SYNC_FLUSH,
    ...(dictionary.length > 0 && level > 0 ? { dictionary } : {}),
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

const counts = new Uint32Array(256);

function isIncompressible(bytes: Uint8Array, from: number, to: number): boolean {
  const length = to - from;
  if (length < MIN_JUDGED_BYTES) return false;
  counts.fill(0);
  for (let at = from; at < to; at++) counts[bytes[at] as number] = (counts[bytes[at] as number] as number) + 1;
  let bits = 0;
  for (const count of counts) if (count > 0) bits -= count * Math.log2(count / length);
  return bits / length > DENSE_BITS;
}
