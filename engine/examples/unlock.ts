/** Removes the locks of processes that are dead. Run: node engine/examples/unlock.ts DIRECTORY */
import { join } from 'node:path';
import { initRepository, openLocalStorage, unlock } from '@salvor/engine';

export async function example(directory: string): Promise<string> {
  const storage = openLocalStorage(join(directory, 'repository'));
  const repository = await initRepository(storage, { kind: 'password', text: 'correct horse' });
  return repository.withLock('shared', async (confirmed) => {
    await confirmed;
    const { removed, left } = await unlock(repository);
    const holder = left[0]?.record;
    const isOurs = holder?.pid === process.pid;
    return `${removed.length} removed, ${left.length} left, held by ${isOurs ? 'this process' : 'another process'}`;
  });
}

if (import.meta.main)
  process.stdout.write(`${await example(process.argv[2] ?? '.')}
`);
