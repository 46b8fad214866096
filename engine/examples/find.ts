/** Looks for names in all snapshots: `node find.ts DIRECTORY PASSWORD-FILE PATTERN…` */
import { readFileSync } from 'node:fs';
import { find, openLocalStorage, openRepository } from '@salvor/engine';

const [directory = '', passwordFile = '', ...patterns] = process.argv.slice(2);
const repository = await openRepository(openLocalStorage(directory), readFileSync(passwordFile, 'utf8').trim());
for await (const { snapshot, path, entry } of find(repository, { patterns, ignoreCase: true }))
  process.stdout.write(`${snapshot.id.slice(0, 8)} ${snapshot.time} ${entry.size} ${path}\n`);
