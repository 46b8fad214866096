import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HostPoints } from '../points/host-points.ts';
import { NO_LEVELS } from '../policies/policy-levels.ts';
import type { TaskRow } from '../store/tables.ts';
import { readAccountStatus } from './account-status.ts';
import { findDue } from './due.ts';
import type { TaskLog } from './task-log.ts';

const HOUR_MS = 3_600_000;
const levels = { ...NO_LEVELS, host: { nightlyAt: 2 * 60, nightlySpreadMs: 0, timeZone: 'UTC' } };

/** Newest first, by the days on which they began, at the hour of the nights. */
const nights = (...days: readonly number[]): readonly TaskRow[] =>
  days.map((day) => {
    const started = new Date(Date.UTC(2026, 2, day, 2)).toISOString();
    return { id: `t${day}`, operation: 'daily', wish: null, state: 'succeeded', started, ended: started } as TaskRow;
  });

const at = (day: number, hour: number): Date => new Date(Date.UTC(2026, 2, day) + hour * HOUR_MS);

test('a night that a wrong clock dated ahead keeps none from being due, nor from being told late', async () => {
  const jobsAt = async (now: Date, rows: readonly TaskRow[]): Promise<number> =>
    (await findDue(levels, ['o1'], { now, hostZone: 'UTC', rowsOf: () => Promise.resolve(rows) })).length;
  const lateAt = async (now: Date, rows: readonly TaskRow[]): Promise<string | null> => {
    const log = { readLast: () => Promise.resolve(rows) } as unknown as TaskLog;
    const points = {} as unknown as HostPoints;
    const look = { log, points, levels, now, hasRemote: false, madeAt: () => at(1, 0) };
    return (await readAccountStatus('o1', [], look)).lateSince;
  };
  assert.deepEqual([await jobsAt(at(4, 3), nights(4, 3)), await lateAt(at(4, 6), nights(4, 3))], [0, null]);
  const ahead = nights(6, 3);
  assert.equal(await jobsAt(at(4, 3), ahead), 1);
  assert.equal(await lateAt(at(4, 6), ahead), at(4, 2).toISOString());
  // The clocks of two runs differ a little.
  assert.equal(await jobsAt(at(4, 1.9), nights(4)), 0);
});
