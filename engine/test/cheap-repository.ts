/** Repositories that open at once, for suites that open many: their secret is random, so scrypt may be cheap. */
import { backup, entriesOfPaths, generateKey, initRepository, openLocalStorage, openRepository } from '../src/index.ts';
import type { Repository, Storage } from '../src/index.ts';
import { restic as run, tryRestic as tryRun } from './fixtures.ts';

export { openWorkplace } from './fixtures.ts';

export const KEY: string = generateKey();

export async function makeCheapRepository(directory: string): Promise<Repository> {
  return initRepository(openLocalStorage(directory), { kind: 'key', text: KEY });
}

/** Opens it, or what another storage makes of it. */
export async function openCheapRepository(
  directory: string,
  storage: Storage = openLocalStorage(directory),
): Promise<Repository> {
  return openRepository(storage, KEY);
}

/** A snapshot of one directory; one worker makes few packs, the same ones each time. */
export async function backUp(repository: Repository, source: string): Promise<void> {
  await backup({ source: entriesOfPaths([source]), repositories: [repository], paths: [source], workers: 1 });
}

export const restic = (repository: string, args: readonly string[]): string => run(repository, args, KEY);

export const tryRestic = (repository: string, args: readonly string[]): ReturnType<typeof tryRun> =>
  tryRun(repository, args, KEY);
