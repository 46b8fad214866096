import { test } from 'node:test';
import { chooseSeed, killAtRandom } from './kill-loop.ts';

test('a salvor that is killed at any of 20 random instants leaves the old site or the new one, and every point', async (t) => {
  const seed = chooseSeed();
  t.diagnostic(`SALVOR_TEST_SEED=${seed}`);
  const counts = await killAtRandom(20, seed, ['restore', 'backup', 'restore', 'undo'], (line) => t.diagnostic(line));
  t.diagnostic(JSON.stringify(counts));
});
