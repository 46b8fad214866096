/** Shows what differs between two snapshots: `node diff.ts DIRECTORY PASSWORD-FILE FROM TO` */
import { readFileSync } from 'node:fs';
import { diff, findSnapshot, openLocalStorage, openRepository } from '@salvor/engine';

const [directory = '', passwordFile = '', from = '', to = 'latest'] = process.argv.slice(2);
const repository = await openRepository(openLocalStorage(directory), readFileSync(passwordFile, 'utf8').trim());
const [first, second] = [await findSnapshot(repository, from), await findSnapshot(repository, to)];
// Changes come as they are found; unchanged directories are not even read.
for await (const { path, modifier } of diff(repository, { snapshot: first }, { snapshot: second }))
  process.stdout.write(`${modifier} ${path}\n`);
