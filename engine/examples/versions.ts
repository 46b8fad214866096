/** Lists every version of one file, the newest first: `node versions.ts DIRECTORY PASSWORD-FILE PATH` */
import { readFileSync } from 'node:fs';
import { openLocalStorage, openRepository, versions } from '@salvor/engine';

const [directory = '', passwordFile = '', path = ''] = process.argv.slice(2);
const repository = await openRepository(openLocalStorage(directory), readFileSync(passwordFile, 'utf8').trim());
for (const { content, entry, firstSeen, lastSeen } of (await versions(repository, path)).versions)
  process.stdout.write(`${content.slice(0, 8)} ${entry.size} bytes, from ${firstSeen.time} to ${lastSeen.time}\n`);
