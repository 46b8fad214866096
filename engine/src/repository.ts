/**
 * A store of snapshots in restic's format: opens and creates it, and holds what all verbs share (key, config, index).
 *
 * A verb is a function in a file of its own that takes a `Repository`; it takes the lock that it needs by `withLock`.
 * The index is read when a verb first needs it, and read anew after a run that failed, whose claims are void.
 */
import { randomBytes } from 'node:crypto';
import { hostname, userInfo } from 'node:os';
import { EngineError, reasonOf } from './errors.ts';
import { decodeConfig, encodeConfig } from './format/config-file.ts';
import type { RepositoryConfig } from './format/config-file.ts';
import { SALT_BYTES, decodeKeyFile, decodeMasterKey, encodeKeyFile, encodeMasterKey } from './format/key-file.ts';
import { formatTime } from './format/time.ts';
import { randomPolynomial } from './chunk/polynomial.ts';
import type { Polynomial } from './chunk/polynomial.ts';
import { loadIndex } from './index/load-index.ts';
import type { IgnoredParts } from './index/load-index.ts';
import type { BlobIndex } from './index/blob-index.ts';
import { MAX_KEYS_TRIED } from './limits.ts';
import { RepositoryLock } from './lock/lock.ts';
import type { HeldLock } from './lock/lock.ts';
import { openNoLock } from './lock/no-lock.ts';
import type { AnyLock } from './lock/no-lock.ts';
import { MasterKey } from './seal/master-key.ts';
import { chooseCost, deriveKey, deriveKeyToTry } from './seal/password.ts';
import type { Secret } from './seal/password.ts';
import { loadVerified, saveHashed } from './storage/load-verified.ts';
import { CONFIG_FILE, FileMissing } from './storage/storage.ts';
import { signalStorage } from './storage/signal-storage.ts';
import { takeBack } from './storage/take-back.ts';
import type { Storage } from './storage/storage.ts';

/** The clock decides whether locks are stale and what time snapshots have; the signal ends opening, not what follows. */
export type OpenOptions = { readonly clock?: () => Date; readonly signal?: AbortSignal };
/** How a repository is made (docs/format.md, Files). */
export type InitOptions = OpenOptions & {
  /** Cut files as this repository does, so that copies between the two are cheap. */
  readonly polynomialOf?: Pick<Repository, 'polynomial'>;
};

/** The index, loaded once; views of one repository share it. */
type IndexCell = { loading: Promise<BlobIndex> | undefined };

/** An open repository: what all verbs take. Opened by `openRepository`, made by `initRepository`; needs no closing. */
export class Repository {
  readonly storage: Storage;
  readonly key: MasterKey;
  readonly id: string;
  readonly version: 1 | 2;
  readonly polynomial: Polynomial;
  readonly clock: () => Date;
  #cell: IndexCell = { loading: undefined };
  /** Of a view: listings that no pack holds (`arrange`). */
  #listings: ReadonlyMap<string, Buffer> = new Map();
  /** Of a view: the storage that goes on when the signal says stop, and the signal. */
  #cancellable: { readonly storage: Storage; readonly signal: AbortSignal } | undefined;
  /** Of a view: whether nothing is written for a lock. */
  #isLockless = false;

  constructor(storage: Storage, key: MasterKey, config: RepositoryConfig, clock: () => Date) {
    this.storage = storage;
    this.key = key;
    this.id = config.id;
    this.version = config.version;
    this.polynomial = config.polynomial;
    this.clock = clock;
  }

  /** Where it lies, for messages. */
  get location(): string {
    return this.storage.location;
  }

  /** The same repository without copies that a storage keeps near: for verbs that look for damage. */
  uncached(): Repository {
    const { storage, key, id, version, polynomial, clock } = this;
    if (storage.uncached === undefined) return this;
    const view = new Repository(storage.uncached, key, { id, version, polynomial }, clock);
    view.#cancellable = this.#cancellable;
    view.#listings = this.#listings;
    view.#isLockless = this.#isLockless;
    return view;
  }

  /**
   * The same repository, each of whose storage calls ends with `cancelled` as soon as the signal says so: for all of a
   * verb but the steps of a commit, and but giving up its lock.
   */
  withSignal(signal: AbortSignal | undefined): Repository {
    if (signal === undefined) return this;
    const { storage, key, id, version, polynomial, clock } = this;
    const view = new Repository(signalStorage(storage, signal), key, { id, version, polynomial }, clock);
    view.#cell = this.#cell;
    view.#listings = this.#listings;
    view.#isLockless = this.#isLockless;
    const outer = this.#cancellable;
    view.#cancellable =
      outer === undefined
        ? { storage, signal }
        : { storage: outer.storage, signal: AbortSignal.any([outer.signal, signal]) };
    return view;
  }

  /**
   * The same repository for verbs that only read, without a lock: of a medium that is read-only, or where nobody else
   * can come. What would be committed or removed ends with `lock-lost`.
   */
  withoutLock(): Repository {
    const view = this.withListings(this.#listings);
    view.#isLockless = true;
    return view;
  }

  /** The same repository with listings that are stored nowhere, by their ids. */
  withListings(listings: ReadonlyMap<string, Buffer>): Repository {
    const { storage, key, id, version, polynomial, clock } = this;
    const view = new Repository(storage, key, { id, version, polynomial }, clock);
    view.#cell = this.#cell;
    view.#cancellable = this.#cancellable;
    view.#listings = listings;
    view.#isLockless = this.#isLockless;
    return view;
  }

  /** The listing of an id that is stored nowhere; undefined for all others. */
  listing(id: string): Buffer | undefined {
    return this.#listings.get(id);
  }

  /** The index, read once. @throws EngineError `index-damaged`. */
  async index(): Promise<BlobIndex> {
    const cell = this.#cell;
    const loading = (cell.loading ??= loadIndex(this.storage, this.key));
    try {
      return await loading;
    } catch (error) {
      if (cell.loading === loading) cell.loading = undefined;
      // Who shares it may have cancelled its loading for himself.
      const isOfAnother = error instanceof EngineError && error.code === 'cancelled';
      if (isOfAnother && this.#cancellable?.signal.aborted !== true) return this.index();
      throw error;
    }
  }

  /** The index without parts that are not believed in; until it is dropped. */
  async indexWithout(ignored: IgnoredParts): Promise<BlobIndex> {
    return (this.#cell.loading = loadIndex(this.storage, this.key, ignored));
  }

  /** Forgets the index: what was claimed by a failed run, or what others wrote, makes it untrue. */
  dropIndex(): void {
    this.#cell.loading = undefined;
  }

  /** Takes a lock for the caller to give up. @throws EngineError `repository-locked`. */
  async lock(kind: 'shared' | 'exclusive'): Promise<AnyLock> {
    if (this.#isLockless) return openNoLock(this.location);
    const { storage, signal } = this.#cancellable ?? { storage: this.storage };
    const { key, version, clock } = this;
    return RepositoryLock.acquire({ storage, key, version, clock }, kind === 'exclusive', signal);
  }

  /**
   * Runs `work` under a lock of this repository. The lock is confirmed 200 ms after it was written: `work` may read
   * before, and must await `confirmed` before it writes anything or reports success. Before it commits or removes it
   * asks the lock `requireHeld`.
   * @throws EngineError `repository-locked`.
   */
  async withLock<T>(
    kind: 'shared' | 'exclusive',
    work: (confirmed: Promise<void>, lock: HeldLock) => Promise<T>,
  ): Promise<T> {
    await using lock = await this.lock(kind);
    const confirmed = lock.confirm();
    confirmed.catch(() => undefined);
    const result = await work(confirmed, lock);
    await confirmed;
    return result;
  }
}

/**
 * Creates a repository of version 2.
 * @throws EngineError `repository-exists` where a config, a key or a snapshot lies there.
 */
export async function initRepository(storage: Storage, secret: Secret, options: InitOptions = {}): Promise<Repository> {
  const clock = options.clock ?? (() => new Date());
  const { signal } = options;
  const isTaken =
    (await storage.size(CONFIG_FILE, { signal })) !== null ||
    (await storage.list('keys', { signal })).length > 0 ||
    (await storage.list('snapshots', { signal })).length > 0;
  if (isTaken) throw new EngineError('repository-exists', { location: storage.location });
  await storage.create({ signal });
  const key = MasterKey.generate();
  const config: RepositoryConfig = {
    version: 2,
    id: randomBytes(32).toString('hex'),
    polynomial: options.polynomialOf?.polynomial ?? randomPolynomial(),
  };
  // The key comes first: a config without a key would be a repository that nobody can open.
  const id = await addKey(storage, key, secret, clock);
  try {
    await storage.save(CONFIG_FILE, key.seal(Buffer.from(encodeConfig(config))));
  } catch (error) {
    // A key without a config would be in the way of the next attempt; the reply may be all that was lost.
    const bytes = await storage.size(CONFIG_FILE).catch(() => undefined);
    if (bytes === null) await takeBack(storage, { kind: 'keys', id }, signal);
    throw error;
  }
  return openRepository(storage, secret, options);
}

async function addKey(storage: Storage, key: MasterKey, secret: Secret, clock: () => Date): Promise<string> {
  const cost = await chooseCost(secret);
  const salt = randomBytes(SALT_BYTES);
  const user = await deriveKey(secret.text, salt, cost);
  const file = encodeKeyFile({
    created: formatTime(BigInt(clock().getTime()) * 1_000_000n),
    username: userInfo().username,
    hostname: hostname(),
    ...cost,
    salt,
    data: user.seal(Buffer.from(encodeMasterKey(key))),
  });
  return saveHashed(storage, 'keys', Buffer.from(file));
}

/**
 * Opens a repository of version 1 or 2.
 * @throws EngineError `repository-missing`, `wrong-password`, `key-damaged`, `config-damaged`, `repository-version`.
 */
export async function openRepository(
  storage: Storage,
  secret: Secret | string,
  options: OpenOptions = {},
): Promise<Repository> {
  const reading = options.signal === undefined ? storage : signalStorage(storage, options.signal);
  const sealed = await loadConfig(reading);
  const key = await findKey(reading, typeof secret === 'string' ? secret : secret.text);
  const plain = key.open(sealed);
  if (plain === null) throw new EngineError('config-damaged', { reason: 'its seal is broken' });
  try {
    return new Repository(storage, key, decodeConfig(plain.toString('utf8')), options.clock ?? (() => new Date()));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new EngineError('config-damaged', { reason: reasonOf(error) }, { cause: error });
  }
}

async function loadConfig(storage: Storage): Promise<Buffer> {
  try {
    return await storage.load(CONFIG_FILE);
  } catch (error) {
    if (error instanceof FileMissing)
      throw new EngineError('repository-missing', { location: storage.location }, { cause: error });
    throw error;
  }
}

/** Tries the keys one after another: a seal that does not open means another password, anything else is damage. */
async function findKey(storage: Storage, password: string): Promise<MasterKey> {
  const files = await storage.list('keys');
  let damaged: EngineError | undefined;
  for (const { id } of files.slice(0, MAX_KEYS_TRIED)) {
    try {
      const file = decodeKeyFile((await loadVerified(storage, { kind: 'keys', id })).toString('utf8'));
      const user = await deriveKeyToTry(password, file.salt, file);
      const plain = user.open(file.data);
      if (plain !== null) return decodeMasterKey(plain.toString('utf8'));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      // Another key may still open: the damage is told only where none does.
      damaged ??= new EngineError('key-damaged', { file: id, reason: reasonOf(error) }, { cause: error });
    }
  }
  throw damaged ?? new EngineError('wrong-password', { location: storage.location });
}
