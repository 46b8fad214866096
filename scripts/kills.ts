/** `npm run kills [COUNT]`: the long form of the kill test, 200 instants by default. The seed is printed and can be given back. */
import { chooseSeed, killAtRandom } from '../salvor/test/fault/kill-loop.ts';

const count = Number(process.argv[2] ?? 200);
const seed = chooseSeed();
console.log(`SALVOR_TEST_SEED=${seed}: ${count} kills`);
const counts = await killAtRandom(count, seed, ['restore', 'backup', 'restore', 'undo'], (line) => console.log(line));
console.log('No claim was broken.', counts);
