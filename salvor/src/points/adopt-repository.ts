import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { addKey, generateKey, listKeys } from '@salvor/engine';
import { makeDirectories } from '../lib/make-directories.ts';
import { writeDurably } from '../lib/write-durably.ts';
import { openWithRecoveryKey } from './recovery-key.ts';
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
  const repository = await openWithRecoveryKey(storage, recoveryKey, { signal });
  const file = keyFileOf(places, account, copy);
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
