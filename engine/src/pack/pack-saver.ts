/** Takes packs from the workers, whole or piece by piece: saves each, settles its blobs, lists it for the index. */
import { EngineError } from '../errors.ts';
import type { BlobIndex } from '../index/blob-index.ts';
import { IndexWriter } from '../index/index-writer.ts';
import type { Repository } from '../repository.ts';
import type { FileHandle, GrowingFile } from '../storage/storage.ts';
import type { PackNews } from '../work/seal-chain.ts';

export class PackSaver {
  readonly #repository: Repository;
  readonly #index: BlobIndex;
  readonly #writer: IndexWriter;
  readonly #signal: AbortSignal | undefined;
  readonly #saving = new Set<Promise<void>>();
  /** Packs of which pieces came, by worker and number, and when the last one is written. */
  readonly #growing = new Map<string, { readonly file: GrowingFile; bytes: number; written: Promise<void> }>();
  readonly blobs = { data: 0, tree: 0 };
  #packBytes = 0;
  #isOver = false;

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

  /** Resolves when the piece is written, with the last one the whole pack durable, and its buffer is free again. */
  async save(worker: number, pack: PackNews): Promise<void> {
    const saving = this.#save(`${worker} ${pack.number}`, pack);
    this.#saving.add(saving);
    try {
      await saving;
    } finally {
      this.#saving.delete(saving);
    }
  }

  /** Takes away what was written of packs that will not be finished; nothing is saved from then on. */
  async discard(): Promise<void> {
    this.#isOver = true;
    await Promise.all([...this.#growing.values()].map(async ({ file }) => file.discard()));
    this.#growing.clear();
  }

  /** Waits for all packs that were given in, then writes the rest of the index. */
  async flush(): Promise<void> {
    await Promise.all(this.#saving);
    await this.#writer.flush();
  }

  async #save(key: string, { buffer, length, end }: PackNews): Promise<void> {
    if (this.#isOver) throw new EngineError('cancelled');
    const bytes = Buffer.from(buffer, 0, length);
    const growing = this.#growing.get(key) ?? (end === null ? this.#begin(key) : undefined);
    if (growing !== undefined) await this.#append(growing, bytes);
    if (end === null) return;
    const file: FileHandle = { kind: 'data', id: end.id, ...(end.type === 'tree' ? { holds: 'trees' as const } : {}) };
    if (growing === undefined) await this.#repository.storage.save(file, bytes, { signal: this.#signal });
    else {
      await growing.file.finish(file);
      this.#growing.delete(key);
    }
    const number = this.#index.addPack(end.id);
    for (const entry of end.entries) this.#index.settle(entry.claim, number, entry);
    this.blobs[end.type] += end.entries.length;
    this.#packBytes += growing?.bytes ?? length;
    await this.#writer.add({ id: end.id, blobs: end.entries });
  }

  #begin(key: string): { readonly file: GrowingFile; bytes: number; written: Promise<void> } {
    const file = this.#repository.storage.beginFile?.({ signal: this.#signal });
    if (file === undefined) throw new RangeError(`${this.#repository.location} takes whole packs only`);
    const growing = { file, bytes: 0, written: Promise.resolve() };
    this.#growing.set(key, growing);
    return growing;
  }

  /** Pieces may come faster than they are written. */
  async #append(
    growing: { readonly file: GrowingFile; bytes: number; written: Promise<void> },
    bytes: Buffer,
  ): Promise<void> {
    growing.bytes += bytes.length;
    growing.written = growing.written.then(async () => growing.file.append(bytes));
    await growing.written;
  }
}
