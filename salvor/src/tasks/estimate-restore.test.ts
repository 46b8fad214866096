import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_RATES, addRate, estimateSeconds } from './estimate-restore.ts';

const WORK = { safety: 100e6, files: 100e6, tables: 100e6 };

test('where nothing was measured there is a first estimate, and more work takes longer', () => {
  const one = estimateSeconds(NO_RATES, WORK);
  assert.ok(one > 5 && one < 120, String(one));
  assert.ok(estimateSeconds(NO_RATES, { ...WORK, tables: 200e6 }) > one);
  assert.ok(estimateSeconds(NO_RATES, { safety: 0, files: 0, tables: 0 }) > 0);
});

test('what was measured decides, the last one most', () => {
  let rates = addRate(NO_RATES, 'files', { bytes: 100e6, seconds: 100 });
  const slow = estimateSeconds(rates, { safety: 0, files: 100e6, tables: 0 });
  assert.ok(Math.abs(slow - 102) <= 1, String(slow));
  for (let i = 0; i < 5; i++) rates = addRate(rates, 'files', { bytes: 100e6, seconds: 1 });
  assert.ok(estimateSeconds(rates, { safety: 0, files: 100e6, tables: 0 }) < 10);
});

test('a restore of a few bytes says nothing of the rate', () => {
  assert.equal(addRate(NO_RATES, 'tables', { bytes: 1000, seconds: 3 }), NO_RATES);
  assert.equal(addRate(NO_RATES, 'tables', { bytes: 5e6, seconds: 0 }), NO_RATES);
});
