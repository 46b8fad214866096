/** Collects which packs were saved and writes index files: one per 50,000 blobs, the rest at the end. */
import { encodeIndex } from '../format/index-file.ts';
import type { PackListing } from '../format/index-file.ts';
import { sealUnpacked } from '../format/unpacked.ts';
import { INDEX_FULL_BLOBS } from '../limits.ts';
import type { Repository } from '../repository.ts';
import { saveHashed } from '../storage/load-verified.ts';

export class IndexWriter {
  readonly #repository: Pick<Repository, 'storage' | 'key'>;
  #packs: PackListing[] = [];
  #blobs = 0;
  /** Bytes of index files written. */
  bytesWritten = 0;

  constructor(repository: Pick<Repository, 'storage' | 'key'>) {
    this.#repository = repository;
  }

  /** Lists a pack that is durable. */
  async add(pack: PackListing): Promise<void> {
    this.#packs.push(pack);
    this.#blobs += pack.blobs.length;
    if (this.#blobs >= INDEX_FULL_BLOBS) await this.flush();
  }

  /** Writes what is listed and not written yet. */
  async flush(): Promise<void> {
    const packs = this.#packs;
    if (packs.length === 0) return;
    this.#packs = [];
    this.#blobs = 0;
    const sealed = sealUnpacked(this.#repository.key, encodeIndex(packs));
    await saveHashed(this.#repository.storage, 'index', sealed);
    this.bytesWritten += sealed.length;
  }
}
