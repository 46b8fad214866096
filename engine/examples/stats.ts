/** Counts what all snapshots would restore to, and what they take: `node stats.ts DIRECTORY PASSWORD-FILE` */
import { readFileSync } from 'node:fs';
import { openLocalStorage, openRepository, stats } from '@salvor/engine';

const [directory = '', passwordFile = ''] = process.argv.slice(2);
const repository = await openRepository(openLocalStorage(directory), readFileSync(passwordFile, 'utf8').trim());
const restored = await stats(repository);
const stored = await stats(repository, { mode: 'raw-data' });
process.stdout.write(`${restored.snapshots} snapshots of ${restored.bytes} bytes take ${stored.bytes} bytes\n`);
