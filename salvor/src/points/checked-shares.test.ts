import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { checkedSharesOf, nextShare } from './checked-shares.ts';

const DAY_MS = 86_400_000;
const place = mkdtempSync(join(tmpdir(), 'salvor-shares-'));
after(() => rmSync(place, { recursive: true, force: true }));

/** The parts that so many nights read, one after the other. */
function partsOf(nights: number, checkAllMs: number, last: number | null = null): readonly number[] {
  const parts: number[] = [];
  for (let night = 0; night < nights; night++) {
    last = nextShare(checkAllMs, last).part;
    parts.push(last);
  }
  return parts;
}

describe('the share of all data that a night reads', () => {
  it('is each share once in as many nights as the policy gives, wherever they begin', () => {
    for (const days of [1, 2, 7, 30, 256])
      for (const last of [null, 1, days - 1, days].filter((each) => each !== 0)) {
        const parts = partsOf(days, days * DAY_MS, last);
        assert.deepEqual(
          parts.toSorted((one, other) => one - other),
          Array.from({ length: days }, (_, at) => at + 1),
          `${days} days after ${last}`,
        );
        assert.equal(nextShare(days * DAY_MS, last).of, days);
      }
    assert.deepEqual(nextShare(1.9 * DAY_MS, null), { kind: 'part', part: 1, of: 1 });
  });

  it('is one of the shares also where the policy was changed in between, and all are read from then on', () => {
    const parts = partsOf(7, 7 * DAY_MS, 29);
    assert.deepEqual(new Set(parts), new Set([1, 2, 3, 4, 5, 6, 7]));
  });

  it('follows the one that was read last in this repository, not the day: a missed night skips none', () => {
    const shares = checkedSharesOf(place);
    assert.equal(shares.lastOf('o1', 'local'), null);
    shares.remember('o1', 'local', 3);
    shares.remember('o1', 'remote', 1);
    shares.remember('o2', 'local', 30);
    const later = checkedSharesOf(place);
    assert.deepEqual(
      [later.lastOf('o1', 'local'), later.lastOf('o1', 'remote'), later.lastOf('o2', 'local')],
      [3, 1, 30],
    );
    assert.equal(nextShare(30 * DAY_MS, later.lastOf('o1', 'local')).part, 4);
  });

  it('is begun anew where what was kept can not be read', () => {
    for (const text of ['', '[]', 'null', '{"local o1":"x"}', '{"local o1":-3}']) {
      writeFileSync(join(place, 'checked-shares.json'), text);
      assert.equal(checkedSharesOf(place).lastOf('o1', 'local'), null, text);
    }
  });
});
