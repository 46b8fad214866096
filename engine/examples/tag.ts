/** Pins a snapshot, so that no policy removes it: `node tag.ts DIRECTORY PASSWORD-FILE SNAPSHOT` */
import { readFileSync } from 'node:fs';
import { PIN_TAG, openLocalStorage, openRepository, tag } from '@salvor/engine';

const [directory = '', passwordFile = '', snapshot = 'latest'] = process.argv.slice(2);
const repository = await openRepository(openLocalStorage(directory), readFileSync(passwordFile, 'utf8').trim());
const { changed } = await tag(repository, { change: { add: [PIN_TAG] }, filter: { ids: [snapshot] } });
// A snapshot never changes: one with the new tags takes its place, under an id of its own.
for (const { old, new: id, tags } of changed)
  process.stdout.write(`${old.slice(0, 8)} is ${id.slice(0, 8)} now: ${tags.join(',')}\n`);
