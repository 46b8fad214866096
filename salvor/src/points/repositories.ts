/**
 * The repositories of a host: one per account and destination, each with a key of its own in STATE/keys. All share
 * one chunker polynomial, so that equal files are cut into equal blocks and copies between them are cheap.
 */
import { chmodSync, existsSync, lstatSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Repository, generateKey, initRepository, openLocalStorage, openRepository } from '@salvor/engine';
import { SalvorError } from '../errors.ts';
import { errnoOf } from '../lib/errno.ts';
import { writeDurably } from '../lib/write-durably.ts';
import { makeDirectories } from '../lib/make-directories.ts';

/** Where keys and repositories lie. */
export type RepositoryPlaces = {
  /** The agent's state directory. */
  readonly state: string;
  /** The directory of the local repositories: each account's is `<local>/<account>`. */
  readonly local: string;
};

export function repositoryPathOf(places: RepositoryPlaces, account: string): string {
  return join(places.local, account);
}

export function keyFileOf(places: RepositoryPlaces, account: string): string {
  return join(places.state, 'keys', account);
}

/** Throws the engine's `repository-missing`, `wrong-password` … and `key-unreadable`. */
export async function openAccountRepository(places: RepositoryPlaces, account: string): Promise<Repository> {
  const path = repositoryPathOf(places, account);
  const storage = openLocalStorage(path);
  return await openRepository(storage, { kind: 'key', text: readKey(places, account) });
}

/** Whether the account's repository was made. Says nothing of its state. */
export function hasRepository(places: RepositoryPlaces, account: string): boolean {
  return existsSync(join(repositoryPathOf(places, account), 'config'));
}

/**
 * Makes the account's repository where it is missing, cut like `like`. The key is on disk before the repository is:
 * a crash between the two leaves a key for the next try, never a repository that nobody can open.
 */
export async function ensureAccountRepository(
  places: RepositoryPlaces,
  account: string,
  like: Repository | null,
): Promise<{ readonly repository: Repository; readonly created: boolean }> {
  if (hasRepository(places, account))
    return { repository: await openAccountRepository(places, account), created: false };
  makeDirectories(join(places.state, 'keys'), 0o700);
  chmodSync(join(places.state, 'keys'), 0o700);
  makeDirectories(places.local, 0o700);
  if (!existsSync(keyFileOf(places, account))) writeDurably(keyFileOf(places, account), `${generateKey()}\n`, 0o600);
  removeUnborn(repositoryPathOf(places, account));
  const storage = openLocalStorage(repositoryPathOf(places, account));
  const secret = { kind: 'key', text: readKey(places, account) } as const;
  const repository = await initRepository(storage, secret, like === null ? {} : { polynomialOf: like });
  return { repository, created: true };
}

/**
 * A crash while a repository was made leaves one with a key and without a config. It is made again, if it is really
 * empty: where anything was ever stored, a missing config is damage, and the engine says so.
 */
function removeUnborn(path: string): void {
  const holdsNothing = ['snapshots', 'index', 'data'].every((name) => isWithoutFiles(join(path, name)));
  if (holdsNothing) rmSync(join(path, 'keys'), { recursive: true, force: true });
}

function isWithoutFiles(path: string): boolean {
  if (!existsSync(path)) return true;
  return readdirSync(path, { recursive: true, withFileTypes: true }).every((entry) => entry.isDirectory());
}

function readKey(places: RepositoryPlaces, account: string): string {
  const file = keyFileOf(places, account);
  let text: string;
  try {
    if ((lstatSync(file).mode & 0o077) !== 0)
      throw new SalvorError('key-unreadable', { account, problem: `other users can read ${file}` });
    text = readFileSync(file, 'utf8').trim();
  } catch (cause) {
    if (cause instanceof SalvorError) throw cause;
    throw new SalvorError(
      'key-unreadable',
      { account, problem: `${file}: ${errnoOf(cause) ?? 'can not be read'}` },
      { cause },
    );
  }
  if (!/^[0-9a-f]{64}$/.test(text))
    throw new SalvorError('key-unreadable', { account, problem: `${file} holds no key` });
  return text;
}
