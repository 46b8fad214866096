/** Writes a snapshot into an empty directory: `node restore.ts DIRECTORY PASSWORD-FILE SNAPSHOT TARGET [SUBTREE]` */
import { readFileSync } from 'node:fs';
import { findSnapshot, openLocalStorage, openRepository, restore } from '@salvor/engine';

const [directory = '', passwordFile = '', named = 'latest', target = '', subtree = '/'] = process.argv.slice(2);
const repository = await openRepository(openLocalStorage(directory), readFileSync(passwordFile, 'utf8').trim());
const snapshot = await findSnapshot(repository, named);
// `verify` reads every file back and compares it with what the snapshot says.
const result = await restore({ repository, snapshot, target, subtree, verify: true });
process.stdout.write(`restored ${result.files} files, ${result.bytes} bytes\n`);
for (const { path, message } of result.problems) process.stdout.write(`problem: ${path}: ${message}\n`);
