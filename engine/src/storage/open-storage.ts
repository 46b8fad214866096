/**
 * From an address to a storage with all that it needs around it, the innermost first:
 *
 *   storage → watch (no progress for 5 minutes) → limit (bytes, calls) → retry → cache
 *
 * A local directory is opened bare: its calls end by themselves, and a disk that failed fails again. It is limited
 * and cached where that is asked for.
 */
import { randomBytes } from 'node:crypto';
import { EngineError } from '../errors.ts';
import { cacheStorage } from './cache-storage.ts';
import type { HostTrust } from './known-hosts.ts';
import { limitStorage } from './limit-storage.ts';
import { openLocalStorage } from './local-storage.ts';
import { parseStorageUrl } from './parse-storage-url.ts';
import type { StorageAddress } from './parse-storage-url.ts';
import { retryStorage } from './retry-storage.ts';
import type { StorageRetry } from './retry-storage.ts';
import { openSftpStorage } from './sftp-storage.ts';
import type { Storage } from './storage.ts';
import { SYSTEM_TIMERS } from './timers.ts';
import type { Timers } from './timers.ts';
import { watchStorage } from './watch-storage.ts';

/** Login, trust, limits and a cache for a storage that is not a local directory. */
export type OpenStorageOptions = {
  /** How to log in to SFTP servers, and which of them are trusted. */
  readonly ssh?: SshLogin | undefined;
  readonly limits?: StorageLimits | undefined;
  /** Longest time between a call and its last attempt; by default 15 minutes. */
  readonly retryLimitMs?: number | undefined;
  /** The same until the storage has answered once; by default no less. */
  readonly firstRetryLimitMs?: number | undefined;
  readonly onRetry?: ((retry: StorageRetry) => void) | undefined;
  /** Where copies of index, snapshots and listings are kept; by default nowhere. */
  readonly cache?: { readonly directory: string; readonly maxBytes?: number | undefined } | undefined;
  readonly clock?: (() => Date) | undefined;
  readonly timers?: Timers | undefined;
  /** From 0 up to 1, for the spread of retries. */
  readonly random?: (() => number) | undefined;
};

/** How to log in at an SSH server; no password is taken. */
export type SshLogin = {
  /** For addresses that name none. */
  readonly user?: string | undefined;
  readonly privateKeyFile: string;
  readonly passphrase?: string | undefined;
  readonly trust: HostTrust;
  readonly connections?: number | undefined;
};

/** Bounds of traffic and patience: bytes per second and milliseconds, as each name says. */
export type StorageLimits = {
  readonly uploadBytesPerSecond?: number | undefined;
  readonly downloadBytesPerSecond?: number | undefined;
  readonly calls?: number | undefined;
};

/**
 * Opens `/path`, `local:path`, `file:///path`, `sftp:user@host:/path` or `sftp://user@host:port//path`. Nothing is
 * connected to before the first call.
 * @throws EngineError `storage-url`.
 */
export function openStorage(url: string, options: OpenStorageOptions = {}): Storage & AsyncDisposable {
  const address = parseStorageUrl(url);
  const closing = new AsyncDisposableStack();
  const bare = openBare(address, options, closing);
  const wrapped = wrap(bare, address, options);
  return Object.assign(wrapped, { [Symbol.asyncDispose]: async () => closing.disposeAsync() });
}

function openBare(address: StorageAddress, options: OpenStorageOptions, closing: AsyncDisposableStack): Storage {
  switch (address.kind) {
    case 'local':
      return openLocalStorage(address.path);
    case 'sftp': {
      const user = address.user ?? options.ssh?.user;
      if (options.ssh === undefined || user === undefined)
        throw new EngineError('storage-url', {
          reason: `for ${address.host} a ${user === undefined ? 'user' : 'private key and a known host key'} must be given`,
        });
      return closing.use(openSftpStorage({ ...options.ssh, ...address, user }));
    }
    default:
      return address satisfies never;
  }
}

function wrap(bare: Storage, address: StorageAddress, options: OpenStorageOptions): Storage {
  const { limits, onRetry, cache, timers = SYSTEM_TIMERS } = options;
  const { retryLimitMs: limitMs, firstRetryLimitMs: firstLimitMs, random = randomPart } = options;
  const isRemote = address.kind !== 'local';
  let storage = bare;
  if (isRemote) storage = watchStorage(storage, { timers });
  if (limits !== undefined) storage = limitStorage(storage, { timers, ...limits });
  if (isRemote) storage = retryStorage(storage, { timers, random, limitMs, firstLimitMs, onRetry });
  if (cache !== undefined) storage = cacheStorage(storage, { ...cache, clock: options.clock ?? (() => new Date()) });
  return storage;
}

const randomPart = (): number => randomBytes(4).readUInt32LE() / 2 ** 32;
