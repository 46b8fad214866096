/**
 * `npm run kills [COUNT] [KIND,…] [SHAPE,…]`: the long form of the kill test. Without COUNT each step of each task is hit once by
 * each kind, in every shape; which these are stands in `salvor/test/fault`. The seed is printed and can be given back.
 */
import { KINDS, type KillKind } from '../salvor/test/fault/kill-strike.ts';
import { chooseSeed, killAtEachStep } from '../salvor/test/fault/kill-loop.ts';
import { SHAPES, type ShapeName } from '../salvor/test/fault/kill-shapes.ts';

const [count = '0', kinds = KINDS.join(','), shapes = SHAPES.join(',')] = process.argv.slice(2);
const wish = { kinds: kinds.split(',') as KillKind[], shapes: shapes.split(',') as ShapeName[] };
const seed = chooseSeed();
console.log(`SALVOR_TEST_SEED=${seed}: ${wish.kinds.join(', ')}; ${wish.shapes.join(', ')}`);
const tell = (line: string): void => console.log(line);
const { byKind, steps, missed } = await killAtEachStep(
  { ...wish, count: Number(count) || { rounds: wish.kinds.length } },
  seed,
  tell,
);
console.log(`No claim was broken. ${steps.size} steps were hit.`, byKind, missed.length === 0 ? '' : { missed });
