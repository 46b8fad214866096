import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { presetPolicy } from './policy.ts';
import { isDue, lastStart, nextStart, startsBetween } from './schedule.ts';
import type { Policy } from './settings.ts';

const standard = presetPolicy('standard');
const sharp: Policy = { ...standard, nightlySpreadMs: 0, timeZone: 'Europe/Oslo' };
const at = (text: string): Date => new Date(text);
const HOUR_MS = 3_600_000;

describe('the nightly start', () => {
  it('is at its time of day in its zone, summer and winter', () => {
    assert.deepEqual(nextStart('nightly', sharp, 'o1', 'UTC', at('2026-07-01T12:00:00Z')), at('2026-07-02T00:00:00Z'));
    assert.deepEqual(nextStart('nightly', sharp, 'o1', 'UTC', at('2026-12-01T12:00:00Z')), at('2026-12-02T01:00:00Z'));
  });

  it("is in the host's zone where the policy names none", () => {
    const rules = { ...sharp, timeZone: null };
    assert.deepEqual(
      nextStart('nightly', rules, 'o1', 'Asia/Tokyo', at('2026-11-26T12:00:00Z')),
      at('2026-11-26T17:00:00Z'),
    );
  });

  it('comes once in the night that has its hour twice, and in the one that has it not', () => {
    const rules = { ...sharp, nightlyAt: 150 };
    const autumn = startsBetween('nightly', rules, 'o1', 'UTC', [
      at('2026-10-24T12:00:00Z'),
      at('2026-10-26T12:00:00Z'),
    ]);
    assert.deepEqual(autumn, [at('2026-10-25T00:30:00Z'), at('2026-10-26T01:30:00Z')]);
    const spring = startsBetween('nightly', rules, 'o1', 'UTC', [
      at('2026-03-28T12:00:00Z'),
      at('2026-03-30T12:00:00Z'),
    ]);
    assert.deepEqual(spring, [at('2026-03-29T01:30:00Z'), at('2026-03-30T00:30:00Z')]);
  });

  it('of an account has the same place in the spread every night, and accounts have different ones', () => {
    const rules = { ...sharp, nightlySpreadMs: HOUR_MS };
    const between = [at('2026-11-01T12:00:00Z'), at('2026-11-08T12:00:00Z')] as const;
    const offsets = startsBetween('nightly', rules, 'o1', 'UTC', between).map(
      (start) => start.getTime() % (24 * HOUR_MS),
    );
    assert.equal(offsets.length, 7);
    assert.equal(new Set(offsets).size, 1);
    const names = Array.from({ length: 50 }, (_, n) => `o${n}`);
    const starts = names.map(
      (name) => nextStart('nightly', rules, name, 'UTC', at('2026-11-01T12:00:00Z'))?.getTime() ?? 0,
    );
    assert.ok(new Set(starts).size > 45, 'the accounts begin at different times');
    const first = at('2026-11-02T01:00:00Z').getTime();
    assert.ok(starts.every((start) => start >= first && start < first + HOUR_MS));
  });

  it('keeps to its weekdays', () => {
    const rules = { ...sharp, nightlyWeekdays: [1] };
    assert.deepEqual(nextStart('nightly', rules, 'o1', 'UTC', at('2026-11-26T12:00:00Z')), at('2026-11-30T01:00:00Z'));
    assert.deepEqual(lastStart('nightly', rules, 'o1', 'UTC', at('2026-11-26T12:00:00Z')), at('2026-11-23T01:00:00Z'));
  });

  it('that was missed, once or often, is due once', () => {
    const now = at('2026-11-26T12:00:00Z');
    assert.equal(isDue('nightly', sharp, 'o1', 'UTC', { lastBegan: null, now }), true);
    assert.equal(isDue('nightly', sharp, 'o1', 'UTC', { lastBegan: at('2026-11-20T01:00:00Z'), now }), true);
    assert.equal(isDue('nightly', sharp, 'o1', 'UTC', { lastBegan: at('2026-11-26T11:00:00Z'), now }), false);
  });

  it('after any instant lies behind it, and nothing lies between (any zone, any time)', () => {
    const zones = ['UTC', 'Europe/Oslo', 'America/St_Johns', 'Australia/Lord_Howe', 'Pacific/Apia', 'Asia/Kathmandu'];
    fc.assert(
      fc.property(
        fc.integer({ min: Date.UTC(2020, 0, 1), max: Date.UTC(2030, 0, 1) }),
        fc.constantFrom(...zones),
        fc.integer({ min: 0, max: 1439 }),
        (ms, timeZone, nightlyAt) => {
          const rules = { ...standard, timeZone, nightlyAt };
          const now = new Date(ms);
          const next = nextStart('nightly', rules, 'o1', 'UTC', now);
          const last = lastStart('nightly', rules, 'o1', 'UTC', now);
          assert.ok(next !== null && last !== null && last <= now && next > now);
          const gapMs = next.getTime() - last.getTime();
          assert.ok(gapMs >= 22 * HOUR_MS && gapMs <= 48 * HOUR_MS, `${gapMs / HOUR_MS} hours`);
          assert.deepEqual(nextStart('nightly', rules, 'o1', 'UTC', last), next);
        },
      ),
    );
  });
});

describe('points of the databases between nights', () => {
  it('are none by default', () => {
    assert.equal(nextStart('databases', standard, 'o1', 'UTC', at('2026-11-26T12:00:00Z')), null);
  });

  it('are at even distances, 24 in a day of an hour each', () => {
    const rules = { ...standard, timeZone: 'UTC', databasesEveryMs: HOUR_MS };
    const starts = startsBetween('databases', rules, 'o1', 'UTC', [
      at('2026-11-26T00:00:00Z'),
      at('2026-11-27T00:00:00Z'),
    ]);
    assert.equal(starts.length, 24);
    assert.ok(starts.every((start, n) => n === 0 || start.getTime() - (starts[n - 1]?.getTime() ?? 0) === HOUR_MS));
  });

  it('keep to a window over midnight, which belongs to the day that it opens on', () => {
    const rules = {
      ...standard,
      timeZone: 'UTC',
      databasesEveryMs: HOUR_MS,
      databasesWindow: { from: 22 * 60, to: 5 * 60 },
      databasesWeekdays: [5],
    };
    const starts = startsBetween('databases', rules, 'o1', 'UTC', [
      at('2026-11-23T00:00:00Z'),
      at('2026-11-30T00:00:00Z'),
    ]);
    assert.equal(starts.length, 7);
    assert.ok(starts.every((start) => start > at('2026-11-27T22:00:00Z') && start < at('2026-11-28T05:00:00Z')));
  });
});
