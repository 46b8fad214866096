import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { describe, it } from 'node:test';
import { runModel } from './model.ts';

/** `SALVOR_MODEL_SEED` gives a seed back that was printed. */
const given = process.env['SALVOR_MODEL_SEED'];
const seeds = given === undefined ? [20_261_123, randomInt(2 ** 31)] : [Number(given)];

describe('two copies under random operations, kills and damage', () => {
  for (const seed of seeds) {
    it(`lose no blob that a snapshot reaches (seed ${seed})`, async (context) => {
      const report = await runModel({ seed, steps: 14 });
      context.diagnostic(`seed ${seed}: ${JSON.stringify(report)}`);
      assert.ok(report.snapshots > 1);
    });
  }
});
