import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { simulateDays } from './simulate.ts';

test('three nights of two accounts keep what they promise, one night killed and the remote place away in another', async (t) => {
  const seed = Number(process.env['SALVOR_TEST_SEED'] ?? randomInt(2 ** 31));
  t.diagnostic(`SALVOR_TEST_SEED=${seed}`);
  const report = await simulateDays(
    { accounts: 2, sites: 3, days: 3, requests: 6, seed, killPercent: 40, remoteAway: [1], clockJumps: [] },
    (line) => t.diagnostic(line),
  );
  assert.equal(report.nights, 3);
  assert.ok(report.points >= 9);
});
