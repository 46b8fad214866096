/** Repositories that open at once, for suites that open many: their secret is random, so scrypt may be cheap. */
import { generateKey, initRepository, openLocalStorage } from '../src/index.ts';
import type { Repository } from '../src/index.ts';
import { restic as run, tryRestic as tryRun } from './fixtures.ts';

export { openWorkplace } from './fixtures.ts';

export const KEY: string = generateKey();

export async function makeCheapRepository(directory: string): Promise<Repository> {
  return initRepository(openLocalStorage(directory), { kind: 'key', text: KEY });
}

export const restic = (repository: string, args: readonly string[]): string => run(repository, args, KEY);

export const tryRestic = (repository: string, args: readonly string[]): ReturnType<typeof tryRun> =>
  tryRun(repository, args, KEY);
