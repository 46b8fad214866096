/**
 * The keys of a repository: files that each seal the same master key with a password of their own. Removing one takes
 * its password away from future readers; who has copied the master key keeps it (then the data must be copied to a
 * new repository).
 */
import { hash, randomBytes } from 'node:crypto';
import { hostname, userInfo } from 'node:os';
import { EngineError, reasonOf, throwIfCancelled } from './errors.ts';
import { SALT_BYTES, decodeKeyFile, decodeMasterKey, encodeKeyFile, encodeMasterKey } from './format/key-file.ts';
import type { KeyFile } from './format/key-file.ts';
import { formatTime } from './format/time.ts';
import type { Repository } from './repository.ts';
import { chooseCost, deriveKey, deriveKeyToTry } from './seal/password.ts';
import type { Secret } from './seal/password.ts';
import { loadVerified } from './storage/load-verified.ts';
import { FileMissing } from './storage/storage.ts';
import type { ListedFile, Storage } from './storage/storage.ts';
import { takeBack } from './storage/take-back.ts';

/** What a key file says of itself, in the open (docs/format.md, Files). */
export type KeyListing = {
  readonly id: string;
  /** RFC 3339 as stored; empty where the writer left it out. */
  readonly created: string;
  readonly username: string;
  readonly hostname: string;
  /** Whether the password that was given opens it. */
  readonly isCurrent: boolean;
};

/** Damaged key files are told in `damaged`. */
export type KeyList = { readonly keys: readonly KeyListing[]; readonly damaged: readonly EngineError[] };

/** The signal ends every call but those of a commit. */
export type KeyOptions = { readonly signal?: AbortSignal };

/** Who a new key is said to be of; by default this user on this machine. */
export type AddKeyOptions = KeyOptions & { readonly username?: string; readonly hostname?: string };

/**
 * All keys; the one that `current` opens is marked (half a second of scrypt for each until it is found).
 * @throws EngineError `storage-failed`, `cancelled`.
 */
export async function listKeys(given: Repository, current: Secret, options: KeyOptions = {}): Promise<KeyList> {
  const repository = given.withSignal(options.signal);
  const keys: KeyListing[] = [];
  const damaged: EngineError[] = [];
  let isFound = false;
  for (const { id } of await repository.storage.list('keys')) {
    try {
      const file = await readKey(repository, id);
      if (file === null) continue;
      const isCurrent: boolean = !isFound && (await opens(repository, file, current));
      isFound ||= isCurrent;
      keys.push({ id, created: file.created, username: file.username, hostname: file.hostname, isCurrent });
    } catch (error) {
      if (!(error instanceof EngineError) || error.code !== 'key-damaged') throw error;
      damaged.push(error);
    }
  }
  return { keys, damaged };
}

/**
 * Adds a key that opens with `secret`, and opens it again before it says so. The id of the new key.
 * @throws EngineError `repository-locked`, `key-damaged`, `storage-failed`, `storage-full`, `cancelled`; then the
 *   key was taken back, as far as that was possible.
 */
export async function addKey(repository: Repository, secret: Secret, options: AddKeyOptions = {}): Promise<string> {
  const cancellable = repository.withSignal(options.signal);
  return cancellable.withLock('shared', async (confirmed) => {
    await confirmed;
    return writeKey(cancellable, repository.storage, secret, options);
  });
}

/**
 * Removes the key whose id begins with `wanted`, once another one was seen to open with `current`.
 * @param current what the repository was opened with: the key that it opens stays, so that one always does.
 * @throws EngineError `key-unknown`, `key-in-use`, `wrong-password` where `current` opens none of the others,
 *   `repository-locked`, `storage-failed`, `lock-lost`, `cancelled`.
 */
export async function removeKey(
  given: Repository,
  wanted: string,
  current: Secret,
  options: KeyOptions = {},
): Promise<string> {
  const repository = given.withSignal(options.signal);
  return repository.withLock('exclusive', async (confirmed, lock) => {
    await confirmed;
    const files = await repository.storage.list('keys');
    const found = /^[0-9a-f]{1,64}$/.test(wanted) ? files.filter(({ id }) => id.startsWith(wanted)) : [];
    const [only] = found;
    if (only === undefined) throw new EngineError('key-unknown', { key: wanted, reason: 'no key has this id' });
    if (found.length > 1) throw new EngineError('key-unknown', { key: wanted, reason: 'several ids begin so' });
    if (await isInUse(repository, only.id, current)) throw new EngineError('key-in-use', { key: only.id });
    // What can't be read just now may be the only key that opens: another one must be seen to.
    if (!(await opensAnother(repository, files, only.id, current)))
      throw new EngineError('wrong-password', { location: repository.location });
    // Whoever took the lock away may have removed the other one.
    await lock.requireHeld();
    await repository.storage.remove({ kind: 'keys', id: only.id });
    return only.id;
  });
}

/**
 * Takes a new password in the place of `current`:
 *   1. a new key, seen to open    killed here: both passwords are valid
 *   2. the old one goes
 * @throws EngineError `wrong-password` where `current` opens no key, `repository-locked`, `key-damaged`,
 *   `storage-failed`, `storage-full`, `lock-lost` and `cancelled` before 2. Whatever is thrown, one of the two passwords opens.
 */
export async function changePassword(
  repository: Repository,
  current: Secret,
  next: Secret,
  options: KeyOptions = {},
): Promise<{ readonly added: string; readonly removed: string }> {
  const cancellable = repository.withSignal(options.signal);
  return cancellable.withLock('exclusive', async (confirmed, lock) => {
    await confirmed;
    const old = (await listKeys(cancellable, current)).keys.find(({ isCurrent }) => isCurrent);
    if (old === undefined) throw new EngineError('wrong-password', { location: repository.location });
    const added = await writeKey(cancellable, repository.storage, next, options);
    await lock.requireHeld();
    throwIfCancelled(options.signal);
    await repository.storage.remove({ kind: 'keys', id: old.id });
    return { added, removed: old.id };
  });
}

/** `committed`: to take back a key that failed, whoever cancelled. */
async function writeKey(
  repository: Repository,
  committed: Storage,
  secret: Secret,
  by: AddKeyOptions,
): Promise<string> {
  const cost = await chooseCost(secret);
  const salt = randomBytes(SALT_BYTES);
  const user = await deriveKey(secret.text, salt, cost);
  const text = encodeKeyFile({
    created: formatTime(BigInt(repository.clock().getTime()) * 1_000_000n),
    username: by.username ?? userInfo().username,
    hostname: by.hostname ?? hostname(),
    ...cost,
    salt,
    data: user.seal(Buffer.from(encodeMasterKey(repository.key))),
  });
  const bytes = Buffer.from(text);
  const id = hash('sha256', bytes, 'hex');
  try {
    await repository.storage.save({ kind: 'keys', id }, bytes);
    const file = await readKey(repository, id);
    if (file === null || !(await opens(repository, file, secret)))
      throw new EngineError('key-damaged', { file: id, reason: 'it does not open just after it was saved' });
    return id;
  } catch (error) {
    // What was told to have failed opens nothing later. Where this fails too, there is a key more than known.
    await takeBack(committed, { kind: 'keys', id }, by.signal);
    throw error;
  }
}

/** A key file, or null where it is gone. @throws EngineError `key-damaged`. */
async function readKey({ storage }: Pick<Repository, 'storage'>, id: string): Promise<KeyFile | null> {
  try {
    return decodeKeyFile((await loadVerified(storage, { kind: 'keys', id })).toString('utf8'));
  } catch (error) {
    if (error instanceof FileMissing) return null;
    if (!(error instanceof RangeError)) throw error;
    throw new EngineError('key-damaged', { file: id, reason: reasonOf(error) }, { cause: error });
  }
}

async function isInUse(repository: Repository, id: string, current: Secret): Promise<boolean> {
  try {
    const file = await readKey(repository, id);
    return file !== null && (await opens(repository, file, current));
  } catch (error) {
    // A damaged key opens for nobody, and may go.
    if (error instanceof EngineError && error.code === 'key-damaged') return false;
    throw error;
  }
}

async function opensAnother(
  repository: Repository,
  files: readonly ListedFile[],
  id: string,
  current: Secret,
): Promise<boolean> {
  for (const file of files) if (file.id !== id && (await isInUse(repository, file.id, current))) return true;
  return false;
}

/** Whether the secret opens the key file, and to this repository's master key. */
async function opens({ key }: Pick<Repository, 'key'>, file: KeyFile, { text }: Secret): Promise<boolean> {
  const plain = (await deriveKeyToTry(text, file.salt, file)).open(file.data);
  if (plain === null) return false;
  try {
    return Buffer.from(decodeMasterKey(plain.toString('utf8')).parts.encrypt).equals(key.parts.encrypt);
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
