/**
 * restic's locks: a small file per process that works on a repository.
 *
 *   look for conflicting locks → write ours → wait 200 ms → look again (`confirm`), and give up on a conflict
 *
 * An exclusive lock conflicts with every other, a shared one with exclusive ones. A lock is renewed every 5 minutes
 * by writing a new file and removing the old one. A lock is stale after 30 minutes without renewal, or where it is
 * of a process of this machine that is dead; stale ones are removed on the way, so that a killed run is in nobody's way.
 */
import { hostname, userInfo } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { EngineError } from '../errors.ts';
import { decodeLock, encodeLock } from '../format/lock-file.ts';
import type { LockRecord } from '../format/lock-file.ts';
import { formatTime, parseTime } from '../format/time.ts';
import { openUnpacked, sealUnpacked } from '../format/unpacked.ts';
import { MAX_SMALL_FILE_BYTES } from '../limits.ts';
import type { MasterKey } from '../seal/master-key.ts';
import { allowHangup, ignoreHangup } from './hangup.ts';
import { saveHashed } from '../storage/load-verified.ts';
import { FileMissing } from '../storage/storage.ts';
import type { Storage } from '../storage/storage.ts';

const SETTLE_MS = 200;
const RENEW_MS = 5 * 60_000;
const STALE_MS = 30 * 60_000;

export type LockedRepository = {
  readonly storage: Storage;
  readonly key: MasterKey;
  readonly version: 1 | 2;
  readonly clock: () => Date;
};

/** A held lock; `close` (or `await using`) gives it up. */
export class RepositoryLock implements AsyncDisposable {
  readonly #repository: LockedRepository;
  readonly #exclusive: boolean;
  #id = '';
  #timer: NodeJS.Timeout | undefined;
  #renewal: Promise<void> = Promise.resolve();
  #writtenMs = 0;
  #isLost = false;

  private constructor(repository: LockedRepository, exclusive: boolean) {
    this.#repository = repository;
    this.#exclusive = exclusive;
  }

  /** @throws EngineError `repository-locked` with who holds it. */
  static async acquire(repository: LockedRepository, exclusive: boolean): Promise<RepositoryLock> {
    const lock = new RepositoryLock(repository, exclusive);
    await lock.#refuseConflicts();
    ignoreHangup();
    try {
      lock.#id = await lock.#write();
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
    // Given up meanwhile: there is nothing to confirm.
    if (this.#id !== '') await this.#refuseConflicts();
  }

  /**
   * Asked before what only the holder of the lock may do: a machine that slept for longer than half an hour finds its
   * lock taken away by the next who came, who may rely on what is about to be deleted.
   * @throws EngineError `lock-lost`.
   */
  async requireHeld(): Promise<void> {
    await this.#renewal;
    const { storage, clock } = this.#repository;
    if (!this.#isLost && clock().getTime() - this.#writtenMs > 2 * RENEW_MS) await this.#renew();
    if (this.#isLost || (await storage.size({ kind: 'locks', id: this.#id })) === null)
      throw new EngineError('lock-lost', { location: storage.location });
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#renewal;
    const id = this.#id;
    if (id === '') return;
    this.#id = '';
    // Whether or not it can be removed: this process is done with it.
    try {
      await this.#repository.storage.remove({ kind: 'locks', id });
    } finally {
      allowHangup();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #write(): Promise<string> {
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
    return saveHashed(storage, 'locks', version === 1 ? key.seal(Buffer.from(json)) : sealUnpacked(key, json));
  }

  async #renew(): Promise<void> {
    const old = this.#id;
    // One that was taken away is not written again: others count on its being gone.
    this.#isLost ||= (await this.#repository.storage.size({ kind: 'locks', id: old })) === null;
    if (this.#isLost) return;
    this.#id = await this.#write();
    if (old !== this.#id) await this.#repository.storage.remove({ kind: 'locks', id: old });
  }

  async #refuseConflicts(): Promise<void> {
    const { storage, key, clock } = this.#repository;
    for (const { id, bytes } of await storage.list('locks')) {
      // An empty lock file is what a full disk leaves of one; restic passes over it too.
      if (id === this.#id || bytes === 0) continue;
      const other = await readLock(storage, key, id);
      if (other === null) continue;
      if (isStale(other, clock())) await storage.remove({ kind: 'locks', id });
      else if (other.exclusive || this.#exclusive) {
        throw new EngineError('repository-locked', {
          holder: `${other.username}@${other.hostname}, process ${other.pid}, since ${other.time}`,
          lock: id,
        });
      }
    }
  }
}

/** A lock file, or null where it is gone. @throws EngineError `repository-locked` where it can't be read. */
export async function readLock(storage: Storage, key: MasterKey, id: string): Promise<LockRecord | null> {
  try {
    return decodeLock(openUnpacked(key, await storage.load({ kind: 'locks', id }), MAX_SMALL_FILE_BYTES));
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
