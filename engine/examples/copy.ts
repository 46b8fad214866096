/** Brings all snapshots into a second repository: `node copy.ts DIRECTORY PASSWORD-FILE SECOND-DIRECTORY` */
import { readFileSync } from 'node:fs';
import { copy, initRepository, openLocalStorage, openRepository } from '@salvor/engine';

const [directory = '', passwordFile = '', second = ''] = process.argv.slice(2);
const text = readFileSync(passwordFile, 'utf8').trim();
const from = await openRepository(openLocalStorage(directory), text);
// Both cut files alike, so that nothing has to be cut again, and later backups can feed both in one pass.
const to = await initRepository(openLocalStorage(second), { kind: 'key', text }, { polynomialOf: from });
const { copied, skipped, bytesStored } = await copy({ from, to });
process.stdout.write(`copied ${copied.length} snapshots, ${skipped} were there, ${bytesStored} bytes stored\n`);
