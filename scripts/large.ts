/**
 * What is too large for the tests: `npm run large -- [--members 1000000]` backs up and restores a file of over 2 GiB, and imports archives of
 * a million tiny members. Needs 8 GB and twice as many inodes; takes half an hour, and longer beside other work.
 */
import { parseArgs } from 'node:util';
import { tryLargeFile } from '../salvor/test/large/large-file.ts';
import { tryManyMembers } from '../salvor/test/large/many-members.ts';

const { values } = parseArgs({ options: { members: { type: 'string', default: '1000000' } } });
const began = performance.now();
const say = (line: string): void =>
  console.log(`${((performance.now() - began) / 1000).toFixed(0).padStart(5)} s  ${line}`);
await tryLargeFile(say);
await tryManyMembers(Number(values.members), say);
