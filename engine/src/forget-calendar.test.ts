import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { calendarOf, renderCalendar, simulateForget } from './forget-calendar.ts';
import { parseDuration } from './lib/zoned-time.ts';
import { planForget } from './plan-forget.ts';

const YEARS = { from: new Date('2024-01-01T02:00:00Z'), runs: 3 * 365 };

describe('the calendar of a policy', () => {
  it('shows what is left after years of nights: 7 days, 4 weeks, 6 months and each year', () => {
    const { days, rules } = simulateForget({ keep: { daily: 7, weekly: 4, monthly: 6, yearly: -1 } }, YEARS);
    const kept = days.filter((day) => day.kept.length > 0);
    const of = (rule: string): number =>
      kept.flatMap((day) => day.kept).filter(({ reasons }) => reasons.some((each) => each.rule === rule)).length;
    assert.deepEqual(rules, ['daily', 'weekly', 'monthly', 'yearly']);
    assert.deepEqual([of('daily'), of('weekly'), of('monthly'), of('yearly')], [7, 4, 6, 4]);
    // The oldest snapshot of all is kept while years can still come.
    assert.equal(kept.at(-1)?.day, '2024-01-01');
    assert.equal(
      days.reduce((sum, day) => sum + day.kept.length + day.removed, 0),
      YEARS.runs,
    );
  });

  it('keeps within a time what a nightly job leaves there, and never more', () => {
    const { days } = simulateForget({ within: { all: parseDuration('7d') } }, { ...YEARS, runs: 30 });
    assert.deepEqual(
      days.filter(({ kept }) => kept.length > 0).map(({ day }) => day),
      ['2024-01-30', '2024-01-29', '2024-01-28', '2024-01-27', '2024-01-26', '2024-01-25', '2024-01-24'],
    );
  });

  it('differs from one forget over all nights, where an earlier one removed what a later would keep', () => {
    const policy = { keep: { last: 1, weekly: 2 } };
    const { days } = simulateForget(policy, { ...YEARS, runs: 10 });
    assert.deepEqual(
      days.filter(({ kept }) => kept.length > 0).map(({ day }) => day),
      ['2024-01-10', '2024-01-07'],
    );
  });

  it('reads as a table, with what is gone in one line', () => {
    const calendar = simulateForget({ keep: { daily: 2, weekly: 2 } }, { ...YEARS, runs: 10 });
    assert.equal(
      renderCalendar(calendar),
      [
        'DAY         TIME   daily  weekly',
        '2024-01-10  02:00  x      x',
        '2024-01-09  02:00  x',
        '  (1 gone of 2024-01-08)',
        '2024-01-07  02:00         x',
        '  (6 gone of 2024-01-01 to 2024-01-06)',
      ].join('\n'),
    );
  });

  it('is made of a plan too, with the days in the zone of its snapshots', () => {
    const base = simulateForget({ keep: { last: 2 } }, { ...YEARS, runs: 2 }).days.flatMap(({ kept }) => kept);
    const snapshots = base.map(({ snapshot }, i) => ({ ...snapshot, time: `2024-01-0${i + 1}T23:30:00-02:00` }));
    const [group] = planForget(snapshots, { keep: { last: 1 } }, { now: new Date('2025-01-01') }).groups;
    assert.ok(group !== undefined);
    assert.deepEqual(
      calendarOf(group).days.map(({ day, kept, removed }) => [day, kept.length, removed]),
      [
        ['2024-01-02', 1, 0],
        ['2024-01-01', 0, 1],
      ],
    );
  });

  it('refuses to simulate for ever', () => {
    assert.throws(() => simulateForget({ keep: { last: 1 } }, { ...YEARS, runs: 10_001 }), RangeError);
  });
});
