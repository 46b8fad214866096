import { test } from 'node:test';
import { chooseSeed, killAtRandom } from './kill-loop.ts';

const KINDS = ['salvor', 'salvor', 'server', 'connections', 'cancel'] as const;

test('a salvor that is killed, cancelled or loses its server at any of 20 random instants leaves the old site or the new one', async (t) => {
  const seed = chooseSeed();
  t.diagnostic(`SALVOR_TEST_SEED=${seed}`);
  const counts = await killAtRandom(20, seed, ['restore', 'backup', 'restore', 'undo'], KINDS, (line) =>
    t.diagnostic(line),
  );
  t.diagnostic(JSON.stringify(counts));
});
