import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { gunzipSync, gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { DEFAULT_LIMITS } from '../limits.ts';
import { ArchiveFault } from '../tar/archive-fault.ts';
import { bytesOf, judge, streamOf } from '../tar/test-tar.ts';
import { compress } from './compress.ts';
import { type Compression, type WrittenCompression, compressionOf } from './compression.ts';
import { decompress } from './decompress.ts';

const TOOLS = { gzip: 'gzip', bzip2: 'bzip2', zstd: 'zstd' } as const;
const PACKED = ['gzip', 'bzip2', 'zstd'] as const;

/** Text, then what can't be packed, then zeros: more than two blocks of each kind. */
const TEXT = Buffer.from("INSERT INTO `node` VALUES (1,'a title','a body of some length');\n".repeat(40_000));
const MIXED = Buffer.concat([TEXT, randomBytes(1_500_000), TEXT, Buffer.alloc(2_500_000), TEXT.subarray(0, 12_345)]);

async function pack(bytes: Uint8Array, compression: WrittenCompression, threads = 2): Promise<Buffer> {
  return bytesOf(compress(streamOf(bytes, 70_001), { compression, level: 5, threads }));
}

async function unpack(packed: Uint8Array, compression: Compression, limits = DEFAULT_LIMITS): Promise<Buffer> {
  return bytesOf(decompress(streamOf(packed, 4099), compression, limits));
}

describe('what is packed on several threads', () => {
  for (const compression of PACKED) {
    test(`with ${compression} is what the stock tool and we unpack, and known by its first bytes`, async () => {
      for (const bytes of [MIXED, Buffer.alloc(0), Buffer.from('x'), TEXT.subarray(0, 1024 * 1024)]) {
        const packed = await pack(bytes, compression);
        assert.equal(compressionOf(packed), compression);
        assert.ok(judge(TOOLS[compression], ['-dc'], packed).equals(bytes), 'the stock tool');
        assert.ok((await unpack(packed, compression)).equals(bytes), 'ours');
      }
    });

    test(`with ${compression} is the same bytes with one thread and with three`, async () => {
      const [one, three] = [await pack(MIXED, compression, 1), await pack(MIXED, compression, 3)];
      assert.ok(one.equals(three));
    });
  }

  test('with gzip is one member, which readers of one member only take whole', async () => {
    const packed = await pack(MIXED, 'gzip');
    // Node's own function reads members to the end as well: a second head would show as its magic at a member's start.
    assert.ok(gunzipSync(packed).equals(MIXED));
    assert.equal(packed.readUInt32LE(packed.length - 4), MIXED.length);
  });

  test('with gzip is hardly larger than what gzip -6 makes of it', async () => {
    const [ours, theirs] = [await pack(MIXED, 'gzip'), judge('gzip', ['-6', '-c'], MIXED)];
    assert.ok(ours.length < theirs.length * 1.02, `${ours.length} and ${theirs.length}`);
  });

  test('not at all is what it was', async () => {
    assert.ok((await pack(MIXED, 'none')).equals(MIXED));
  });

  test('fails with what its source failed with, and leaves no thread behind', async () => {
    const broken = async function* (): AsyncGenerator<Uint8Array> {
      yield TEXT;
      throw new Error('the source broke');
    };
    for (const compression of PACKED)
      await assert.rejects(bytesOf(compress(broken(), { compression, level: 5, threads: 2 })), /the source broke/);
  });
});

describe('a packed stream', () => {
  async function kindOf(packed: Uint8Array, compression: Compression, limits = DEFAULT_LIMITS): Promise<string> {
    try {
      await unpack(packed, compression, limits);
    } catch (error) {
      assert.ok(error instanceof ArchiveFault, String(error));
      return error.kind;
    }
    return 'none';
  }

  for (const compression of PACKED) {
    test(`of ${compression} is damaged where it is cut off or changed`, async () => {
      const packed = await pack(TEXT, compression);
      assert.equal(await kindOf(packed.subarray(0, packed.length >> 1), compression), 'damaged');
      assert.equal(await kindOf(packed.subarray(0, packed.length - 2), compression), 'damaged');
      const changed = Buffer.from(packed);
      changed.fill(0x55, packed.length >> 1, (packed.length >> 1) + 16);
      assert.equal(await kindOf(changed, compression), 'damaged');
    });
  }

  test('of several members or frames is read to its end', async () => {
    const gzip = Buffer.concat([gzipSync('one'), gzipSync('two')]);
    const zstd = Buffer.concat([zstdCompressSync('one'), zstdCompressSync('two')]);
    assert.equal(String(await unpack(gzip, 'gzip')), 'onetwo');
    assert.equal(String(await unpack(zstd, 'zstd')), 'onetwo');
  });

  test('that unpacks to more than is allowed is stopped there', async () => {
    const bomb = await pack(Buffer.alloc(20_000_000), 'gzip');
    const seen: number[] = [];
    const read = async (limits: typeof DEFAULT_LIMITS): Promise<void> => {
      for await (const bytes of decompress(streamOf(bomb), 'gzip', limits)) seen.push(bytes.length);
    };
    await assert.rejects(read({ ...DEFAULT_LIMITS, maxBytes: 1_000_000 }), {
      kind: 'too-large',
      message: /1000000 bytes/,
    });
    assert.ok(seen.reduce((sum, length) => sum + length, 0) <= 1_000_000);
    await assert.rejects(read({ ...DEFAULT_LIMITS, ratioFromBytes: 1_000_000 }), {
      kind: 'too-large',
      message: /each of its bytes/,
    });
  });

  test('whose reader stops closes its source', async () => {
    let isClosed = false;
    const endless = async function* (): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield gzipSync(TEXT);
      } finally {
        isClosed = true;
      }
    };
    for await (const bytes of decompress(endless(), 'gzip', DEFAULT_LIMITS)) {
      assert.ok(bytes.length > 0);
      break;
    }
    assert.equal(isClosed, true);
  });

  test('is read to its end or a fault, whatever bytes it is of (seed 99)', async () => {
    const heads = [[0x1f, 0x8b, 8, 0], [0x28, 0xb5, 0x2f, 0xfd], []];
    const bytes = fc
      .tuple(fc.constantFrom(...heads), fc.uint8Array({ maxLength: 300 }))
      .map(([head, tail]) => Buffer.from([...head, ...tail]));
    await fc.assert(
      fc.asyncProperty(bytes, fc.constantFrom<Compression>('gzip', 'zstd'), async (packed, compression) => {
        await kindOf(packed, compression);
      }),
      { seed: 99, numRuns: 200 },
    );
  });

  test('of xz is told to be that', () => {
    assert.equal(compressionOf(Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0])), 'xz');
    assert.equal(compressionOf(Buffer.from('BZh91AY&SY')), 'bzip2');
    assert.equal(compressionOf(Buffer.from('-- MySQL dump')), 'none');
  });
});
