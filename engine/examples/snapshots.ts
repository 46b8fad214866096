/** Lists the snapshots, oldest first: `node snapshots.ts DIRECTORY PASSWORD-FILE [TAG…]` */
import { readFileSync } from 'node:fs';
import { listSnapshots, openLocalStorage, openRepository } from '@salvor/engine';

const [directory = '', passwordFile = '', ...tags] = process.argv.slice(2);
const repository = await openRepository(openLocalStorage(directory), readFileSync(passwordFile, 'utf8').trim());
const { snapshots, problems } = await listSnapshots(repository, { tags });
for (const { id, time, hostname, tags: has, paths } of snapshots)
  process.stdout.write(`${id.slice(0, 8)} ${time} ${hostname} [${has.join(',')}] ${paths.join(' ')}\n`);
for (const { path, message } of problems) process.stdout.write(`problem: ${path}: ${message}\n`);
