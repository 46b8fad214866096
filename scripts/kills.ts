/**
 * `npm run kills [COUNT] [KIND,…]`: the long form of the kill test, 200 instants by default, of all kinds: salvor, server,
 * connections, cancel. The seed is printed and can be given back.
 */
import type { KillKind } from '../salvor/test/fault/kill-host.ts';
import { chooseSeed, killAtRandom } from '../salvor/test/fault/kill-loop.ts';

const count = Number(process.argv[2] ?? 200);
const kinds = (process.argv[3] ?? 'salvor,server,connections,cancel').split(',') as KillKind[];
const seed = chooseSeed();
console.log(`SALVOR_TEST_SEED=${seed}: ${count} times ${kinds.join(', ')}`);
const tell = (line: string): void => console.log(line);
const counts = await killAtRandom(count, seed, ['restore', 'backup', 'restore', 'undo'], kinds, tell);
console.log('No claim was broken.', counts);
