/**
 * restic's locks: a small file per process that works on a repository.
 *
 *   look for conflicting locks → write ours → wait 200 ms → look again (`confirm`), and give up on a conflict
 *
 * An exclusive lock conflicts with every other, a shared one with exclusive ones. A lock is renewed every 5 minutes
 * by writing a new file and removing the old one. A lock is stale after 30 minutes without renewal, or where it is
 * of a process of this machine that is dead, or where this process gave it up and could not remove it; stale ones are
 * removed on the way, so that a killed run is in nobody's way.
 */
import { hash } from 'node:crypto';
import { hostname, userInfo } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { EngineError, throwIfCancelled } from '../errors.ts';
import { decodeLock, encodeLock } from '../format/lock-file.ts';
import type { LockRecord } from '../format/lock-file.ts';
import { formatTime, parseTime } from '../format/time.ts';
import { openUnpacked, sealUnpacked } from '../format/unpacked.ts';
import { MAX_SMALL_FILE_BYTES } from '../limits.ts';
import type { MasterKey } from '../seal/master-key.ts';
import { allowHangup, ignoreHangup } from './hangup.ts';
import { FileMissing } from '../storage/storage.ts';
import type { CallOptions, Storage } from '../storage/storage.ts';
import { takeBack } from '../storage/take-back.ts';

const SETTLE_MS = 200;
const RENEW_MS = 5 * 60_000;
const STALE_MS = 30 * 60_000;

/** Locks that this process gave up while their storage failed, so that it may be that they lie there still. */
const abandoned = new Set<string>();

export type LockedRepository = {
  readonly storage: Storage;
  readonly key: MasterKey;
  readonly version: 1 | 2;
  readonly clock: () => Date;
};

/** What a verb asks of its lock before it commits or removes anything. */
export type HeldLock = Pick<RepositoryLock, 'requireHeld'>;

/** A held lock; `close` (or `await using`) gives it up. */
export class RepositoryLock implements AsyncDisposable {
  readonly #repository: LockedRepository;
  readonly #exclusive: boolean;
  readonly #signal: AbortSignal | undefined;
  #id = '';
  #timer: NodeJS.Timeout | undefined;
  #renewal: Promise<void> = Promise.resolve();
  #writtenMs = 0;
  #isLost = false;

  private constructor(repository: LockedRepository, exclusive: boolean, signal: AbortSignal | undefined) {
    this.#repository = repository;
    this.#exclusive = exclusive;
    this.#signal = signal;
  }

  /**
   * The signal ends taking the lock, and waiting for anything of it; whatever it says, the lock is renewed and given up.
   * @throws EngineError `repository-locked` with who holds it, `cancelled`.
   */
  static async acquire(
    repository: LockedRepository,
    exclusive: boolean,
    signal?: AbortSignal,
  ): Promise<RepositoryLock> {
    const lock = new RepositoryLock(repository, exclusive, signal);
    await lock.#refuseConflicts();
    ignoreHangup();
    try {
      lock.#id = await lock.#write({ signal });
    } catch (error) {
      allowHangup();
      throw error;
    }
    lock.#timer = setInterval(() => {
      lock.#renewal = lock.#renew().catch(() => undefined);
    }, RENEW_MS).unref();
    return lock;
  }

  /**
   * Resolves when nobody else wrote a lock at the same time. Reading may begin before; nothing may be written.
   * @throws EngineError `repository-locked`.
   */
  async confirm(): Promise<void> {
    await sleep(SETTLE_MS);
    throwIfCancelled(this.#signal);
    // Given up meanwhile: there is nothing to confirm.
    if (this.#id !== '') await this.#refuseConflicts();
  }

  /**
   * Asked before what only the holder of the lock may do: a machine that slept for longer than half an hour finds its
   * lock taken away by the next who came, who may rely on what is about to be deleted. Between the steps of a commit
   * nobody is cancelled: it is asked there with no signal.
   * @throws EngineError `lock-lost`, `cancelled`.
   */
  async requireHeld(options: CallOptions = { signal: this.#signal }): Promise<void> {
    await this.#renewal;
    const { storage, clock } = this.#repository;
    if (!this.#isLost && clock().getTime() - this.#writtenMs > 2 * RENEW_MS) await this.#renew();
    if (this.#isLost || (await storage.size({ kind: 'locks', id: this.#id }, options)) === null)
      throw new EngineError('lock-lost', { location: storage.location });
  }

  /**
   * Never fails: the work is done or has an error of its own to tell, and a lock that can't be removed is in nobody's
   * way once this process ended, nor in its own.
   */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#renewal;
    const id = this.#id;
    if (id === '') return;
    this.#id = '';
    await this.#remove(id);
    allowHangup();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** @throws what the storage does; then nothing of it is left, or it is known to be nobody's. */
  async #write(options: CallOptions): Promise<string> {
    const { storage, key, clock, version } = this.#repository;
    const record: LockRecord = {
      time: formatTime(BigInt(clock().getTime()) * 1_000_000n),
      exclusive: this.#exclusive,
      hostname: hostname(),
      username: userInfo().username,
      pid: process.pid,
    };
    this.#writtenMs = clock().getTime();
    const json = encodeLock(record);
    const sealed = version === 1 ? key.seal(Buffer.from(json)) : sealUnpacked(key, json);
    const id = hash('sha256', sealed, 'hex');
    try {
      await storage.save({ kind: 'locks', id }, sealed, options);
    } catch (error) {
      // The reply may be all that was lost.
      await this.#remove(id);
      throw error;
    }
    return id;
  }

  async #remove(id: string): Promise<void> {
    abandoned.add(id);
    if (await takeBack(this.#repository.storage, { kind: 'locks', id }, this.#signal)) abandoned.delete(id);
  }

  async #renew(): Promise<void> {
    const old = this.#id;
    // One that was taken away is not written again: others count on its being gone.
    this.#isLost ||= (await this.#repository.storage.size({ kind: 'locks', id: old })) === null;
    if (this.#isLost) return;
    this.#id = await this.#write({});
    await this.#remove(old);
  }

  async #refuseConflicts(): Promise<void> {
    const { storage, key, clock } = this.#repository;
    const options = { signal: this.#signal };
    for (const { id, bytes } of await storage.list('locks', options)) {
      // An empty lock file is what a full disk leaves of one; restic passes over it too.
      if (id === this.#id || bytes === 0) continue;
      const other = await readLock(storage, key, id, options);
      if (other === null) continue;
      if (abandoned.has(id) || isStale(other, clock())) {
        await storage.remove({ kind: 'locks', id }, options);
        abandoned.delete(id);
      } else if (other.exclusive || this.#exclusive) {
        throw new EngineError('repository-locked', {
          holder: `${other.username}@${other.hostname}, process ${other.pid}, since ${other.time}`,
          lock: id,
        });
      }
    }
  }
}

/** A lock file, or null where it is gone. @throws EngineError `repository-locked` where it can't be read. */
export async function readLock(
  storage: Storage,
  key: MasterKey,
  id: string,
  options: CallOptions = {},
): Promise<LockRecord | null> {
  try {
    const sealed = await storage.load({ kind: 'locks', id }, undefined, options);
    return decodeLock(openUnpacked(key, sealed, MAX_SMALL_FILE_BYTES));
  } catch (error) {
    if (error instanceof FileMissing) return null;
    if (error instanceof RangeError)
      throw new EngineError(
        'repository-locked',
        { holder: `a lock file that can't be read (${id})`, lock: id },
        { cause: error },
      );
    throw error;
  }
}

/** Whether nobody holds the lock any more: not renewed for half an hour, or of a dead process of this machine. */
export function isStale(lock: LockRecord, now: Date): boolean {
  if (now.getTime() - Number(parseTime(lock.time) / 1_000_000n) > STALE_MS) return true;
  return lock.hostname === hostname() && lock.pid > 0 && !isAlive(lock.pid);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
