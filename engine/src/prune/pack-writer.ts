/**
 * Puts blobs into new packs, saves each when it is full, and lists it for the index. Blobs of this repository are
 * taken as they are sealed: where a blob lies in a pack is no part of its seal.
 */
import { hash } from 'node:crypto';
import type { BlobType, PackEntry } from '../format/pack-header.ts';
import { IndexWriter } from '../index/index-writer.ts';
import { openBlob } from '../pack/open-blob.ts';
import { PackBuilder } from '../pack/pack-builder.ts';
import type { Repository } from '../repository.ts';
import { compress, decompress } from '../seal/compress.ts';

/** `PackBuilder` wants the number of a claim in the shared index, which plays no part here. */
const NO_CLAIM = -1;
/** New packs are listed after this many bytes, so that a run that is killed has not written them for nothing. */
const LISTED_AFTER_BYTES = 1024 * 1024 * 1024;

export type WrittenPacks = { readonly packs: number; readonly bytes: number; readonly blobs: number };

export class PackWriter {
  readonly #repository: Pick<Repository, 'storage' | 'key'>;
  readonly #index: IndexWriter;
  readonly #open: Record<BlobType, PackBuilder | null> = { data: null, tree: null };
  #unlistedBytes = 0;
  #packs = 0;
  #bytes = 0;
  #blobs = 0;

  /** `index` gets the listings of the new packs, and is flushed by the caller at the end. */
  constructor(repository: Pick<Repository, 'storage' | 'key'>, index: IndexWriter = new IndexWriter(repository)) {
    this.#repository = repository;
    this.#index = index;
  }

  get written(): WrittenPacks {
    return { packs: this.#packs, bytes: this.#bytes, blobs: this.#blobs };
  }

  /**
   * Takes a blob as it is sealed, once it opened and has the hash that names it.
   * @param sealed the whole sealed blob. With `mustCompress` one that lies uncompressed is compressed.
   * @throws RangeError where the bytes are not this blob: nothing was taken.
   */
  async take(entry: PackEntry, sealed: Uint8Array, mustCompress: boolean = false): Promise<void> {
    const plain = openBlob(this.#repository.key, entry.id, sealed, entry.plainBytes);
    if (mustCompress && entry.plainBytes === null && plain.length > 0) return this.store(entry.type, plain);
    const builder = this.#builder(entry.type);
    builder.appendSealed(sealed, [{ ...entry, offset: 0, claim: NO_CLAIM }]);
    this.#blobs += 1;
    if (builder.isFull) await this.#save(builder);
  }

  /** Seals and takes a plaintext, compressed. */
  async store(type: BlobType, plain: Buffer): Promise<void> {
    const id = hash('sha256', plain, 'hex');
    const frame = compress(plain);
    const builder = this.#builder(type);
    const sealed = builder.append(this.#repository.key, id, frame, plain.length, NO_CLAIM);
    // Read back before it may leave: a fault of memory or of a library must not replace a blob that was whole.
    const opened = this.#repository.key.open(sealed);
    if (opened === null || hash('sha256', decompress(opened, plain.length), 'hex') !== id)
      throw new Error(`the blob ${id} did not open again after it was sealed`);
    this.#blobs += 1;
    if (builder.isFull) await this.#save(builder);
  }

  /** Saves what is open; everything taken is durable then, and listed in the index once that is flushed. */
  async finish(): Promise<void> {
    for (const builder of [this.#open.data, this.#open.tree]) if (builder !== null) await this.#save(builder);
  }

  #builder(type: BlobType): PackBuilder {
    return (this.#open[type] ??= new PackBuilder(type));
  }

  async #save(builder: PackBuilder): Promise<void> {
    this.#open[builder.type] = null;
    const { id, bytes, entries } = builder.finish(this.#repository.key);
    await this.#repository.storage.save({ kind: 'data', id }, bytes);
    this.#packs += 1;
    this.#bytes += bytes.length;
    this.#unlistedBytes += bytes.length;
    await this.#index.add({ id, blobs: entries });
    if (this.#unlistedBytes < LISTED_AFTER_BYTES) return;
    this.#unlistedBytes = 0;
    await this.#index.flush();
  }
}
