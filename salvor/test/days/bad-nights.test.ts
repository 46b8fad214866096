import assert from 'node:assert/strict';
import { test } from 'node:test';
import { liveThroughBadNights } from './bad-nights.ts';

test('thirty days of nights that failed or were empty, and snapshots from the future, cost no whole point its time, and never the newest', async () => {
  assert.equal(await liveThroughBadNights({ everyDays: 7 }), 5);
});
