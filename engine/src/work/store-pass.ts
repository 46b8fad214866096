/**
 * One pass of writing into several repositories at once: their locks, indexes and savers, and the workers that seal.
 * Used by every verb that stores blobs.
 *
 *   open → give the workers jobs → finish: packs, then indexes, each repository for itself → commit (the verb's)
 *
 * A repository that can't be locked, written or keep up is dropped from the pass: what it missed is caught up by
 * `copy`, and the others go on. Only when none is left does the pass fail, with what the first one met.
 */
import { MessageChannel } from 'node:worker_threads';
import { EngineError, reasonOf, throwIfCancelled } from '../errors.ts';
import type { BlobType } from '../format/pack-header.ts';
import type { BlobIndex, BlobPlace } from '../index/blob-index.ts';
import type { IgnoredParts } from '../index/load-index.ts';
import type { HeldLock } from '../lock/lock.ts';
import type { AnyLock } from '../lock/no-lock.ts';
import type { BlobReader } from '../pack/blob-reader.ts';
import { PackSaver } from '../pack/pack-saver.ts';
import type { Repository } from '../repository.ts';
import { planRanges } from '../restore/pack-ranges.ts';
import type { Need } from '../restore/pack-ranges.ts';
import { inParallel } from '../lib/in-parallel.ts';
import type { MasterKeyParts } from '../seal/master-key.ts';
import type { BackupAnswer, BackupJob } from './backup-jobs.ts';
import type { BackupWorkerData } from './backup-worker.ts';
import { WorkerPool } from './pool.ts';
import type { PackNews } from './seal-chain.ts';

export type StorePool = WorkerPool<BackupJob, BackupAnswer, PackNews>;

/** A blob to be taken from elsewhere. */
export type WantedBlob = { readonly type: BlobType; readonly id: string };

export type StoreTarget = {
  readonly repository: Repository;
  readonly index: BlobIndex;
  readonly saver: PackSaver;
  /** Resolves when nothing else holds the repository; awaited before its first byte is written. */
  readonly confirmed: Promise<void>;
  /** Asked before a snapshot is committed: whoever took it away may have pruned what the snapshot needs. */
  readonly lock: HeldLock;
};

/** What became of one repository in a pass. */
export type CopyState = {
  readonly repository: Repository;
  readonly state: 'complete' | 'behind';
  /** Why it is behind; null where it is complete. */
  readonly error: EngineError | null;
};

export type StorePassOptions = {
  readonly workers?: number | undefined;
  /** Opens what comes out of other repositories; by default the first one's own key. */
  readonly sourceKey?: MasterKeyParts | undefined;
  /** Parts of the repositories' indexes that are not believed in. */
  readonly ignoring?: IgnoredParts;
  /** A repository other than the first that takes longer to save one pack is dropped. */
  readonly slowAfterMs?: number | undefined;
  /** Ends saves that are under way. */
  readonly signal?: AbortSignal | undefined;
  /** The pass has no repository left, or a worker failed. */
  readonly onFailure: (error: unknown) => void;
};

/** 16 MiB in this time are 280 kB/s: slower, and the night is over before the copy is. */
const SLOW_AFTER_MS = 60_000;
const TRANSFERS_PER_WORKER = 2;

export class StorePass implements AsyncDisposable {
  readonly pool: StorePool;
  /** Those that could be opened, in the order given; numbers of repositories are places in this list. */
  readonly targets: readonly StoreTarget[];
  readonly #failures = new Map<Repository, EngineError>();
  readonly #repositories: readonly Repository[];
  readonly #locks: readonly AnyLock[];
  readonly #buffers = new BufferReturns();
  readonly #options: StorePassOptions;
  /** Seen by all workers. */
  readonly #live: Int32Array;
  #isDone = false;

  private constructor(
    repositories: readonly Repository[],
    opened: readonly (StoreTarget & { readonly lock: AnyLock })[],
    options: StorePassOptions,
  ) {
    this.#repositories = repositories;
    this.#options = options;
    this.targets = opened;
    this.#locks = opened.map((each) => each.lock);
    this.#live = new Int32Array(new SharedArrayBuffer(4 * opened.length)).fill(1);
    this.pool = this.#openPool();
  }

  /** @throws EngineError what the first repository met, where none could be opened. */
  static async open(repositories: readonly Repository[], options: StorePassOptions): Promise<StorePass> {
    const failures = new Map<Repository, EngineError>();
    const opened: (StoreTarget & { readonly lock: AnyLock })[] = [];
    for (const repository of repositories) {
      try {
        opened.push(await openTarget(repository, options));
      } catch (error) {
        failures.set(repository, toEngineError(error));
      }
    }
    if (opened.length === 0) throw failures.values().next().value ?? new RangeError('a pass needs a repository');
    const pass = new StorePass(repositories, opened, options);
    for (const [repository, error] of failures) pass.#failures.set(repository, error);
    return pass;
  }

  /** The repository that is asked what is unchanged: the first that could be opened. */
  get base(): StoreTarget {
    return this.targets[0] as StoreTarget;
  }

  /** What became of each repository so far. */
  get copies(): CopyState[] {
    return this.#repositories.map((repository) => {
      const error = this.#failures.get(repository) ?? null;
      return { repository, state: error === null ? 'complete' : 'behind', error };
    });
  }

  isLive(target: StoreTarget): boolean {
    return !this.#failures.has(target.repository);
  }

  /** Goes on without a repository. */
  drop(target: StoreTarget, error: unknown): void {
    if (!this.isLive(target)) return;
    this.#failures.set(target.repository, toEngineError(error));
    Atomics.store(this.#live, this.targets.indexOf(target), 0);
    if (!this.targets.some((each) => this.isLive(each))) this.#options.onFailure(this.failure());
  }

  /** What the first repository that failed met. */
  failure(): EngineError {
    return this.#failures.values().next().value ?? new EngineError('worker-failed', { reason: 'nothing was stored' });
  }

  /** Runs `work` for each repository that is still in the pass; one that fails is dropped. */
  async each(work: (target: StoreTarget) => Promise<void>): Promise<void> {
    for (const target of this.targets) {
      if (!this.isLive(target)) continue;
      try {
        await work(target);
      } catch (error) {
        this.drop(target, error);
      }
    }
  }

  /** Takes blobs out of another repository (or the first) into all that lack them. */
  async transfer(source: BlobReader, blobs: readonly WantedBlob[], signal?: AbortSignal): Promise<void> {
    const needs = blobs.map(({ type, id }) => ({ type, id, place: source.place(type, id), targets: [] }));
    await this.#transferRanges(
      needs,
      'source',
      async (pack, offset, length) => source.load(pack, offset, length),
      signal,
    );
  }

  /** Takes blobs out of places in the first repository that its index does not list (any more). */
  async transferOwn(places: ReadonlyMap<string, BlobPlace>, blobs: readonly WantedBlob[]): Promise<void> {
    const { storage } = this.base.repository;
    const needs = blobs.flatMap(({ type, id }) => {
      const place = places.get(`${type} ${id}`);
      return place === undefined ? [] : [{ type, id, place, targets: [] }];
    });
    await this.#transferRanges(needs, 'first', async (id, offset, length) =>
      storage.load({ kind: 'data', id }, { offset, length }),
    );
  }

  async #transferRanges(
    needs: readonly (WantedBlob & Need<never>)[],
    from: 'source' | 'first',
    load: (pack: string, offset: number, length: number) => Promise<Buffer>,
    signal?: AbortSignal,
  ): Promise<void> {
    const types = new Map(needs.map((need) => [need.place, need.type]));
    await inParallel(planRanges(needs), this.pool.size * TRANSFERS_PER_WORKER, async (range, slot) => {
      throwIfCancelled(signal);
      const { pack, offset, length } = range;
      const bytes = await load(pack, offset, length);
      const blobs = range.needs.map(({ id, place }) => ({
        type: types.get(place) ?? 'data',
        id,
        at: place.offset - offset,
        length: place.length,
        plainBytes: place.plainBytes,
      }));
      const job: BackupJob = { kind: 'transfer', from, pack, range: bytes, blobs };
      await this.pool.run(slot % this.pool.size, job, [bytes.buffer as ArrayBuffer]);
    });
  }

  /** Makes all that was stored durable and findable: packs, then indexes. */
  async finish(): Promise<void> {
    await this.#flushWorkers();
    await this.each(async (target) => {
      await target.confirmed;
      await target.saver.flush();
    });
    if (!this.targets.some((target) => this.isLive(target))) throw this.failure();
    this.#isDone = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pool[Symbol.asyncDispose]();
    await Promise.all(this.targets.map(async (target) => target.saver.discard()));
    // Blobs that were claimed and not stored must not look stored to the next run.
    for (const target of this.targets) if (!this.#isDone || !this.isLive(target)) target.repository.dropIndex();
    for (const lock of this.#locks) await lock.close().catch(() => undefined);
  }

  /** The workers' half-filled packs are put together by one of them: a small backup makes few files. */
  async #flushWorkers(): Promise<void> {
    const workers = Array.from({ length: this.pool.size }, (_, n) => n);
    const answers = await Promise.all(workers.map(async (worker) => this.pool.run(worker, { kind: 'hand-over' })));
    const packs = answers.flatMap((answer) => (answer.kind === 'hand-over' ? answer.packs : []));
    await this.pool.run(
      0,
      { kind: 'finish', packs },
      packs.map((pack) => pack.buffer),
    );
  }

  #openPool(): StorePool {
    const repositories = this.targets.map(({ repository, index }) => ({
      index: index.shared,
      key: repository.key.parts,
      takesPieces: repository.storage.beginFile !== undefined,
    }));
    const { polynomial, key } = this.base.repository;
    const sourceKey = this.#options.sourceKey ?? key.parts;
    return new WorkerPool({
      script: new URL('./backup-worker.ts', import.meta.url),
      size: this.#options.workers,
      data: () => {
        const ports = this.#buffers.add();
        const value: BackupWorkerData = { polynomial, repositories, sourceKey, live: this.#live, ...ports };
        return { value, transfer: [ports.returns] };
      },
      onNews: (worker, pack) => void this.#save(worker, pack),
    });
  }

  /** Saves a finished pack and gives its buffer back, whatever became of it: a worker may be waiting for it. */
  async #save(worker: number, pack: PackNews): Promise<void> {
    const target = this.targets[pack.repository];
    if (target !== undefined && this.isLive(target)) {
      try {
        await this.#inTime(target, this.#confirmedSave(target, worker, pack));
      } catch (error) {
        this.drop(target, error);
      }
    }
    this.#buffers.give(worker, pack.buffer);
  }

  async #confirmedSave(target: StoreTarget, worker: number, pack: PackNews): Promise<void> {
    await target.confirmed;
    await target.saver.save(worker, pack);
  }

  /** The first repository may take its time; others may not hold it up. */
  async #inTime(target: StoreTarget, saving: Promise<void>): Promise<void> {
    if (target === this.base || this.targets.length === 1) return saving;
    const limitMs = this.#options.slowAfterMs ?? SLOW_AFTER_MS;
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      const location = target.repository.location;
      late.reject(new EngineError('storage-slow', { location, seconds: Math.round(limitMs / 1000) }));
    }, limitMs);
    try {
      await Promise.race([saving, late.promise]);
    } finally {
      clearTimeout(timer);
      late.promise.catch(() => undefined);
      saving.catch(() => undefined);
    }
  }
}

async function openTarget(
  repository: Repository,
  { ignoring: ignored, signal }: Pick<StorePassOptions, 'ignoring' | 'signal'>,
): Promise<StoreTarget & { readonly lock: AnyLock }> {
  if (repository.version !== 2) {
    throw new EngineError('repository-version', { version: repository.version, reason: 'only version 2 is written' });
  }
  const lock = await repository.lock('shared');
  try {
    const confirmed = lock.confirm();
    // Who fails before it is awaited has another error to tell.
    confirmed.catch(() => undefined);
    // Others may have written or pruned since this process last looked.
    repository.dropIndex();
    const index = await (ignored === undefined ? repository.index() : repository.indexWithout(ignored));
    return { repository, index, saver: new PackSaver(repository, index, signal), confirmed, lock };
  } catch (error) {
    await lock.close();
    throw error;
  }
}

function toEngineError(error: unknown): EngineError {
  return error instanceof EngineError
    ? error
    : new EngineError('worker-failed', { reason: reasonOf(error) }, { cause: error });
}

/** Gives pack buffers back to the workers that filled them, who may be waiting for them. */
class BufferReturns {
  readonly #ports: MessageChannel[] = [];
  readonly #counts: Int32Array[] = [];

  add(): Pick<BackupWorkerData, 'returns' | 'returned'> {
    const channel = new MessageChannel();
    const returned = new Int32Array(new SharedArrayBuffer(4));
    this.#ports.push(channel);
    this.#counts.push(returned);
    channel.port1.unref();
    return { returns: channel.port2, returned };
  }

  give(worker: number, buffer: ArrayBuffer): void {
    const count = this.#counts[worker];
    if (count === undefined) return;
    this.#ports[worker]?.port1.postMessage(buffer, [buffer]);
    Atomics.add(count, 0, 1);
    Atomics.notify(count, 0);
  }
}
