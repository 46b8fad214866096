import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ageLived } from '../policies/lived-time.ts';
import { type ClockLook, watchClock } from './clock-watch.ts';

const HOUR_MS = 3_600_000;
const START = Date.UTC(2026, 2, 1, 2);

describe('the clock of a host', () => {
  let state: string;
  beforeEach(() => {
    state = mkdtempSync(join(tmpdir(), 'salvor-clock-'));
  });
  afterEach(() => rmSync(state, { recursive: true }));

  /** So many hours after the start, with a clock that is so many hours ahead. */
  const lookAt = (hours: number, aheadHours = 0, boot = 'one'): ClockLook => {
    const seconds = boot === 'one' ? hours * 3600 : 60;
    return watchClock(state, new Date(START + (hours + aheadHours) * HOUR_MS), { boot, seconds });
  };
  const look = (...when: Parameters<typeof lookAt>): boolean => lookAt(...when).isTrusted;
  /** In hours; of what was dated so many hours after the start. */
  const ageOf = (dated: number, seen: ClockLook): number => ageLived(seen, new Date(START + dated * HOUR_MS)) / HOUR_MS;

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

  it('makes nothing older by what it has jumped ahead, believed again or not', () => {
    for (const ahead of [24, 24 * 365]) {
      rmSync(join(state, 'clock.json'), { force: true });
      for (const hours of [0, 24, 48]) look(hours);
      const jumped = lookAt(60, ahead);
      assert.deepEqual([ageOf(-24, jumped), ageOf(24, jumped), ageOf(48, jumped)], [84, 36, 12], String(ahead));
      const believed = lookAt(96, ahead);
      assert.deepEqual([believed.isTrusted, ageOf(24, believed), ageOf(60 + ahead, believed)], [true, 72, 36]);
      // Set right again, all is as old as it is.
      const right = lookAt(120);
      assert.deepEqual([ageOf(24, right), ageOf(120, right), ageOf(60 + ahead, right)], [96, 0, 60]);
    }
  });

  it('makes nothing older than it is where it has gone back, and tells one of two instants of the same name as the later', () => {
    for (const hours of [0, 24, 48]) look(hours);
    lookAt(60, -24);
    const later = lookAt(84, -24);
    // Of before the jump; and what was dated 25 was made at 25, or at 49.
    assert.deepEqual([ageOf(12, later), ageOf(25, later), ageOf(60, later)], [72, 35, 0]);
    const right = lookAt(108);
    assert.deepEqual([ageOf(12, right), ageOf(90, right)], [96, 18]);
  });

  it('counts no time in which the machine may have been off, nor what the clock was set ahead by meanwhile', () => {
    look(0);
    look(24);
    assert.equal(look(72, 0, 'two'), true);
    const booted = lookAt(72, 0, 'two');
    // A minute since the boot, and no more is known.
    assert.deepEqual([ageOf(0, booted), ageOf(24, booted)], [24 + 1 / 60, 1 / 60]);
  });

  it('goes on from a look of before ages went by it, and begins anew where the last one can’t be read', () => {
    const wall = new Date(START).toISOString();
    writeFileSync(join(state, 'clock.json'), JSON.stringify({ wall, boot: 'one', seconds: 0, doubted: null }));
    assert.equal(ageOf(-10, lookAt(24, 100)), 34);
    writeFileSync(join(state, 'clock.json'), '{"wall":');
    assert.equal(ageOf(-10, lookAt(24)), 34);
  });
});
