/**
 * A new key in the place of an account's old one, in one of its repositories. At every instant the key file of the state
 * opens the repository:
 *
 *   1. a new key beside the old one's file        killed: the next rotation goes on with it
 *   2. added to the repository, which is opened with it
 *   3. it is written down which key goes
 *   4. the new file takes the old one's name      killed before: the old key is in force; after: the new one
 *   5. the old key leaves the repository          killed before: the next rotation removes it
 *
 * The data is not sealed anew: whoever had read the master key out of the repository before keeps it.
 */
import { existsSync, readFileSync, renameSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import {
  EngineError,
  type Repository,
  type Secret,
  addKey,
  generateKey,
  listKeys,
  openRepository,
  removeKey,
} from '@salvor/engine';
import { removeDurably, syncDirectory, writeDurably } from '../lib/write-durably.ts';
import { ensureRecoveryAccess, openWithRecoveryKey, recoveryKeyFileOf, recoveryPassword } from './recovery-key.ts';
import {
  type CopyName,
  type RepositoryPlaces,
  keyFileOf,
  openAccountRepository,
  openCopyStorage,
  readKeyFile,
} from './repositories.ts';

export type RotateOptions = { readonly signal?: AbortSignal | undefined };

/** Throws what the repository throws; then one of both keys is in force, and the next call goes on. */
export async function rotateKey(
  places: RepositoryPlaces,
  account: string,
  copy: CopyName,
  options: RotateOptions = {},
): Promise<void> {
  const file = keyFileOf(places, account, copy);
  const next = besides(file, 'next');
  if (!existsSync(next)) {
    await removeOld(places, account, copy, options);
    writeDurably(next, `${generateKey()}\n`, 0o600); // (1)
  }
  await using opened = await openAccountRepository(places, account, copy);
  const { repository } = opened;
  const secret = secretOf(next, account);
  if ((await idOfKey(repository, secret, options)) === null) await addKey(repository, secret, withSignal(options)); // (2)
  await proveKey(places, account, copy, secret);
  const old = await idOfKey(repository, secretOf(file, account), options);
  if (old !== null) writeDurably(besides(file, 'old'), `${old}\n`, 0o600); // (3)
  renameSync(next, file); // (4)
  syncDirectory(dirname(file));
  await removeOld(places, account, copy, options); // (5)
}

/** A file of the state that belongs to a key file: no account's name begins with a dot. */
function besides(file: string, kind: 'next' | 'old'): string {
  return join(dirname(file), `.${kind}-${basename(file)}`);
}

function secretOf(file: string, account: string): Secret {
  return { kind: 'key', text: readKeyFile(file, account) };
}

function withSignal({ signal }: RotateOptions): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

async function idOfKey(repository: Repository, secret: Secret, options: RotateOptions): Promise<string | null> {
  const { keys } = await listKeys(repository, secret, withSignal(options));
  return keys.find(({ isCurrent }) => isCurrent)?.id ?? null;
}

/** By a connection of its own, as the next command will. */
async function proveKey(places: RepositoryPlaces, account: string, copy: CopyName, secret: Secret): Promise<void> {
  await using opening = new AsyncDisposableStack();
  await openRepository(openCopyStorage(places, account, copy, {}, opening), secret);
}

async function removeOld(
  places: RepositoryPlaces,
  account: string,
  copy: CopyName,
  options: RotateOptions,
): Promise<void> {
  const file = keyFileOf(places, account, copy);
  const marker = besides(file, 'old');
  if (!existsSync(marker)) return;
  const old = readFileSync(marker, 'utf8').trim();
  await using opened = await openAccountRepository(places, account, copy);
  await dropKey(opened.repository, old, secretOf(file, account), options);
  removeDurably(marker);
}

/** One that is in force is not the old one: the rotation was killed before the new one was. What is gone is gone. */
async function dropKey(repository: Repository, id: string, current: Secret, options: RotateOptions): Promise<void> {
  try {
    await removeKey(repository, id, current, withSignal(options));
  } catch (error) {
    if (error instanceof EngineError && (error.code === 'key-in-use' || error.code === 'key-unknown')) return;
    throw error;
  }
}

export type RotateRecoveryOptions = RotateOptions & {
  /** Of all accounts that have a repository: one that is left out is opened by no kit any more. */
  readonly accounts: readonly { readonly account: string; readonly copy: CopyName }[];
  /** Writes the kit with the key that is in force then; the old one leaves no repository before. */
  readonly writeKit: (recoveryKey: string) => string;
};

/**
 * A new recovery key: each repository gets a key file for it, and is opened with it, before the first loses that of the old
 * one. The path of the new kit. Throws what a repository throws; then the kit that is printed opens all, and the next call goes on.
 */
export async function rotateRecoveryKey(
  places: RepositoryPlaces,
  { accounts, writeKit, ...options }: RotateRecoveryOptions,
): Promise<string> {
  const file = recoveryKeyFileOf(places.state);
  const [next, old] = [`${file}.next`, `${file}.old`];
  if (!existsSync(next)) {
    await removeOldRecovery(places, accounts, options);
    writeDurably(next, `${generateKey()}\n`, 0o600);
  }
  const key = readKeyFile(next, 'recovery');
  for (const { account, copy } of accounts) {
    options.signal?.throwIfAborted();
    await using opened = await openAccountRepository(places, account, copy);
    await ensureRecoveryAccess(opened.repository, key);
    await using opening = new AsyncDisposableStack();
    await openWithRecoveryKey(openCopyStorage(places, account, copy, {}, opening), key, options);
  }
  writeDurably(old, readFileSync(file, 'utf8'), 0o600);
  renameSync(next, file);
  syncDirectory(dirname(file));
  const kit = writeKit(key);
  await removeOldRecovery(places, accounts, options);
  return kit;
}

/** The key files of a recovery key that is not in force any more. */
async function removeOldRecovery(
  places: RepositoryPlaces,
  accounts: RotateRecoveryOptions['accounts'],
  options: RotateOptions,
): Promise<void> {
  const file = recoveryKeyFileOf(places.state);
  const marker = `${file}.old`;
  if (!existsSync(marker)) return;
  const old = readKeyFile(marker, 'recovery');
  // Killed before the new one had taken its name: the old one is in force.
  if (old !== readKeyFile(file, 'recovery')) {
    for (const { account, copy } of accounts) {
      await using opened = await openAccountRepository(places, account, copy);
      const { repository } = opened;
      const id = await idOfKey(repository, { kind: 'key', text: recoveryPassword(old, repository.id) }, options);
      const current = secretOf(keyFileOf(places, account, copy), account);
      if (id !== null) await dropKey(repository, id, current, options);
    }
  }
  removeDurably(marker);
}
