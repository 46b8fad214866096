import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { watchClock } from './clock-watch.ts';

const HOUR_MS = 3_600_000;
const START = Date.UTC(2026, 2, 1, 2);

describe('the clock of a host', () => {
  let state: string;
  beforeEach(() => {
    state = mkdtempSync(join(tmpdir(), 'salvor-clock-'));
  });
  afterEach(() => rmSync(state, { recursive: true }));

  /** So many hours after the start, with a clock that is so many hours ahead. */
  const look = (hours: number, aheadHours = 0, boot = 'one'): boolean => {
    const seconds = boot === 'one' ? hours * 3600 : 60;
    return watchClock(state, new Date(START + (hours + aheadHours) * HOUR_MS), { boot, seconds });
  };

  it('is believed as long as it goes as the time since the boot does', () => {
    assert.deepEqual([look(0), look(24), look(24.1), look(48)], [true, true, true, true]);
  });

  it('is doubted for most of a day when it has jumped either way, by each account and by what is begun again', () => {
    for (const ahead of [24, -24, 24 * 365]) {
      rmSync(join(state, 'clock.json'), { force: true });
      assert.deepEqual(
        [look(0), look(24, ahead), look(24.2, ahead), look(25, ahead), look(48, ahead)],
        [true, false, false, false, true],
        String(ahead),
      );
    }
  });

  it('that is set right again has jumped again', () => {
    assert.deepEqual([look(0), look(24, 48), look(30), look(48), look(72)], [true, false, false, false, true]);
  });

  it('is doubted over a boot where it went back, or says that the machine was off for long', () => {
    assert.deepEqual([look(0), look(5, 0, 'two')], [true, true]);
    assert.deepEqual([look(6, -9, 'three'), look(7, 24 * 30, 'four')], [false, false]);
  });
});
