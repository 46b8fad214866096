import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import { compress, contentBytesOf, decompress, decompressExactly, decompressForLook } from './compress.ts';

const text = (bytes: number): Buffer => Buffer.alloc(bytes, 'some text that repeats, ');

describe('frames', () => {
  it('made one after another in one context are whole each for itself, of any size', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 300_000 }), fc.boolean()), { maxLength: 12 }),
        (sizes) => {
          for (const [bytes, isRandom] of sizes) {
            const plain = isRandom ? randomBytes(bytes) : text(bytes);
            const frame = Buffer.from(compress(plain));
            if (frame.length >= 18) assert.equal(contentBytesOf(frame), bytes);
            assert.ok(zstdDecompressSync(frame).equals(plain));
            assert.ok(decompressExactly(frame, bytes).equals(plain));
            assert.ok(decompressForLook(frame, bytes).equals(plain));
            assert.ok(decompress(frame, bytes).equals(plain));
          }
        },
      ),
      { numRuns: 30 },
    );
  });

  it('say how much they hold where their writer knew it, and nothing that breaks where they are none', () => {
    for (const bytes of [20, 255, 256, 300, 65_791, 65_792, 70_000, 5_000_000])
      assert.equal(contentBytesOf(zstdCompressSync(randomBytes(bytes))), bytes);
    assert.equal(contentBytesOf(zstdCompressSync(randomBytes(5000), { params: { 200: 0 } })), null);
    fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => void contentBytesOf(bytes)));
  });

  it('that are damaged, cut off, too long or too short fail, and the next one is read right', () => {
    const plain = text(50_000);
    const frame = zstdCompressSync(plain);
    for (let at = 0; at < frame.length; at += 3) {
      const damaged = Buffer.from(frame);
      damaged[at] = (damaged[at] ?? 0) ^ 0x55;
      try {
        assert.ok(!decompressExactly(damaged, plain.length).equals(text(1)));
      } catch (error) {
        assert.ok(error instanceof Error);
      }
      assert.ok(decompressExactly(frame, plain.length).equals(plain), `after damage at ${at}`);
      assert.throws(() => decompressExactly(frame.subarray(0, at), plain.length));
      assert.ok(decompressExactly(frame, plain.length).equals(plain), `after a cut at ${at}`);
    }
    assert.throws(() => decompressExactly(frame, plain.length - 1));
    assert.throws(() => decompressExactly(frame, plain.length + 1));
    assert.throws(() => decompress(frame, 1000));
    assert.ok(decompressExactly(frame, plain.length).equals(plain));
  });

  it('of other writers are read: several levels, without size, with checksum', () => {
    const plain = text(2_000_000);
    for (const params of [{ 100: 19 }, { 100: 1, 201: 1 }, { 200: 0 }]) {
      assert.ok(decompressExactly(zstdCompressSync(plain, { params }), plain.length).equals(plain));
    }
  });
});
