/**
 * For reading where no lock can be written: a medium that is read-only. Nothing keeps others from removing what is read,
 * which then is missing, and nothing may be written or removed under it.
 */
import { EngineError } from '../errors.ts';
import type { RepositoryLock } from './lock.ts';

/** What `Repository.lock` gives. */
export type AnyLock = Pick<RepositoryLock, 'confirm' | 'requireHeld' | 'close'> & AsyncDisposable;

export function openNoLock(location: string): AnyLock {
  const close = async (): Promise<void> => undefined;
  return {
    confirm: async () => undefined,
    requireHeld: async () => {
      throw new EngineError('lock-lost', { location });
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}
