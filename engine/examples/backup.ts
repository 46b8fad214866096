/** Makes a snapshot of files and directories: `node backup.ts DIRECTORY PASSWORD-FILE PATH…` */
import { readFileSync } from 'node:fs';
import { backup, entriesOfPaths, openLocalStorage, openRepository } from '@salvor/engine';

const [directory = '', passwordFile = '', ...paths] = process.argv.slice(2);
const repository = await openRepository(openLocalStorage(directory), readFileSync(passwordFile, 'utf8').trim());
const result = await backup({ source: entriesOfPaths(paths), repositories: [repository], paths, tags: ['example'] });
for (const { id } of result.snapshots) process.stdout.write(`saved ${id}\n`);
process.stdout.write(`${result.files.new} new files, ${result.bytesStored} bytes stored\n`);
// What could not be read does not stop the others; it is named, and the snapshot is there.
for (const { path, message } of result.problems) process.stdout.write(`problem: ${path}: ${message}\n`);
