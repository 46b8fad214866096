import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../../demo/random.ts';
import { chooseSeed, killAtEachStep } from './kill-loop.ts';
import { SHAPES } from './kill-shapes.ts';

/** A server whose disk is full waits for a minute: that is for `npm run kills`. */
const KINDS = ['salvor', 'server', 'connections', 'cancel', 'site-full', 'state-full'] as const;

/** A dozen of the steps, two by each kind: all of them by all kinds is for `npm run kills`. */
const HITS = 2 * KINDS.length;

test('a salvor that is killed, cancelled, loses its server or its disk at any step leaves the old site or the new one', async (t) => {
  const seed = chooseSeed();
  t.diagnostic(`SALVOR_TEST_SEED=${seed}`);
  const shape = SHAPES[new Random(seed).between(0, SHAPES.length - 1)] ?? 'whole';
  const { byKind, steps } = await killAtEachStep({ shapes: [shape], kinds: KINDS, count: HITS }, seed, (line) =>
    t.diagnostic(line),
  );
  t.diagnostic(JSON.stringify(byKind));
  assert.ok(steps.size >= HITS / 2, `${steps.size} steps were hit`);
});
