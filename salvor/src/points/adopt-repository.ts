import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Repository, type Storage, addKey, generateKey, listKeys, openRepository } from '@salvor/engine';
import { codeOf } from '../lib/errno.ts';
import { makeDirectories } from '../lib/make-directories.ts';
import { writeDurably } from '../lib/write-durably.ts';
import { ensureRecoveryAccess, openWithRecoveryKey } from './recovery-key.ts';
import {
  type CopyName,
  type RepositoryPlaces,
  keyFileOf,
  openCopyStorage,
  readKeyFile,
  rememberMade,
} from './repositories.ts';

/**
 * Gives this host a key of its own in a repository that another one made, where the recovery key opens it. Nothing in it is
 * removed: the lost host's key stays, for a person to take away. Throws `recovery-key-refused`, `repository-missing` and what the storage says.
 */
export async function adoptRepository(
  places: RepositoryPlaces,
  account: string,
  copy: CopyName,
  { recoveryKey, signal }: { readonly recoveryKey: string; readonly signal: AbortSignal },
): Promise<void> {
  await using opening = new AsyncDisposableStack();
  const storage = openCopyStorage(places, account, copy, {}, opening);
  const file = keyFileOf(places, account, copy);
  const own = existsSync(file) ? readKeyFile(file, account) : null;
  const repository = await openToAdopt(storage, { recoveryKey, own, signal });
  // The file first: killed between the two, the next try adds the key that it holds.
  if (!existsSync(file)) {
    makeDirectories(dirname(file), 0o700);
    writeDurably(file, `${generateKey()}\n`, 0o600);
  }
  const secret = { kind: 'key', text: readKeyFile(file, account) } as const;
  const { keys } = await listKeys(repository, secret, { signal });
  if (!keys.some(({ isCurrent }) => isCurrent)) await addKey(repository, secret, { signal });
  rememberMade(places, account, copy, repository);
}

/** A recovery that was killed may have made the repository with a key of this host, and not got to the one that the recovery key opens. */
async function openToAdopt(
  storage: Storage,
  {
    recoveryKey,
    own,
    signal,
  }: { readonly recoveryKey: string; readonly own: string | null; readonly signal: AbortSignal },
): Promise<Repository> {
  try {
    return await openWithRecoveryKey(storage, recoveryKey, { signal });
  } catch (refused) {
    if (own === null || codeOf(refused) !== 'recovery-key-refused') throw refused;
    const repository = await openRepository(storage, { kind: 'key', text: own }, { signal }).catch((error: unknown) => {
      throw codeOf(error) === 'wrong-password' ? refused : error;
    });
    await ensureRecoveryAccess(repository, recoveryKey);
    return repository;
  }
}
