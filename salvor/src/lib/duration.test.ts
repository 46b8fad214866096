import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { formatDurationMs, parseDurationMs } from './duration.ts';

describe('lengths of time', () => {
  it('are the sum of their parts', () => {
    assert.equal(parseDurationMs('7d'), 604_800_000);
    assert.equal(parseDurationMs('1w'), parseDurationMs('7d'));
    assert.equal(parseDurationMs('1h30m'), 5_400_000);
    assert.equal(parseDurationMs('0'), 0);
  });

  it('of other text are none', () => {
    for (const text of ['', '7', 'd', '1d2', '1h1h', '-1d', '1.5d', ' 1d', '1D', '9999999d'])
      assert.equal(parseDurationMs(text), null, text);
  });

  it('written and read again are the same, to three parts', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 999 }),
        fc.integer({ min: 0, max: 23 }),
        fc.integer({ min: 0, max: 59 }),
        (d, h, m) => {
          const ms = ((d * 24 + h) * 60 + m) * 60_000;
          assert.equal(parseDurationMs(formatDurationMs(ms)), ms);
        },
      ),
    );
  });
});
