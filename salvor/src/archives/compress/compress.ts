/**
 * Packs a stream on all cores, deterministically: the stream is cut into blocks of one size, worker threads pack them
 * side by side, and they are put together in their order.
 *
 * gzip comes out as one member, as every reader takes it: blocks look back into the one before (so that nothing is
 * lost at the cuts) and end at a byte; length and check sum are of the whole. zstd comes out as one frame a block,
 * bzip2 as one stream a block, each from the stock tool, because Node has none: bzip2, tar and pbzip2 read them all.
 */
import { availableParallelism } from 'node:os';
import { constants, crc32, deflateRawSync, zstdCompressSync } from 'node:zlib';
import { run } from '../../lib/run.ts';
import type { WrittenCompression } from './compression.ts';
import { type Block, BlockCutter } from './block-cutter.ts';
import { type BlockJob, WINDOW_BYTES } from './pack-block.ts';
import { PackPool } from './pack-pool.ts';

export type CompressOptions = {
  readonly compression: WrittenCompression;
  /** As its tool counts: gzip's and bzip2's 1 to 9, zstd's 1 to 19. */
  readonly level: number;
  /** Threads; all cores where nothing is said. */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
};

/** Large enough that messages and thread changes cost nothing, small enough that a block in each thread's hands is little memory. */
const DEFLATE_BLOCK_BYTES = 1024 * 1024;
/** zstd looks back within its frame only. */
const ZSTD_BLOCK_BYTES = 4 * 1024 * 1024;
/** bzip2 sorts 900,000 bytes at a time; the start of a process is nothing beside ten of them. */
const BZIP2_BLOCK_BYTES = 10 * 900_000;
/** The one that a thread packs included: the next is there when one ends. */
const BLOCKS_PER_THREAD = 2;

/** A piece is good until the next one is asked for. */
export async function* compress(
  source: AsyncIterable<Uint8Array>,
  { compression, level, threads, signal }: CompressOptions,
): AsyncGenerator<Uint8Array> {
  switch (compression) {
    case 'none':
      yield* source;
      return;
    case 'gzip':
      yield* gzip(source, level, threads);
      return;
    case 'zstd':
      yield* zstd(source, level, threads);
      return;
    case 'bzip2':
      yield* bzip2(source, level, threads, signal);
      return;
    default:
      compression satisfies never;
  }
}

/** Method deflate, no name, no time, made on Unix (RFC 1952). */
const GZIP_HEAD = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]);

async function* gzip(
  source: AsyncIterable<Uint8Array>,
  level: number,
  threads: number | undefined,
): AsyncGenerator<Uint8Array> {
  await using pool = new PackPool(threads);
  let sum = 0;
  let length = 0;
  const counted = async function* (): AsyncGenerator<Uint8Array> {
    for await (const bytes of source) {
      sum = crc32(bytes, sum);
      length = (length + bytes.length) % 2 ** 32;
      yield bytes;
    }
  };
  yield GZIP_HEAD;
  const cutter = new BlockCutter(DEFLATE_BLOCK_BYTES, WINDOW_BYTES);
  const pack = packerOf(pool, 'deflate', level);
  yield* packInOrder(counted(), cutter, pack, BLOCKS_PER_THREAD * pool.size);
  yield deflateRawSync(Buffer.alloc(0), { finishFlush: constants.Z_FINISH });
  const tail = Buffer.alloc(8);
  tail.writeUInt32LE(sum, 0);
  tail.writeUInt32LE(length, 4);
  yield tail;
}

async function* zstd(
  source: AsyncIterable<Uint8Array>,
  level: number,
  threads: number | undefined,
): AsyncGenerator<Uint8Array> {
  await using pool = new PackPool(threads);
  const pack = packerOf(pool, 'zstd', level);
  let isEmpty = true;
  for await (const bytes of packInOrder(
    source,
    new BlockCutter(ZSTD_BLOCK_BYTES, 0),
    pack,
    BLOCKS_PER_THREAD * pool.size,
  )) {
    isEmpty = false;
    yield bytes;
  }
  if (isEmpty) yield zstdCompressSync(Buffer.alloc(0));
}

async function* bzip2(
  source: AsyncIterable<Uint8Array>,
  level: number,
  threads: number = availableParallelism(),
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const pack = async ({ bytes }: Pick<Block, 'bytes'>): Promise<Uint8Array> =>
    run('bzip2', {
      args: ['-c', `-${level}`],
      stdin: onePiece(bytes),
      // What can't be packed grows by a hundredth.
      maxBytes: 2 * BZIP2_BLOCK_BYTES,
      signal,
    });
  let isEmpty = true;
  for await (const bytes of packInOrder(source, new BlockCutter(BZIP2_BLOCK_BYTES, 0), pack, threads)) {
    isEmpty = false;
    yield bytes;
  }
  if (isEmpty) yield await pack({ bytes: new Uint8Array(0) });
}

async function* onePiece(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

type Pack = (block: Block) => Promise<Uint8Array>;

function packerOf(pool: PackPool, method: BlockJob['method'], level: number): Pack {
  return async ({ bytes, before, target }) =>
    target.subarray(0, await pool.pack({ method, level, bytes, before }, target));
}

/** What became of a block, which goes back when that was handed out: it lies in its memory. */
type Packing = { readonly block: Block; readonly packed: Promise<Uint8Array> };

/** Has at most `most` blocks in work at a time. A failure waits for those under way. */
async function* packInOrder(
  source: AsyncIterable<Uint8Array>,
  cutter: BlockCutter,
  pack: Pack,
  most: number,
): AsyncGenerator<Uint8Array> {
  const waiting: Packing[] = [];
  const start = (block: Block): void => {
    const packed = pack(block);
    // Whoever awaits it learns of a failure; until then it must not bring the process down.
    packed.catch(() => undefined);
    waiting.push({ block, packed });
  };
  try {
    for await (const bytes of source) {
      for (const block of cutter.add(bytes)) {
        start(block);
        if (waiting.length >= most) yield* handOut(waiting.shift() as Packing, cutter);
      }
    }
    const last = cutter.end();
    if (last !== null) start(last);
    while (waiting.length > 0) yield* handOut(waiting.shift() as Packing, cutter);
  } finally {
    await Promise.allSettled(waiting.map(({ packed }) => packed));
  }
}

async function* handOut({ block, packed }: Packing, cutter: BlockCutter): AsyncGenerator<Uint8Array> {
  yield await packed;
  cutter.giveBack(block);
}
