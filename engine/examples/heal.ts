/** Mends a repository with what its second copy has: `node heal.ts DIRECTORY PASSWORD-FILE SECOND-DIRECTORY` */
import { readFileSync } from 'node:fs';
import { heal, openLocalStorage, openRepository } from '@salvor/engine';

const [directory = '', passwordFile = '', second = ''] = process.argv.slice(2);
const password = readFileSync(passwordFile, 'utf8').trim();
const damaged = await openRepository(openLocalStorage(directory), password);
const healthy = await openRepository(openLocalStorage(second), password);
const { found, blobsHealed, left } = await heal({ damaged, healthy });
process.stdout.write(`found ${found.length} problems, healed ${blobsHealed} blobs\n`);
for (const { path, message } of left) process.stdout.write(`left: ${path}: ${message}\n`);
