/** A storage on which one call goes wrong, in the way that is asked for. The others pass through. */
import { EngineError } from '../../src/errors.ts';
import type { CallOptions, FileHandle, FileKind, ListedFile, LoadRange, Storage } from '../../src/storage/storage.ts';

/**
 * fail: nothing is done, and an error · lost-reply: all is done, and an error · hang: nothing, until aborted ·
 * full: saves find no space from here on · short, flip: a load gives too few bytes, or one that is wrong ·
 * stale: a list that does not name what was saved last.
 */
export const FAULTS = ['fail', 'lost-reply', 'hang', 'full', 'short', 'flip', 'stale'] as const;
export type Fault = (typeof FAULTS)[number];

export class FaultStorage implements Storage {
  readonly location: string;
  readonly #inner: Storage;
  readonly #fault: Fault;
  readonly #at: number;
  readonly #onHang: () => void;
  readonly #saved: string[] = [];
  /** Calls so far: where this stays at or below `at`, the fault was never met. */
  calls = 0;
  /** Whether it did go wrong: not every fault means something to every call. */
  wasHit = false;

  /** The call number `at`, counted from 1, meets the fault. `onHang` is told when a call begins to hang. */
  constructor(inner: Storage, fault: Fault, at: number, onHang: () => void = () => undefined) {
    this.location = inner.location;
    this.#inner = inner;
    this.#fault = fault;
    this.#at = at;
    this.#onHang = onHang;
  }

  async create(options: CallOptions = {}): Promise<void> {
    await this.#call(options, async () => this.#inner.create(options));
  }

  async save(file: FileHandle, bytes: Uint8Array, options: CallOptions = {}): Promise<void> {
    if (this.#fault === 'full' && this.calls + 1 >= this.#at) {
      this.calls += 1;
      this.wasHit = true;
      throw new EngineError('storage-full', { location: this.location });
    }
    await this.#call(options, async () => this.#inner.save(file, bytes, options));
    this.#saved.push(file.id);
  }

  async load(file: FileHandle, range?: LoadRange, options: CallOptions = {}): Promise<Buffer> {
    const isHit = this.#isNext();
    const bytes = await this.#call(options, async () => this.#inner.load(file, range, options));
    if (!isHit || bytes.length === 0) return bytes;
    if (this.#fault === 'short') {
      this.wasHit = true;
      return Buffer.from(new Uint8Array(bytes.subarray(0, bytes.length >> 1)).buffer);
    }
    if (this.#fault === 'flip') {
      this.wasHit = true;
      const at = (this.#at * 7919) % bytes.length;
      bytes[at] = (bytes[at] ?? 0) ^ (1 << (this.#at % 8));
    }
    return bytes;
  }

  async size(file: FileHandle, options: CallOptions = {}): Promise<number | null> {
    return this.#call(options, async () => this.#inner.size(file, options));
  }

  async list(kind: FileKind, options: CallOptions = {}): Promise<readonly ListedFile[]> {
    const isHit = this.#isNext();
    const files = await this.#call(options, async () => this.#inner.list(kind, options));
    if (!isHit || this.#fault !== 'stale') return files;
    const fresh = new Set(this.#saved.slice(-1));
    this.wasHit = files.some(({ id }) => fresh.has(id));
    return files.filter(({ id }) => !fresh.has(id));
  }

  async remove(file: FileHandle, options: CallOptions = {}): Promise<void> {
    await this.#call(options, async () => this.#inner.remove(file, options));
  }

  #isNext(): boolean {
    return this.calls + 1 === this.#at;
  }

  async #call<T>({ signal }: CallOptions, work: () => Promise<T>): Promise<T> {
    this.calls += 1;
    if (this.calls !== this.#at) return work();
    switch (this.#fault) {
      case 'fail':
        this.wasHit = true;
        throw this.#error();
      case 'lost-reply':
        this.wasHit = true;
        await work();
        throw this.#error();
      case 'hang':
        this.wasHit = true;
        this.#onHang();
        return new Promise<T>((_, reject) => {
          signal?.addEventListener('abort', () => reject(new EngineError('cancelled', {}, { cause: signal.reason })));
        });
      case 'full':
      case 'short':
      case 'flip':
      case 'stale':
        return work();
      default:
        return this.#fault satisfies never;
    }
  }

  #error(): EngineError {
    return new EngineError('storage-failed', { location: this.location, action: 'work', reason: 'as was asked for' });
  }
}
