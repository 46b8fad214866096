/**
 * Loads blobs by id on the main thread: for trees, and for reading single files out of a snapshot. Tree packs are
 * small and read whole once (a tree's neighbours are wanted next); of data packs only the range of the blob is read.
 */
import { EngineError, reasonOf } from '../errors.ts';
import type { Problem } from '../errors.ts';
import type { BlobType } from '../format/pack-header.ts';
import type { BlobIndex, BlobPlace } from '../index/blob-index.ts';
import { MAX_PACK_BYTES, TREE_CACHE_BYTES } from '../limits.ts';
import type { Repository } from '../repository.ts';
import { FileMissing } from '../storage/storage.ts';
import type { FileHandle } from '../storage/storage.ts';
import { inParallel } from '../lib/in-parallel.ts';
import { planRanges } from '../restore/pack-ranges.ts';
import type { MasterKey } from '../seal/master-key.ts';
import { findUnlisted, loadReadableIndex } from './unlisted-packs.ts';
import { openBlob, openPieces } from './open-blob.ts';
import type { Pieces } from './open-blob.ts';

/** A pack larger than this is not read whole for one tree. */
const WHOLE_PACK_BYTES = TREE_CACHE_BYTES / 2;
/** Enough that a distant storage answers while a range is opened. */
const RANGES_IN_FLIGHT = 4;

export class BlobReader {
  readonly #repository: Pick<Repository, 'storage' | 'key' | 'listing'>;
  readonly #index: BlobIndex;
  readonly #signal: AbortSignal | undefined;
  readonly #packs = new Map<string, Promise<Buffer>>();
  /** What was passed over, and found elsewhere, of a damaged index. */
  readonly problems: Problem[];
  readonly #isRescuing: boolean;
  #unlisted: Promise<BlobIndex> | undefined;
  #found: BlobIndex | undefined;
  #cachedBytes = 0;

  private constructor(
    repository: Pick<Repository, 'storage' | 'key' | 'listing'>,
    index: BlobIndex,
    signal: AbortSignal | undefined,
    rescued?: Problem[],
  ) {
    this.#repository = repository;
    this.#index = index;
    this.#signal = signal;
    this.problems = rescued ?? [];
    this.#isRescuing = rescued !== undefined;
  }

  /** `signal` ends reads that are under way. */
  static async open(repository: Repository, signal?: AbortSignal): Promise<BlobReader> {
    return new BlobReader(repository, await repository.index(), signal);
  }

  /**
   * For verbs that only read: index files that can't be read are passed over, and what no other lists is looked for in
   * the packs themselves. `problems` tells it.
   */
  static async openRescuing(repository: Repository): Promise<BlobReader> {
    const problems: Problem[] = [];
    return new BlobReader(repository, await loadReadableIndex(repository, problems), undefined, problems);
  }

  /** Whether the index lists a blob. */
  has(type: BlobType, id: string): boolean {
    return this.#find(type, id) !== null;
  }

  #find(type: BlobType, id: string): BlobPlace | null {
    return this.#index.find(type, id) ?? this.#found?.find(type, id) ?? null;
  }

  /** Asked before `place`: where one of the blobs is listed nowhere, packs that no index lists are looked into, once. */
  async ensure(type: BlobType, ids: Iterable<string>): Promise<void> {
    if (!this.#isRescuing || this.#found !== undefined) return;
    for (const id of ids) {
      if (this.#index.find(type, id) !== null) continue;
      this.#found = await (this.#unlisted ??= findUnlisted(this.#repository, this.#index, this.problems));
      return;
    }
  }

  /** Where a blob lies. @throws EngineError `blob-missing`. */
  place(type: BlobType, id: string): BlobPlace {
    const place = this.#find(type, id);
    if (place === null) throw new EngineError('blob-missing', { type, blob: id });
    return place;
  }

  /**
   * The plaintext. What is wrong is read once more, from the storage: it may be the way that spoiled it.
   * @throws EngineError `blob-missing`, `pack-damaged`.
   */
  async read(type: BlobType, id: string): Promise<Buffer> {
    return this.#open(type, id, openBlob);
  }

  /** The plaintext of a listing, which may be huge. @throws EngineError as `read`. */
  async readPieces(tree: string): Promise<Pieces> {
    const made = this.#repository.listing(tree);
    if (made !== undefined) return () => [made];
    return this.#open('tree', tree, openPieces);
  }

  /**
   * Many data blobs at once: those that lie near each other are read in one go. One that is wrong is read by itself, as
   * `read` does. @throws as `read`.
   */
  async readMany(ids: readonly string[]): Promise<Map<string, Buffer>> {
    await this.ensure('data', ids);
    const needs = [...new Set(ids)].map((id) => ({ id, place: this.place('data', id), targets: [] }));
    const blobs = new Map<string, Buffer>();
    await inParallel(planRanges(needs), RANGES_IN_FLIGHT, async ({ pack, offset, length, needs: wanted }) => {
      const range = await this.load(pack, offset, length);
      for (const { id, place } of wanted) {
        const at = place.offset - offset;
        const sealed = range.subarray(at, at + place.length);
        blobs.set(id, this.#tryOpen(id, place, sealed) ?? (await this.read('data', id)));
      }
    });
    return blobs;
  }

  #tryOpen(id: string, place: BlobPlace, sealed: Uint8Array): Buffer | null {
    try {
      return openBlob(this.#repository.key, id, sealed, place.plainBytes);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return null;
    }
  }

  async #open<T>(
    type: BlobType,
    id: string,
    open: (key: MasterKey, id: string, sealed: Uint8Array, plainBytes: number | null) => T,
  ): Promise<T> {
    await this.ensure(type, [id]);
    const place = this.place(type, id);
    try {
      return open(this.#repository.key, id, await this.readSealed(type, place), place.plainBytes);
    } catch (error) {
      const isSpoiled = error instanceof EngineError && error.code === 'pack-damaged';
      if (!isSpoiled && !(error instanceof RangeError)) throw error;
      this.#forget(place.pack);
    }
    const again = await this.load(place.pack, place.offset, place.length);
    try {
      return open(this.#repository.key, id, again, place.plainBytes);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new EngineError('pack-damaged', { file: place.pack, reason: reasonOf(error) }, { cause: error });
    }
  }

  /** The sealed bytes at a place. */
  async readSealed(type: BlobType, place: BlobPlace): Promise<Buffer> {
    const file: FileHandle = { kind: 'data', id: place.pack, ...(type === 'tree' ? { holds: 'trees' as const } : {}) };
    if (type === 'tree') {
      const pack = await this.#wholePack(file);
      if (pack !== null) {
        if (place.offset + place.length > pack.length)
          throw new EngineError('pack-damaged', { file: place.pack, reason: 'it is cut off' });
        return pack.subarray(place.offset, place.offset + place.length);
      }
    }
    return this.#load(file, place.offset, place.length);
  }

  /** A part of a pack, in memory of its own, which may be `into`. @throws EngineError `pack-damaged`. */
  async load(pack: string, offset: number, length: number, into?: ArrayBuffer): Promise<Buffer> {
    return this.#load({ kind: 'data', id: pack }, offset, length, into);
  }

  async #wholePack(file: FileHandle): Promise<Buffer | null> {
    const cached = this.#packs.get(file.id);
    if (cached !== undefined) return cached;
    const bytes = await this.#repository.storage.size(file, { signal: this.#signal });
    if (bytes === null) throw new EngineError('pack-damaged', { file: file.id, reason: 'it is missing' });
    if (bytes > Math.min(WHOLE_PACK_BYTES, MAX_PACK_BYTES)) return null;
    // Between the question above and here another call may have begun the same read.
    const loading = this.#packs.get(file.id) ?? this.#load(file, 0, bytes);
    this.#remember(file.id, loading, bytes);
    return loading;
  }

  #remember(id: string, loading: Promise<Buffer>, bytes: number): void {
    if (this.#packs.has(id)) return;
    this.#packs.set(id, loading);
    this.#cachedBytes += bytes;
    for (const old of this.#packs.keys()) {
      if (this.#cachedBytes <= TREE_CACHE_BYTES || old === id) break;
      this.#forget(old);
    }
  }

  #forget(id: string): void {
    const dropped = this.#packs.get(id);
    this.#packs.delete(id);
    void dropped?.then((pack) => (this.#cachedBytes -= pack.length)).catch(() => undefined);
  }

  async #load(file: FileHandle, offset: number, length: number, into?: ArrayBuffer): Promise<Buffer> {
    try {
      return await this.#repository.storage.load(file, { offset, length }, { signal: this.#signal, into });
    } catch (error) {
      if (error instanceof FileMissing)
        throw new EngineError('pack-damaged', { file: file.id, reason: 'it is missing' }, { cause: error });
      if (error instanceof EngineError && error.cause instanceof RangeError) {
        throw new EngineError('pack-damaged', { file: file.id, reason: 'it is cut off' }, { cause: error });
      }
      throw error;
    }
  }
}
