/**
 * Reads a repository and says what is wrong with it; changes nothing.
 *
 *   lock (alone) → index files → packs: there, of the right size → snapshots → every listing, every blob it names
 *   with `readData`: every pack whole, its hash, its header, each of its blobs (workers)
 *
 * Errors mean that something can't be restored; hints (packs that no index lists) cost space only.
 */
import { EngineError, throwIfCancelled } from './errors.ts';
import type { Problem } from './errors.ts';
import type { PackEntry } from './format/pack-header.ts';
import { readIndexFiles } from './index/load-index.ts';
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

export type CheckOptions = {
  /** Read all packs, not only their sizes. */
  readonly readData?: boolean;
  readonly workers?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: CheckProgress) => void;
};

export type CheckProgress = {
  readonly packs: number;
  readonly packsTotal: number;
  readonly snapshots: number;
  readonly snapshotsTotal: number;
};

export type CheckResult = {
  readonly errors: readonly Problem[];
  readonly hints: readonly Problem[];
  readonly snapshots: number;
  readonly packs: number;
  readonly blobs: number;
};

/** @throws EngineError `repository-locked`, `storage-failed`, `cancelled`; damage is returned, not thrown. */
export async function check(repository: Repository, options: CheckOptions = {}): Promise<CheckResult> {
  return repository.withLock('exclusive', async (confirmed) => {
    await confirmed;
    const run = new CheckRun(repository.uncached(), options);
    await run.readIndexes();
    await run.comparePacks();
    await run.walkSnapshots();
    if (options.readData === true) await run.readPacks();
    return run.result();
  });
}

class CheckRun {
  readonly #repository: Repository;
  readonly #options: CheckOptions;
  readonly #errors: Problem[] = [];
  readonly #hints: Problem[] = [];
  readonly #packs = new Map<string, readonly PackEntry[]>();
  /** Packs that are there, with their sizes. */
  readonly #stored = new Map<string, number>();
  #blobs = 0;
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
    };
  }

  async readIndexes(): Promise<void> {
    try {
      for await (const file of readIndexFiles(this.#repository.storage, this.#repository.key)) {
        for (const pack of file.packs) {
          if (this.#packs.has(pack.id))
            this.#hint('pack-listed-twice', `data/${pack.id}`, 'is listed by more than one index file');
          this.#packs.set(pack.id, pack.blobs);
          this.#blobs += pack.blobs.length;
        }
      }
    } catch (error) {
      if (!(error instanceof EngineError) || error.code !== 'index-damaged') throw error;
      this.#isIndexWhole = false;
      this.#error(error.code, `index/${String(error.context['file'])}`, error.message);
    }
  }

  async comparePacks(): Promise<void> {
    for (const { id, bytes } of await this.#repository.storage.list('data')) {
      this.#stored.set(id, bytes);
      if (!this.#packs.has(id)) this.#hint('pack-not-listed', `data/${id}`, 'is listed by no index file');
    }
    for (const [id, blobs] of this.#packs) {
      const bytes = this.#stored.get(id);
      const expected = packBytes(blobs);
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
      this.#progress(0, done + 1);
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

  async readPacks(): Promise<void> {
    const { storage, key } = this.#repository;
    const data: RestoreWorkerData = { key: key.parts };
    await using pool = new WorkerPool<RestoreJob, RestoreAnswer>({
      script: new URL('./restore/restore-worker.ts', import.meta.url),
      size: this.#options.workers,
      data: () => ({ value: data, transfer: [] }),
      onNews: () => undefined,
    });
    let done = 0;
    await inParallel([...this.#packs], pool.size * 2, async ([id, entries], slot) => {
      throwIfCancelled(this.#options.signal);
      const size = this.#stored.get(id);
      if (size === undefined) return;
      if (size > MAX_PACK_BYTES) {
        this.#error('pack-damaged', `data/${id}`, `has ${size} bytes`);
        return;
      }
      const bytes = await storage.load({ kind: 'data', id });
      const answer = await pool.run(slot % pool.size, { kind: 'check-pack', pack: id, bytes, entries }, [
        bytes.buffer as ArrayBuffer,
      ]);
      if (answer.kind === 'check-pack')
        for (const reason of answer.errors) this.#error('pack-damaged', `data/${id}`, reason);
      done += 1;
      this.#progress(done, this.#snapshots);
    });
  }

  #error(code: string, path: string, message: string): void {
    this.#errors.push({ code, path, message });
  }

  #hint(code: string, path: string, message: string): void {
    this.#hints.push({ code, path, message });
  }

  #progress(packs: number, snapshots: number): void {
    this.#options.onProgress?.({ packs, packsTotal: this.#packs.size, snapshots, snapshotsTotal: this.#snapshots });
  }
}
