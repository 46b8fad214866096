/** Creates a repository: `node init.ts DIRECTORY PASSWORD-FILE` */
import { readFileSync } from 'node:fs';
import { initRepository, openLocalStorage } from '@salvor/engine';

const [directory = '', passwordFile = ''] = process.argv.slice(2);
const text = readFileSync(passwordFile, 'utf8').trim();
// `generateKey()` makes a secret of kind `key`, which opens at once; a password that a person chose costs half a second.
const repository = await initRepository(openLocalStorage(directory), { kind: 'password', text });
process.stdout.write(`created ${repository.id}, version ${repository.version}\n`);
