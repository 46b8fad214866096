/** Reads all of a repository and says which of its files can't be trusted, for `heal`. Changes nothing. */
import { EngineError, reasonOf, systemCode, throwIfCancelled } from './errors.ts';
import type { Problem } from './errors.ts';
import type { PackListing } from './format/index-file.ts';
import type { PackEntry } from './format/pack-header.ts';
import { readIndexFile } from './index/load-index.ts';
import { inParallel } from './lib/in-parallel.ts';
import { MAX_PACK_BYTES } from './limits.ts';
import { packBytes } from './pack/pack-builder.ts';
import type { Repository } from './repository.ts';
import type { RestoreAnswer, RestoreJob } from './restore/restore-jobs.ts';
import type { RestoreWorkerData } from './restore/restore-worker.ts';
import { listSnapshots } from './snapshots.ts';
import { FileMissing } from './storage/storage.ts';
import { WorkerPool } from './work/pool.ts';

export type Damage = {
  readonly problems: readonly Problem[];
  /** Index files that can't be read, or that list damaged packs. */
  readonly indexFiles: readonly string[];
  /** What of those index files still holds. */
  readonly relisted: readonly PackListing[];
  /** Whole packs that no readable index file lists. */
  readonly salvaged: readonly PackListing[];
  /** Packs that are damaged; those that are missing are listed too, and not there to be removed. */
  readonly packs: ReadonlySet<string>;
  /** Blobs of damaged packs that are whole themselves, by `type id`. */
  readonly wholeBlobs: ReadonlyMap<string, PackEntry & { readonly pack: string }>;
  /** Snapshot files that can't be read. */
  readonly snapshots: readonly string[];
};

type Pool = WorkerPool<RestoreJob, RestoreAnswer>;
type PackAnswer = Extract<RestoreAnswer, { readonly kind: 'check-pack' }>;
type Options = { readonly workers?: number; readonly signal?: AbortSignal };

/** @throws EngineError `storage-failed`, `cancelled`. */
export async function findDamage(repository: Repository, options: Options): Promise<Damage> {
  const data: RestoreWorkerData = { key: repository.key.parts };
  await using pool: Pool = new WorkerPool({
    script: new URL('./restore/restore-worker.ts', import.meta.url),
    size: options.workers,
    data: () => ({ value: data, transfer: [] }),
    onNews: () => undefined,
  });
  const search = new DamageSearch(repository, pool, options.signal);
  await search.readIndexes();
  await search.readPacks();
  await search.readSnapshots();
  return search.result();
}

class DamageSearch {
  readonly #repository: Repository;
  readonly #pool: Pool;
  readonly #signal: AbortSignal | undefined;
  readonly #problems: Problem[] = [];
  readonly #files = new Map<string, readonly PackListing[]>();
  readonly #unreadable: string[] = [];
  readonly #listed = new Map<string, readonly PackEntry[]>();
  readonly #packs = new Set<string>();
  readonly #salvaged: PackListing[] = [];
  readonly #wholeBlobs = new Map<string, PackEntry & { readonly pack: string }>();
  readonly #snapshots: string[] = [];

  constructor(repository: Repository, pool: Pool, signal: AbortSignal | undefined) {
    this.#repository = repository;
    this.#pool = pool;
    this.#signal = signal;
  }

  result(): Damage {
    const hit = [...this.#files].filter(([, packs]) => packs.some((pack) => this.#packs.has(pack.id)));
    return {
      problems: this.#problems,
      indexFiles: [...this.#unreadable, ...hit.map(([id]) => id)],
      relisted: hit.flatMap(([, packs]) => packs.filter((pack) => !this.#packs.has(pack.id))),
      salvaged: this.#salvaged,
      packs: this.#packs,
      wholeBlobs: this.#wholeBlobs,
      snapshots: this.#snapshots,
    };
  }

  async readIndexes(): Promise<void> {
    for (const { id } of await this.#repository.storage.list('index')) {
      try {
        const file = await readIndexFile(this.#repository.storage, this.#repository.key, id);
        this.#files.set(id, file.packs);
        for (const pack of file.packs) this.#listed.set(pack.id, pack.blobs);
      } catch (error) {
        if (!(error instanceof EngineError) || (error.code !== 'index-damaged' && !isBadSector(error))) throw error;
        this.#unreadable.push(id);
        this.#report('index-damaged', `index/${id}`, error.message);
      }
    }
  }

  async readPacks(): Promise<void> {
    const stored = new Map((await this.#repository.storage.list('data')).map(({ id, bytes }) => [id, bytes]));
    for (const id of this.#listed.keys()) {
      if (stored.has(id)) continue;
      // A listing that lags must not make a pack count as lost.
      const bytes = await this.#repository.storage.size({ kind: 'data', id });
      if (bytes === null) this.#reportMissing(id);
      else stored.set(id, bytes);
    }
    await inParallel([...stored], this.#pool.size * 2, async ([id, bytes], slot) => this.#readPack(id, bytes, slot));
  }

  async readSnapshots(): Promise<void> {
    const { problems } = await listSnapshots(this.#repository);
    for (const problem of problems) {
      this.#snapshots.push(problem.path.slice('snapshots/'.length));
      this.#problems.push(problem);
    }
  }

  async #readPack(id: string, stored: number, slot: number): Promise<void> {
    throwIfCancelled(this.#signal);
    const listed = this.#listed.get(id) ?? null;
    const isWhole = ({ errors, entries }: PackAnswer): boolean => errors.length === 0 && stored === packBytes(entries);
    try {
      if (stored > MAX_PACK_BYTES) throw new RangeError(`has ${stored} bytes`);
      let answer = await this.#look(id, listed, slot);
      // It may be the way that spoiled it: what is wrong twice is damaged.
      if (!isWhole(answer)) answer = await this.#look(id, listed, slot);
      if (!isWhole(answer)) this.#reportDamaged(id, answer);
      else if (listed === null) this.#salvaged.push({ id, blobs: answer.entries });
    } catch (error) {
      if (error instanceof FileMissing) this.#reportMissing(id);
      else if (error instanceof RangeError || isBadSector(error)) {
        this.#packs.add(id);
        this.#report('pack-damaged', `data/${id}`, reasonOf(error));
      } else throw error;
    }
  }

  async #look(id: string, entries: readonly PackEntry[] | null, slot: number): Promise<PackAnswer> {
    const bytes = await this.#repository.storage.load({ kind: 'data', id });
    const job: RestoreJob = { kind: 'check-pack', pack: id, bytes, entries };
    const answer = await this.#pool.run(slot % this.#pool.size, job, [bytes.buffer as ArrayBuffer]);
    if (answer.kind !== 'check-pack') throw new Error(`a worker answered ${answer.kind} to check-pack`);
    return answer;
  }

  #reportMissing(id: string): void {
    this.#packs.add(id);
    this.#report('pack-missing', `data/${id}`, 'is missing');
  }

  #reportDamaged(id: string, { errors, entries, damagedBlobs }: PackAnswer): void {
    this.#packs.add(id);
    this.#report('pack-damaged', `data/${id}`, errors[0] ?? 'has the wrong size');
    const damaged = new Set(damagedBlobs);
    for (const entry of entries) {
      const name = `${entry.type} ${entry.id}`;
      if (!damaged.has(name)) this.#wholeBlobs.set(name, { ...entry, pack: id });
    }
  }

  #report(code: string, path: string, message: string): void {
    this.#problems.push({ code, path, message });
  }
}

/** A disk that answers and can't read this one file: damage, where a storage that is away is none. */
function isBadSector(error: unknown): boolean {
  return error instanceof EngineError && systemCode(error.cause) === 'EIO';
}
