import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { chooseDumpCut, cutsOfTags, tagOfCut } from './dump-cut.ts';

const MiB = 1024 * 1024;

/** One snapshot after another, as days go by. */
class Days {
  readonly snapshots: { readonly tags: readonly string[]; readonly time: string }[] = [];

  dump(site: string, bytes: number): number {
    const cut = chooseDumpCut(cutsOfTags(this.snapshots), site, bytes);
    const time = new Date(Date.UTC(2026, 0, 1, this.snapshots.length)).toISOString();
    this.snapshots.push({ tags: ['salvor', `site:${site}`, tagOfCut(cut)], time });
    return cut.cutBytes;
  }
}

describe('how finely a dump is cut', () => {
  test('4 KiB for what is small, coarser with the root of the size', () => {
    const sizes = [0, 5 * MiB, 16 * MiB, 64 * MiB, 256 * MiB, 1024 * MiB, 4096 * MiB];
    const cuts = sizes.map((bytes) => new Days().dump('a', bytes) / 1024);
    assert.deepEqual(cuts, [4, 4, 4, 8, 16, 32, 64]);
    assert.equal(new Days().dump('a', 1e15), 256 * 1024);
  });

  test('stays as it was while a database grows and shrinks around a border, whatever the server estimates', () => {
    const days = new Days();
    const cuts = [60, 66, 58, 70, 90, 61, 130, 30, 64].map((size) => days.dump('a', size * MiB));
    assert.deepEqual(new Set(cuts), new Set([4096]));
    assert.equal(days.dump('a', 150 * MiB), 8192);
    assert.equal(days.dump('a', 100 * MiB), 8192);
    assert.equal(days.dump('a', 20 * MiB), 4096);
  });

  test('an account of many databases has at most 450,000 pieces at a time, which leaves room for 14 days of change', () => {
    const days = new Days();
    for (let round = 0; round < 2; round++) for (let site = 0; site < 200; site++) days.dump(`s${site}`, 50 * MiB);
    const pieces = days.snapshots.slice(-200).map(({ tags }) => {
      const [, bytes, cut] = /^dump-cut:(\d+)\/(\d+)$/.exec(tags[2] ?? '') ?? [];
      return Number(bytes) / Number(cut);
    });
    const sum = pieces.reduce((total, count) => total + count, 0);
    assert.ok(sum <= 450_000 && sum > 100_000, `${sum}`);
  });

  test('the newest snapshot of the same site counts, and a tag that is none does not', () => {
    const tagged = (tag: string, time: string): { tags: string[]; time: string } => ({ tags: ['site:a', tag], time });
    const old = tagged('dump-cut:1/65536', '2026-01-01T00:00:00Z');
    const forged = tagged('dump-cut:1/999', '2026-01-03T00:00:00Z');
    const odd = tagged('dump-cut:1/5000', '2026-01-03T00:00:00Z');
    const newer = tagged('dump-cut:99999999/8192', '2026-01-02T00:00:00Z');
    assert.equal(chooseDumpCut(cutsOfTags([newer, old, forged, odd]), 'a', 80 * MiB).cutBytes, 8192);
    assert.equal(chooseDumpCut(cutsOfTags([newer, old]), 'b', MiB).cutBytes, 4096);
  });
});
