/** Adds, changes and removes passwords. Run: node engine/examples/keys.ts DIRECTORY */
import { join } from 'node:path';
import {
  addKey,
  changePassword,
  generateKey,
  initRepository,
  listKeys,
  openLocalStorage,
  removeKey,
} from '@salvor/engine';
import type { Secret } from '@salvor/engine';

export async function example(directory: string): Promise<string> {
  // 256 random bits can't be guessed: they open a repository at once. A person's password takes half a second.
  const ours: Secret = { kind: 'key', text: generateKey() };
  const repository = await initRepository(openLocalStorage(join(directory, 'repository')), ours);
  const visitor = await addKey(repository, { kind: 'password', text: 'for a week' }, { username: 'visitor' });
  await removeKey(repository, visitor.slice(0, 8), ours);
  const next: Secret = { kind: 'key', text: generateKey() };
  await changePassword(repository, ours, next);
  const { keys } = await listKeys(repository, next);
  return `${keys.length} key, ${keys.filter(({ isCurrent }) => isCurrent).length} of them in use`;
}

if (import.meta.main)
  process.stdout.write(`${await example(process.argv[2] ?? '.')}
`);
