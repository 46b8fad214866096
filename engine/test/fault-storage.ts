/** Storage that fails at its n-th call, as a disk or a network does: the call has no effect, and none after it has. */
import { EngineError } from '../src/errors.ts';
import type { FileHandle, FileKind, ListedFile, LoadRange, Storage } from '../src/storage/storage.ts';

export class FailingStorage implements Storage {
  readonly location: string;
  readonly #inner: Storage;
  /** Calls that still succeed. */
  #left: number;
  readonly #countsReads: boolean;
  calls = 0;

  /** @param countsReads whether reading calls count and fail too, or only those that change something. */
  constructor(inner: Storage, callsThatSucceed: number, countsReads: boolean = false) {
    this.#inner = inner;
    this.location = inner.location;
    this.#left = callsThatSucceed;
    this.#countsReads = countsReads;
  }

  async create(): Promise<void> {
    this.#step(true, 'create');
    return this.#inner.create();
  }

  async save(file: FileHandle, bytes: Uint8Array): Promise<void> {
    this.#step(true, `save ${file.kind}`);
    return this.#inner.save(file, bytes);
  }

  async load(file: FileHandle, range?: LoadRange): Promise<Buffer> {
    this.#step(false, `load ${file.kind}`);
    return this.#inner.load(file, range);
  }

  async size(file: FileHandle): Promise<number | null> {
    this.#step(false, `look at ${file.kind}`);
    return this.#inner.size(file);
  }

  async list(kind: FileKind): Promise<readonly ListedFile[]> {
    this.#step(false, `list ${kind}`);
    return this.#inner.list(kind);
  }

  async remove(file: FileHandle): Promise<void> {
    this.#step(true, `remove ${file.kind}`);
    return this.#inner.remove(file);
  }

  #step(isChange: boolean, action: string): void {
    if (!isChange && !this.#countsReads) return;
    this.calls += 1;
    if (this.#left-- > 0) return;
    throw new EngineError('storage-failed', { location: this.location, action, reason: 'it is gone' });
  }
}
