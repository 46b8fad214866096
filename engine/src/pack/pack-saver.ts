/** Takes finished packs from the workers: saves each, settles its blobs, lists it for the index. */
import type { BlobIndex } from '../index/blob-index.ts';
import { IndexWriter } from '../index/index-writer.ts';
import type { Repository } from '../repository.ts';
import type { FileHandle } from '../storage/storage.ts';
import type { PackNews } from '../work/seal-chain.ts';

export class PackSaver {
  readonly #repository: Repository;
  readonly #index: BlobIndex;
  readonly #writer: IndexWriter;
  readonly #signal: AbortSignal | undefined;
  readonly #saving = new Set<Promise<void>>();
  readonly blobs = { data: 0, tree: 0 };
  #packBytes = 0;

  /** `signal` ends saves of packs that are under way. */
  constructor(repository: Repository, index: BlobIndex, signal?: AbortSignal) {
    this.#repository = repository;
    this.#index = index;
    this.#signal = signal;
    this.#writer = new IndexWriter(repository);
  }

  /** What was added to the repository so far. */
  get bytesStored(): number {
    return this.#packBytes + this.#writer.bytesWritten;
  }

  /** Resolves when the pack is durable and its buffer is free again. */
  async save(pack: PackNews): Promise<void> {
    const saving = this.#save(pack);
    this.#saving.add(saving);
    try {
      await saving;
    } finally {
      this.#saving.delete(saving);
    }
  }

  /** Waits for all packs that were given in, then writes the rest of the index. */
  async flush(): Promise<void> {
    await Promise.all(this.#saving);
    await this.#writer.flush();
  }

  async #save(pack: PackNews): Promise<void> {
    const file: FileHandle = {
      kind: 'data',
      id: pack.id,
      ...(pack.type === 'tree' ? { holds: 'trees' as const } : {}),
    };
    await this.#repository.storage.save(file, Buffer.from(pack.buffer, 0, pack.length), { signal: this.#signal });
    const number = this.#index.addPack(pack.id);
    for (const entry of pack.entries) this.#index.settle(entry.claim, number, entry);
    this.blobs[pack.type] += pack.entries.length;
    this.#packBytes += pack.length;
    await this.#writer.add({ id: pack.id, blobs: pack.entries });
  }
}
