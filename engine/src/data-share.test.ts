import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { choosePacks } from './data-share.ts';
import type { DataShare } from './data-share.ts';

const packs = Array.from({ length: 1000 }, (_, n) => ({
  id: createHash('sha256').update(String(n)).digest('hex'),
  bytes: 1000 + n,
}));

describe('a share of the packs', () => {
  it('in parts has each pack in exactly one part, by its first byte as restic has it', () => {
    for (const count of [1, 2, 7, 30, 256]) {
      const parts = Array.from({ length: count }, (_, n) =>
        choosePacks(packs, { kind: 'part', part: n + 1, of: count }),
      );
      assert.equal(
        parts.reduce((sum, part) => sum + part.size, 0),
        packs.length,
      );
      assert.equal(new Set(parts.flatMap((part) => [...part])).size, packs.length);
      for (const [n, part] of parts.entries())
        for (const id of part) assert.equal(Buffer.from(id, 'hex').readUInt8() % count, n);
    }
  });

  it('by percent or bytes is as large as was asked for, and never empty', () => {
    const size = (share: Omit<DataShare, 'seed'>): number =>
      choosePacks(packs, { ...share, seed: 'x' } as DataShare).size;
    assert.equal(size({ kind: 'percent', percent: 12.5 } as DataShare), 125);
    assert.equal(size({ kind: 'percent', percent: 0.001 } as DataShare), 1);
    assert.equal(size({ kind: 'percent', percent: 100 } as DataShare), 1000);
    assert.equal(size({ kind: 'bytes', bytes: 1 } as DataShare), 1);
    assert.equal(size({ kind: 'bytes', bytes: 1e9 } as DataShare), 1000);
    const chosen = choosePacks(packs, { kind: 'bytes', bytes: 100_000, seed: 'x' });
    const bytes = packs.filter(({ id }) => chosen.has(id)).reduce((sum, pack) => sum + pack.bytes, 0);
    assert.ok(bytes >= 100_000 && bytes < 102_000, String(bytes));
  });

  it('drawn by a seed is the same again for the seed, in whatever order the packs come, and another for another', () => {
    const draw = (seed: string, of = packs): string =>
      Array.from(choosePacks(of, { kind: 'percent', percent: 10, seed }))
        .sort()
        .join();
    assert.equal(draw('a'), draw('a', packs.toReversed()));
    assert.notEqual(draw('a'), draw('b'));
  });

  it('that is none is refused', () => {
    for (const share of [
      { kind: 'part', part: 0, of: 5 },
      { kind: 'part', part: 6, of: 5 },
      { kind: 'part', part: 1, of: 257 },
      { kind: 'part', part: 1.5, of: 5 },
      { kind: 'percent', percent: 0, seed: '' },
      { kind: 'percent', percent: 101, seed: '' },
      { kind: 'bytes', bytes: 0, seed: '' },
      { kind: 'bytes', bytes: Number.NaN, seed: '' },
    ] as const)
      assert.throws(() => choosePacks(packs, share), RangeError);
  });
});
