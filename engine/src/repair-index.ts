/**
 * Mends the index: afterwards it lists each pack that is there, as that is, and none that is not.
 *
 *   lock → each index file (one that can't be read counts for nothing) → the packs that are there
 *     listed, of the right size   believed
 *     listed, not there           dropped
 *     unlisted, or of another size, or listed in two ways: its own header counts
 *   1. new index files   killed here: packs are listed twice, which hurts nobody
 *   2. old ones go       killed here: the same; the next run finishes
 *
 * Packs are never deleted here: `prune` does that, once the index is whole.
 */
import { EngineError, reasonOf, throwIfCancelled } from './errors.ts';
import type { Problem } from './errors.ts';
import type { PackListing } from './format/index-file.ts';
import type { PackEntry } from './format/pack-header.ts';
import { IndexWriter } from './index/index-writer.ts';
import { readIndexFile } from './index/load-index.ts';
import type { ListedIndexFile } from './index/load-index.ts';
import { inParallel } from './lib/in-parallel.ts';
import type { HeldLock } from './lock/lock.ts';
import { packBytes } from './pack/pack-builder.ts';
import { refuseVersion1 } from './prune.ts';
import { readPackHeader } from './repair/read-header.ts';
import type { Repository } from './repository.ts';
import { FileMissing } from './storage/storage.ts';
import type { Storage } from './storage/storage.ts';

/** How much of the index is believed. */
export type RepairIndexOptions = {
  /** Believe no index file: read the header of each pack. */
  readonly readAllPacks?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (packsRead: number, of: number) => void;
};

/** What was listed anew and what was dropped. Complete where `problems` is empty. */
export type RepairIndexResult = {
  /** Packs whose headers were read, and listed by them. */
  readonly packsRelisted: readonly string[];
  /** Packs that were listed and are not there, or have no header that could be read. */
  readonly packsDropped: readonly string[];
  readonly indexesRemoved: number;
  /** Index files and packs that can't be read. */
  readonly problems: readonly Problem[];
};

/** @throws EngineError `repository-locked`, `repository-version`, `storage-failed`, `storage-full`, `lock-lost`, `cancelled`. */
export async function repairIndex(
  repository: Repository,
  options: RepairIndexOptions = {},
): Promise<RepairIndexResult> {
  refuseVersion1(repository);
  const cancellable = repository.withSignal(options.signal);
  return cancellable.withLock('exclusive', async (confirmed, lock) => {
    await confirmed;
    try {
      return await new IndexRepair(cancellable, repository.storage, lock, options).run();
    } finally {
      repository.dropIndex();
    }
  });
}

/** What is believed of a pack before any header was read. */
type Claim = { readonly bytes: number; readonly blobs: number; isListedTwice: boolean; isTorn: boolean };

class IndexRepair {
  readonly #repository: Repository;
  /** For the last step, which nobody cancels. */
  readonly #committed: Storage;
  readonly #lock: HeldLock;
  readonly #options: RepairIndexOptions;
  readonly #problems: Problem[] = [];
  readonly #claims = new Map<string, Claim>();
  /** Index files that must go. */
  readonly #old = new Set<string>();
  readonly #files: string[] = [];

  constructor(repository: Repository, committed: Storage, lock: HeldLock, options: RepairIndexOptions) {
    this.#repository = repository;
    this.#committed = committed;
    this.#lock = lock;
    this.#options = options;
  }

  async run(): Promise<RepairIndexResult> {
    const { storage } = this.#repository;
    await this.#readIndexes();
    const stored = new Map((await storage.list('data')).map(({ id, bytes }) => [id, bytes]));
    for (const id of this.#claims.keys()) {
      if (stored.has(id)) continue;
      // A listing that lags must not make a pack count as lost.
      const bytes = await storage.size({ kind: 'data', id });
      if (bytes !== null) stored.set(id, bytes);
    }
    const isBelieved = (id: string): boolean => {
      const claim = this.#claims.get(id);
      return claim !== undefined && !claim.isTorn && claim.bytes === stored.get(id);
    };
    const missing = [...this.#claims.keys()].filter((id) => !stored.has(id));
    const writer = new IndexWriter(this.#repository);
    const relisted = await this.#readHeaders(
      [...stored].filter(([id]) => !isBelieved(id)),
      writer,
    );
    const dropped = [...this.#claims.keys()].filter((id) => !isBelieved(id) && !relisted.has(id));
    await this.#markOld(isBelieved);
    await this.#relist(writer, isBelieved); // 1, with what the headers said
    if (this.#old.size > 0) await this.#lock.requireHeld();
    for (const id of this.#old) await this.#committed.remove({ kind: 'index', id }); // 2
    for (const id of missing)
      this.#report('pack-missing', `data/${id}`, 'is missing: what was in it is not listed any more');
    return {
      packsRelisted: [...relisted],
      packsDropped: dropped,
      indexesRemoved: this.#old.size,
      problems: this.#problems,
    };
  }

  async #readIndexes(): Promise<void> {
    for (const { id } of await this.#repository.storage.list('index')) {
      throwIfCancelled(this.#options.signal);
      const file = await this.#readFile(id);
      if (file === null) this.#old.add(id);
      else {
        this.#files.push(id);
        if (this.#options.readAllPacks === true) this.#old.add(id);
        for (const pack of file.packs) this.#claim(pack);
      }
    }
  }

  #claim(pack: PackListing): void {
    if (this.#options.readAllPacks === true) return;
    const bytes = packBytes(pack.blobs);
    const known = this.#claims.get(pack.id);
    if (known === undefined) {
      const isTorn = !isDense(pack.blobs);
      this.#claims.set(pack.id, { bytes, blobs: pack.blobs.length, isListedTwice: false, isTorn });
    } else {
      known.isListedTwice = true;
      if (known.bytes !== bytes || known.blobs !== pack.blobs.length) known.isTorn = true;
    }
  }

  async #readFile(id: string): Promise<ListedIndexFile | null> {
    try {
      return await readIndexFile(this.#repository.storage, this.#repository.key, id);
    } catch (error) {
      if (!(error instanceof EngineError) || error.code !== 'index-damaged') throw error;
      this.#report(error.code, `index/${id}`, error.message);
      return null;
    }
  }

  /** Lists packs by their headers; a full index file is written on the way, so that memory does not grow. */
  async #readHeaders(packs: readonly (readonly [string, number])[], writer: IndexWriter): Promise<ReadonlySet<string>> {
    const found = new Set<string>();
    let done = 0;
    await inParallel(packs, 4, async ([id, bytes]) => {
      throwIfCancelled(this.#options.signal);
      try {
        await writer.add({ id, blobs: await readPackHeader(this.#repository, id, bytes) });
        found.add(id);
      } catch (error) {
        if (!(error instanceof RangeError) && !(error instanceof FileMissing)) throw error;
        this.#report('pack-damaged', `data/${id}`, `can't be listed: ${reasonOf(error)}`);
      }
      this.#options.onProgress?.(++done, packs.length);
    });
    return found;
  }

  /** A file goes where it lists anything that is not believed, or that another lists too. */
  async #markOld(isBelieved: (id: string) => boolean): Promise<void> {
    for (const id of this.#files) {
      if (this.#old.has(id)) continue;
      const { packs } = await readIndexFile(this.#repository.storage, this.#repository.key, id);
      const isWrong = packs.some((pack) => !isBelieved(pack.id) || this.#claims.get(pack.id)?.isListedTwice === true);
      if (isWrong) this.#old.add(id);
    }
  }

  async #relist(writer: IndexWriter, isBelieved: (id: string) => boolean): Promise<void> {
    const done = new Set<string>();
    for (const id of this.#files) {
      if (!this.#old.has(id) || this.#options.readAllPacks === true) continue;
      throwIfCancelled(this.#options.signal);
      for (const pack of (await readIndexFile(this.#repository.storage, this.#repository.key, id)).packs) {
        if (!isBelieved(pack.id) || done.has(pack.id)) continue;
        done.add(pack.id);
        await writer.add(pack);
      }
    }
    await writer.flush();
  }

  #report(code: string, path: string, message: string): void {
    this.#problems.push({ code, path, message });
  }
}

/** Whether the blobs lie one behind another from the start, as they do in each pack. */
function isDense(blobs: readonly PackEntry[]): boolean {
  let at = 0;
  for (const { offset, length } of blobs.toSorted((a, b) => a.offset - b.offset)) {
    if (offset !== at) return false;
    at += length;
  }
  return true;
}
