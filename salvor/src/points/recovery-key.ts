/**
 * The one key that opens every repository of a host when its state is lost: each repository has a second key file, whose
 * password is derived (HKDF with SHA-256, RFC 5869) from the recovery key and the repository's id. The id stands in that
 * key file as its `hostname`, in plain sight, so that a person with the printed key and stock restic needs nothing else.
 */
import { hkdfSync } from 'node:crypto';
import { existsSync, lstatSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  EngineError,
  type Repository,
  type Storage,
  addKey,
  generateKey,
  isId,
  listKeys,
  openRepository,
} from '@salvor/engine';
import { SalvorError } from '../errors.ts';
import { makeDirectories } from '../lib/make-directories.ts';
import { writeDurably } from '../lib/write-durably.ts';

/** Who the key files say they are of. */
export const RECOVERY_USER = 'salvor-recovery';
/** What HKDF is told that the derived key is for. */
export const RECOVERY_INFO = 'salvor repository';

const KEY = /^[0-9a-f]{64}$/;

/** No account has a name that begins with a dot. */
export function recoveryKeyFileOf(state: string): string {
  return join(state, 'keys', '.recovery');
}

/** The host's recovery key, 64 hex digits; made where it is missing. Throws `key-unreadable`. */
export function ensureRecoveryKey(state: string): string {
  const file = recoveryKeyFileOf(state);
  if (!existsSync(file)) {
    makeDirectories(dirname(file), 0o700);
    writeDurably(file, `${generateKey()}\n`, 0o600);
  }
  const problem = (lstatSync(file).mode & 0o077) === 0 ? null : `other users can read ${file}`;
  const text = problem === null ? readFileSync(file, 'utf8').trim() : '';
  if (!KEY.test(text))
    throw new SalvorError('key-unreadable', { account: 'recovery', problem: problem ?? `${file} holds no key` });
  return text;
}

/** The password of the second key file of a repository, 64 hex digits. */
export function recoveryPassword(recoveryKey: string, repositoryId: string): string {
  const [key, salt] = [Buffer.from(recoveryKey, 'hex'), Buffer.from(repositoryId, 'hex')];
  return Buffer.from(hkdfSync('sha256', key, salt, RECOVERY_INFO, 32)).toString('hex');
}

/** Gives a repository its second key file where it has none that the recovery key opens. Whether it was added. */
export async function ensureRecoveryAccess(repository: Repository, recoveryKey: string): Promise<boolean> {
  const secret = { kind: 'key', text: recoveryPassword(recoveryKey, repository.id) } as const;
  const { keys } = await listKeys(repository, secret);
  if (keys.some(({ isCurrent }) => isCurrent)) return false;
  await addKey(repository, secret, { username: RECOVERY_USER, hostname: repository.id });
  return true;
}

/**
 * Opens a repository as whoever holds the printed kit does: by the id that its key files show, and the password that the
 * recovery key and that id give. Throws `recovery-key-refused`, and the engine's `repository-missing` and `storage-failed`.
 */
export async function openWithRecoveryKey(
  storage: Storage,
  recoveryKey: string,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<Repository> {
  const call = options.signal === undefined ? {} : { signal: options.signal };
  if ((await storage.size({ kind: 'config', id: '' }, call)) === null)
    throw new EngineError('repository-missing', { location: storage.location });
  for (const id of await namedIds(storage, call)) {
    try {
      const secret = { kind: 'key', text: recoveryPassword(recoveryKey, id) } as const;
      const repository = await openRepository(storage, secret, call);
      if (repository.id === id) return repository;
    } catch (error) {
      if (!(error instanceof EngineError) || error.code !== 'wrong-password') throw error;
    }
  }
  throw new SalvorError('recovery-key-refused', { location: storage.location });
}

/** A key file is some hundred bytes long. */
const MAX_KEY_FILE_BYTES = 64 * 1024;

/** What the key files of ours say that the repository's id is; more than one where somebody wrote another. */
async function namedIds(storage: Storage, call: { readonly signal?: AbortSignal }): Promise<readonly string[]> {
  const ids = new Set<string>();
  for (const { id, bytes } of await storage.list('keys', call)) {
    if (bytes > MAX_KEY_FILE_BYTES) continue;
    try {
      const file = JSON.parse((await storage.load({ kind: 'keys', id }, undefined, call)).toString('utf8')) as unknown;
      const { username, hostname } = file as { username?: unknown; hostname?: unknown };
      if (username === RECOVERY_USER && typeof hostname === 'string' && isId(hostname)) ids.add(hostname);
    } catch (error) {
      // What is no JSON is no key file of ours.
      if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
    }
  }
  return [...ids];
}
