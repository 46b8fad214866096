import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { simulateDays } from './simulate.ts';

test('three nights of two accounts keep what they promise, one night and the database server in another killed, the remote place away in that one too', async (t) => {
  const seed = Number(process.env['SALVOR_TEST_SEED'] ?? randomInt(2 ** 31));
  t.diagnostic(`SALVOR_TEST_SEED=${seed}`);
  const report = await simulateDays(
    {
      accounts: 2,
      sites: 3,
      days: 3,
      requests: 6,
      seed,
      killPercent: 0,
      kills: { 1: 'server', 2: 'night' },
      remoteAway: [1],
      clockJumps: [],
    },
    (line) => t.diagnostic(line),
  );
  assert.equal(report.nights, 3);
  assert.ok(report.points >= 9);
  assert.ok(report.killed.night > 0 && report.killed.server > 0, JSON.stringify(report.killed));
});
