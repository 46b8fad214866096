import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../../demo/random.ts';
import { chooseSeed, killAtEachStep } from './kill-loop.ts';
import { SHAPES, type ShapeName } from './kill-shapes.ts';

/** A server whose disk is full waits for a minute: that is for `npm run kills`. */
const KINDS = ['salvor', 'server', 'connections', 'cancel', 'site-full', 'state-full'] as const;

/** A step by each kind: all of them by all kinds is for `npm run kills`. */
const HITS = KINDS.length;

const RESTORES: readonly ShapeName[] = ['whole', 'paths', 'tables', 'into', 'scattered', 'pair', 'wordpress'];
/** Soon done beside another shape, and leaves no trace that the other one would see, as times of directories are. */
const SMALL_RESTORE: ShapeName = 'tables';

test('a salvor that is killed, cancelled, loses its server or its disk at any step leaves the old site or the new one', async (t) => {
  const seed = chooseSeed();
  t.diagnostic(`SALVOR_TEST_SEED=${seed}`);
  const random = new Random(seed);
  const drawn = random.pick(SHAPES);
  const restored = RESTORES.includes(drawn) ? drawn : SMALL_RESTORE;
  const shapes = [...new Set([drawn, restored])];
  const count = HITS - (shapes.length - 1);
  const wish = { shapes, kinds: KINDS, count, surely: restored };
  const { byKind, steps } = await killAtEachStep(wish, seed, (line) => t.diagnostic(line));
  t.diagnostic(JSON.stringify(byKind));
  assert.ok(steps.size >= HITS / 2, `${steps.size} steps were hit`);
  assert.ok(
    [...steps].some((step) => step.startsWith(`${restored} change: `)),
    `no step of a restore among ${[...steps].join(', ')}`,
  );
});
