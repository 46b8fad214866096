/** Reads every byte of a repository and says what is damaged: `node check.ts DIRECTORY PASSWORD-FILE` */
import { readFileSync } from 'node:fs';
import { check, openLocalStorage, openRepository } from '@salvor/engine';

const [directory = '', passwordFile = ''] = process.argv.slice(2);
const repository = await openRepository(openLocalStorage(directory), readFileSync(passwordFile, 'utf8').trim());
const result = await check(repository, { readData: true });
process.stdout.write(`${result.snapshots} snapshots, ${result.packs} packs, ${result.blobs} blobs\n`);
// Damage is what was looked for, so that it is returned, not thrown.
for (const { path, message } of result.errors) process.stdout.write(`damaged: ${path} ${message}\n`);
for (const { path, message } of result.hints) process.stdout.write(`hint: ${path} ${message}\n`);
