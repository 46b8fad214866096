import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { dayOf, formatDuration, parseDuration, parseZonedTime, weekOf } from './zoned-time.ts';

describe('a time with its zone', () => {
  it('is of the week that date(1) names, around every new year of 60 years', () => {
    const days = Array.from({ length: 60 }, (_, i) => 1990 + i).flatMap((year) =>
      ['12-28', '12-29', '12-31', '01-01', '01-03', '01-04', '06-15'].map((day) => `${year}-${day}`),
    );
    const theirs = execFileSync('date', ['-u', '-f', '-', '+%G%V'], { input: days.join('\n'), encoding: 'utf8' });
    assert.deepEqual(
      days.map((day) => String(weekOf(parseZonedTime(`${day}T23:59:59Z`)))),
      theirs.trim().split('\n'),
    );
  });

  it('is of the day on the wall there, also less than a millisecond before midnight in 1969', () => {
    assert.equal(dayOf(parseZonedTime('2026-11-23T23:30:00-01:00')), '2026-11-23');
    assert.equal(dayOf(parseZonedTime('1969-12-31T23:59:59.9999Z')), '1969-12-31');
  });
});

describe('a duration', () => {
  it('is read in any order of its units and written in one', () => {
    assert.deepEqual(parseDuration('1y5m7d2h'), { years: 1, months: 5, days: 7, hours: 2 });
    assert.equal(formatDuration(parseDuration('2h7d')), '7d2h');
    assert.equal(formatDuration(parseDuration('0y')), '0d');
  });

  it('is refused where a part is not understood, negative, named twice or beyond any calendar', () => {
    for (const text of ['', '7', 'd', '7w', '-7d', '7d ', '1d2d', '7d2', '9999999y', '1.5d'])
      assert.throws(() => parseDuration(text), RangeError, text);
  });
});
