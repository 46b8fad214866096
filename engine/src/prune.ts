/**
 * Removes what no snapshot reaches. Runs alone: the lock is exclusive from the first read to the last deletion, so that
 * no backup can come to rely on a blob that is about to go (docs/decisions/0007).
 *
 *   lock → snapshots, index → used blobs → plan → (dry run ends here)
 *     1. delete packs that no index lists    killed here: fewer of them lie there
 *     2. write used blobs into new packs     killed here: packs that no index lists, or second copies; the next removes them
 *     3. write new index files               killed here: packs are listed twice, which hurts nobody
 *     4. remove the old index files          killed here: the same
 *     5. delete the old packs                killed here: packs that no index lists, which 1 of the next run deletes
 *
 * At each instant every blob that a snapshot reaches is in a pack that an index lists.
 */
import { EngineError, reasonOf, throwIfCancelled } from './errors.ts';
import type { PackEntry } from './format/pack-header.ts';
import { IndexWriter } from './index/index-writer.ts';
import { readIndexFile, readIndexFiles } from './index/load-index.ts';
import type { ListedIndexFile } from './index/load-index.ts';
import { inParallel } from './lib/in-parallel.ts';
import type { HeldLock } from './lock/lock.ts';
import { planPrune } from './plan-prune.ts';
import type { PruneLimits, PrunePlan } from './plan-prune.ts';
import type { BlobNumbers } from './prune/blob-numbers.ts';
import { findUsedBlobs } from './prune/find-used.ts';
import { PackCatalogue } from './prune/pack-facts.ts';
import { PackWriter } from './prune/pack-writer.ts';
import type { Repository } from './repository.ts';
import { planRanges } from './restore/pack-ranges.ts';
import type { FileKind } from './storage/storage.ts';
import { FileMissing } from './storage/storage.ts';

/** Limits, and whether to plan only. */
export type PruneOptions = PruneLimits & {
  /** Plan only: nothing but the lock is written. */
  readonly dryRun?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: PruneProgress) => void;
};

/** Which step a prune is at; `done` and `of` count packs or files, with `repack` bytes. */
export type PruneProgress = {
  readonly step: 'find used' | 'delete unlisted' | 'repack' | 'write index' | 'remove index' | 'delete packs';
  readonly done: number;
  readonly of: number;
};

/** The plan, and what was done of it; bytes of packs as stored. */
export type PruneResult = {
  /** `owners` and `packOrder` left out: what may be shown. */
  readonly plan: Omit<PrunePlan, 'owners' | 'packOrder'>;
  /** Whether the plan was carried out. */
  readonly isDone: boolean;
  readonly packsDeleted: number;
  readonly packsWritten: number;
  /** Bytes of packs that were deleted less those that were written. */
  readonly bytesFreed: number;
};

/** Reads and deletions that are on their way at once. */
const IN_FLIGHT = 4;

/**
 * @throws EngineError `repository-locked`, `repository-version`, and those of a repository that must be repaired first:
 *   `snapshot-damaged`, `index-damaged`, `blob-missing`, `pack-damaged`, `tree-damaged` (nothing was deleted that a
 *   snapshot reaches), `storage-failed`, `lock-lost`,
 *   `cancelled` (the next run finishes).
 */
export async function prune(given: Repository, options: PruneOptions = {}): Promise<PruneResult> {
  refuseVersion1(given);
  throwIfCancelled(options.signal);
  // To its last deletion: wherever it is cancelled, the next run finishes.
  const repository = given.withSignal(options.signal);
  await using lock = await repository.lock('exclusive');
  // Nothing is read before: a backup that ended in these 200 ms would be missing from what was read.
  await lock.confirm();
  try {
    const used = await findUsedBlobs(repository, {
      signal: options.signal,
      onProgress: (done, of) => options.onProgress?.({ step: 'find used', done, of }),
    });
    const plan = await makePlan(repository, used, options);
    if (options.dryRun === true) return toResult(plan, false, 0, 0, 0);
    return await new PruneRun(repository, plan, used, lock, options).execute();
  } finally {
    // What was loaded names packs that are gone.
    repository.dropIndex();
  }
}

/** Version 1 is read, never written. @throws EngineError `repository-version`. */
export function refuseVersion1(repository: Pick<Repository, 'version'>): void {
  if (repository.version !== 2)
    throw new EngineError('repository-version', { version: repository.version, reason: 'only version 2 is written' });
}

async function makePlan(repository: Repository, used: BlobNumbers, limits: PruneLimits): Promise<PrunePlan> {
  const catalogue = new PackCatalogue(used);
  for await (const file of readIndexFiles(repository.storage, repository.key)) catalogue.add(file);
  const stored = new Map((await repository.storage.list('data')).map(({ id, bytes }) => [id, bytes]));
  return planPrune({ used, catalogue, stored, limits });
}

function toResult(
  { owners: _owners, packOrder: _order, ...plan }: PrunePlan,
  isDone: boolean,
  packsDeleted: number,
  packsWritten: number,
  bytesFreed: number,
): PruneResult {
  return { plan, isDone, packsDeleted, packsWritten, bytesFreed };
}

class PruneRun {
  readonly #repository: Repository;
  readonly #plan: PrunePlan;
  readonly #used: BlobNumbers;
  readonly #lock: HeldLock;
  readonly #options: PruneOptions;
  readonly #writer: IndexWriter;
  readonly #packs: PackWriter;
  /** Places of the packs in the plan, whose numbers `owners` holds. */
  readonly #places: ReadonlyMap<string, number>;
  readonly #going: ReadonlySet<string>;
  readonly #relisted = new Set<string>();
  #repacked = 0;

  constructor(repository: Repository, plan: PrunePlan, used: BlobNumbers, lock: HeldLock, options: PruneOptions) {
    this.#repository = repository;
    this.#plan = plan;
    this.#used = used;
    this.#lock = lock;
    this.#options = options;
    this.#writer = new IndexWriter(repository);
    this.#packs = new PackWriter(repository, this.#writer);
    const repack = new Set(plan.repack);
    this.#places = new Map([...plan.packOrder.entries()].filter(([, id]) => repack.has(id)).map(([n, id]) => [id, n]));
    this.#going = new Set([...plan.remove, ...plan.repack, ...plan.gone]);
  }

  async execute(): Promise<PruneResult> {
    const plan = this.#plan;
    const before = plan.bytesBefore;
    await this.#removeAll('data', plan.unlisted, 'delete unlisted'); // 1
    await this.#rewrite(); // 2 and 3: what a new index file lists is durable before
    throwIfCancelled(this.#options.signal);
    await this.#removeAll('index', plan.rewriteIndexes, 'remove index'); // 4
    const gone = [...plan.remove, ...plan.repack];
    await this.#removeAll('data', gone, 'delete packs'); // 5
    const left = await this.#repository.storage.list('data');
    const after = left.reduce((total, { bytes }) => total + bytes, 0);
    return toResult(plan, true, plan.unlisted.length + gone.length, this.#packs.written.packs, before - after);
  }

  /** One old index file after another: its packs that are to be written anew, then the others' listings. */
  async #rewrite(): Promise<void> {
    const { storage, key } = this.#repository;
    for (const id of this.#plan.rewriteIndexes) {
      throwIfCancelled(this.#options.signal);
      const file = await readIndexFile(storage, key, id);
      await this.#repack(file);
      for (const pack of file.packs) {
        if (this.#going.has(pack.id) || this.#relisted.has(pack.id)) continue;
        this.#relisted.add(pack.id);
        await this.#writer.add(pack);
      }
    }
    await this.#packs.finish();
    await this.#writer.flush();
    this.#progress('write index', 1, 1);
  }

  async #repack(file: ListedIndexFile): Promise<void> {
    const needs = [...this.#needsOf(file)];
    const { storage } = this.#repository;
    await inParallel(planRanges(needs), IN_FLIGHT, async ({ pack, offset, length, needs: wanted }) => {
      throwIfCancelled(this.#options.signal);
      try {
        const range = await storage.load({ kind: 'data', id: pack }, { offset, length });
        for (const { targets } of wanted) {
          const [entry] = targets;
          if (entry === undefined) continue;
          const at = entry.offset - offset;
          const mustCompress = entry.type === 'tree' || this.#options.repackUncompressed === true;
          await this.#packs.take(entry, range.subarray(at, at + entry.length), mustCompress);
        }
      } catch (error) {
        // Nothing was deleted of what this needs: what was written so far is unlisted or a second copy.
        throw toDamage(pack, error);
      }
      this.#repacked += length;
      this.#progress('repack', this.#repacked, this.#plan.bytesToRepack);
    });
  }

  /** The blobs of the file's packs that must go on to new ones; each once. */
  *#needsOf(
    file: ListedIndexFile,
  ): Generator<Parameters<typeof planRanges<PackEntry>>[0] extends Iterable<infer N> ? N : never> {
    const { owners } = this.#plan;
    for (const pack of file.packs) {
      const place = this.#places.get(pack.id);
      if (place === undefined) continue;
      for (const entry of pack.blobs) {
        const number = this.#used.find(entry.type, entry.id);
        if (number === -1 || owners[number] !== place) continue;
        owners[number] = COPIED;
        const { offset, length, plainBytes } = entry;
        yield { id: entry.id, place: { pack: pack.id, offset, length, plainBytes }, targets: [entry] };
      }
    }
  }

  async #removeAll(kind: FileKind, ids: readonly string[], step: PruneProgress['step']): Promise<void> {
    let done = 0;
    if (ids.length > 0) await this.#lock.requireHeld();
    await inParallel(ids, IN_FLIGHT, async (id) => {
      await this.#repository.storage.remove({ kind, id });
      this.#progress(step, ++done, ids.length);
    });
  }

  #progress(step: PruneProgress['step'], done: number, of: number): void {
    this.#options.onProgress?.({ step, done, of });
  }
}

const COPIED = 0xffff_fffe;

function toDamage(pack: string, error: unknown): unknown {
  if (error instanceof RangeError || error instanceof FileMissing)
    return new EngineError('pack-damaged', { file: pack, reason: reasonOf(error) }, { cause: error });
  if (error instanceof EngineError && error.cause instanceof RangeError)
    return new EngineError('pack-damaged', { file: pack, reason: 'it is cut off' }, { cause: error });
  return error;
}
