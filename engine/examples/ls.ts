/** Lists what a snapshot holds: `node ls.ts DIRECTORY PASSWORD-FILE SNAPSHOT [PATH]` */
import { readFileSync } from 'node:fs';
import { findSnapshot, openLocalStorage, openRepository, openView } from '@salvor/engine';

const [directory = '', passwordFile = '', snapshot = 'latest', path = '/'] = process.argv.slice(2);
const repository = await openRepository(openLocalStorage(directory), readFileSync(passwordFile, 'utf8').trim());
const view = await openView(repository, await findSnapshot(repository, snapshot));
for await (const { path: below, entry } of view.walk(path))
  process.stdout.write(`${entry.type.padEnd(8)} ${String(entry.size).padStart(12)} ${below}\n`);
