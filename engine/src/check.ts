/**
 * Reads a repository and says what is wrong with it; changes nothing.
 *
 *   lock (alone) → index files → packs: there, of the right size → snapshots → every listing, every blob it names
 *   with `readData`: every pack, or those of a share, whole: its hash, its header, each of its blobs (workers)
 *
 * Errors mean that something can't be restored; hints (packs that no index lists) cost space only.
 */
import { EngineError, throwIfCancelled } from './errors.ts';
import type { Problem } from './errors.ts';
import { choosePacks } from './data-share.ts';
import type { DataShare } from './data-share.ts';
import type { PackListing } from './format/index-file.ts';
import { readIndexFile } from './index/load-index.ts';
import { inParallel } from './lib/in-parallel.ts';
import { MAX_PACK_BYTES } from './limits.ts';
import { BlobReader } from './pack/blob-reader.ts';
import { packBytes } from './pack/pack-builder.ts';
import type { Repository } from './repository.ts';
import type { RestoreAnswer, RestoreJob } from './restore/restore-jobs.ts';
import type { RestoreWorkerData } from './restore/restore-worker.ts';
import { listSnapshots } from './snapshots.ts';
import { displayPath } from './tree/byte-path.ts';
import { readListing } from './tree/read-listing.ts';
import { WorkerPool } from './work/pool.ts';

/** How much is read; by default structure only, no data. */
export type CheckOptions = {
  /** Read all packs, or those of a share, not only their sizes. */
  readonly readData?: boolean | DataShare;
  readonly workers?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: CheckProgress) => void;
};

/** How far a check is: packs read and snapshots walked. */
export type CheckProgress = {
  /** Packs that were read, of those to be read; 0 before that begins. */
  readonly packs: number;
  readonly packsTotal: number;
  readonly snapshots: number;
  readonly snapshotsTotal: number;
};

/** What a check found. `errors` are damage, `hints` are not; whole where `errors` is empty. */
export type CheckResult = {
  readonly errors: readonly Problem[];
  readonly hints: readonly Problem[];
  readonly snapshots: number;
  readonly packs: number;
  readonly blobs: number;
  /** Packs that were read whole, and their bytes. */
  readonly packsRead: number;
  readonly bytesRead: number;
};

/**
 * @throws EngineError `repository-locked`, `storage-failed`, `cancelled`; damage is returned, not thrown.
 * @throws RangeError for a share that is none.
 */
export async function check(given: Repository, options: CheckOptions = {}): Promise<CheckResult> {
  const repository = given.uncached().withSignal(options.signal);
  return repository.withLock('exclusive', async (confirmed) => {
    await confirmed;
    const run = new CheckRun(repository, options);
    await run.readIndexes();
    await run.comparePacks();
    await run.walkSnapshots();
    const { readData = false } = options;
    if (readData !== false) await run.readPacks(readData === true ? null : readData);
    return run.result();
  });
}

class CheckRun {
  readonly #repository: Repository;
  readonly #options: CheckOptions;
  readonly #errors: Problem[] = [];
  readonly #hints: Problem[] = [];
  /** Packs that are listed, with the sizes that they must have. What lies in them is read again when it is needed. */
  readonly #packs = new Map<string, number>();
  readonly #indexFiles: string[] = [];
  /** Packs that are there, with their sizes. */
  readonly #stored = new Map<string, number>();
  #blobs = 0;
  #packsRead = 0;
  #bytesRead = 0;
  #snapshots = 0;
  #isIndexWhole = true;

  constructor(repository: Repository, options: CheckOptions) {
    this.#repository = repository;
    this.#options = options;
  }

  result(): CheckResult {
    return {
      errors: this.#errors,
      hints: this.#hints,
      snapshots: this.#snapshots,
      packs: this.#packs.size,
      blobs: this.#blobs,
      packsRead: this.#packsRead,
      bytesRead: this.#bytesRead,
    };
  }

  async readIndexes(): Promise<void> {
    const { storage, key } = this.#repository;
    for (const { id } of await storage.list('index')) {
      throwIfCancelled(this.#options.signal);
      try {
        this.#addPacks((await readIndexFile(storage, key, id)).packs);
        this.#indexFiles.push(id);
      } catch (error) {
        if (!(error instanceof EngineError) || error.code !== 'index-damaged') throw error;
        this.#isIndexWhole = false;
        this.#error(error.code, `index/${id}`, error.message);
      }
    }
  }

  #addPacks(packs: readonly PackListing[]): void {
    for (const { id, blobs } of packs) {
      const [known, bytes] = [this.#packs.get(id), packBytes(blobs)];
      // Which of the two a reader meets first is chance.
      if (known !== undefined && known !== bytes)
        this.#error('pack-listed-differently', `data/${id}`, 'is listed differently by two index files');
      else if (known !== undefined)
        this.#hint('pack-listed-twice', `data/${id}`, 'is listed by more than one index file');
      this.#packs.set(id, bytes);
      this.#blobs += blobs.length;
    }
  }

  async comparePacks(): Promise<void> {
    for (const { id, bytes } of await this.#repository.storage.list('data')) {
      this.#stored.set(id, bytes);
      if (!this.#packs.has(id)) this.#hint('pack-not-listed', `data/${id}`, 'is listed by no index file');
    }
    for (const [id, expected] of this.#packs) {
      const bytes = this.#stored.get(id);
      if (bytes === undefined) this.#error('pack-missing', `data/${id}`, 'is missing');
      else if (bytes !== expected)
        this.#error('pack-damaged', `data/${id}`, `has ${bytes} bytes instead of ${expected}`);
    }
  }

  async walkSnapshots(): Promise<void> {
    const { snapshots, problems } = await listSnapshots(this.#repository);
    this.#errors.push(...problems);
    this.#snapshots = snapshots.length;
    // Without all of the index every blob would seem missing: one error says it.
    if (!this.#isIndexWhole) return;
    this.#repository.dropIndex();
    const reader = await BlobReader.open(this.#repository);
    const seen = new Set<string>();
    for (const [done, snapshot] of snapshots.entries()) {
      await this.#walk(reader, snapshot.tree, `${snapshot.id.slice(0, 8)}:`, seen);
      this.#progress(0, 0, done + 1);
    }
  }

  async #walk(reader: BlobReader, tree: string, path: string, seen: Set<string>): Promise<void> {
    throwIfCancelled(this.#options.signal);
    if (seen.has(tree)) return;
    seen.add(tree);
    try {
      for (const node of await readListing(reader, tree)) {
        const below = `${path}/${displayPath(node.name)}`;
        for (const id of node.content) this.#expectBlob(reader, id, below);
        if (node.subtree !== null) await this.#walk(reader, node.subtree, below, seen);
      }
    } catch (error) {
      if (!(error instanceof EngineError) || error.code === 'cancelled') throw error;
      this.#error(error.code, path, error.message);
    }
  }

  #expectBlob(reader: BlobReader, id: string, path: string): void {
    try {
      reader.place('data', id);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      this.#error(error.code, path, error.message);
    }
  }

  async readPacks(share: DataShare | null): Promise<void> {
    const there = Array.from(this.#packs.keys(), (id) => ({ id, bytes: this.#stored.get(id) ?? 0 }));
    const wanted = new Set(share === null ? there.map(({ id }) => id) : choosePacks(there, share));
    const total = wanted.size;
    await using pool = openPool(this.#repository, this.#options.workers);
    for (const id of this.#indexFiles) {
      const { packs } = await readIndexFile(this.#repository.storage, this.#repository.key, id);
      // A pack that two files list is read once.
      const now = packs.filter((pack) => wanted.delete(pack.id));
      await inParallel(now, pool.size * 2, async (pack, slot) => {
        throwIfCancelled(this.#options.signal);
        await this.#readPack(pool, slot % pool.size, pack);
        this.#progress(this.#packsRead, total, this.#snapshots);
      });
    }
  }

  async #readPack(pool: CheckPool, worker: number, { id, blobs }: PackListing): Promise<void> {
    const size = this.#stored.get(id);
    if (size === undefined) return;
    if (size > MAX_PACK_BYTES) {
      this.#error('pack-damaged', `data/${id}`, `has ${size} bytes`);
      return;
    }
    const bytes = await this.#repository.storage.load({ kind: 'data', id });
    this.#packsRead += 1;
    this.#bytesRead += bytes.length;
    const job = { kind: 'check-pack', pack: id, bytes, entries: blobs } as const;
    const answer = await pool.run(worker, job, [bytes.buffer as ArrayBuffer]);
    if (answer.kind === 'check-pack')
      for (const reason of answer.errors) this.#error('pack-damaged', `data/${id}`, reason);
  }

  #error(code: string, path: string, message: string): void {
    this.#errors.push({ code, path, message });
  }

  #hint(code: string, path: string, message: string): void {
    this.#hints.push({ code, path, message });
  }

  #progress(packs: number, packsTotal: number, snapshots: number): void {
    this.#options.onProgress?.({ packs, packsTotal, snapshots, snapshotsTotal: this.#snapshots });
  }
}

type CheckPool = WorkerPool<RestoreJob, RestoreAnswer>;

function openPool({ key }: Repository, size: number | undefined): CheckPool {
  const data: RestoreWorkerData = { key: key.parts };
  return new WorkerPool({
    script: new URL('./restore/restore-worker.ts', import.meta.url),
    size,
    data: () => ({ value: data, transfer: [] }),
    onNews: () => undefined,
  });
}
