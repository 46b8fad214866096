/** A storage on which one call goes wrong, in the way that is asked for. The others pass through. */
import { EngineError, throwIfCancelled } from '../../src/errors.ts';
import { untilAborted } from '../../src/storage/storage-call.ts';
import type { CallOptions, FileHandle, FileKind, ListedFile, LoadRange, Storage } from '../../src/storage/storage.ts';

/**
 * fail: nothing is done, and an error · lost-reply: all is done, and an error · hang: nothing, until aborted ·
 * short, flip: a load gives too few bytes, or one that is wrong · stale: a list that does not name the newest file.
 * And what lasts from this call on: full: saves find no space · read-only: nothing can be changed · gone: nothing
 * can be done.
 *
 * Wrong bytes that a save stores are no fault here: only reading all data finds them, which is what `check` is for.
 */
export const FAULTS = ['fail', 'lost-reply', 'hang', 'short', 'flip', 'stale', 'full', 'read-only', 'gone'] as const;
export type Fault = (typeof FAULTS)[number];

/** The calls that a fault means something to: only these are counted. */
export const CONCERNED: Readonly<Record<Fault, readonly Verb[]>> = {
  fail: ['create', 'save', 'load', 'size', 'list', 'remove'],
  'lost-reply': ['create', 'save', 'remove'],
  hang: ['create', 'save', 'load', 'size', 'list', 'remove'],
  short: ['load'],
  flip: ['load'],
  stale: ['list'],
  full: ['save'],
  'read-only': ['create', 'save', 'remove'],
  gone: ['create', 'save', 'load', 'size', 'list', 'remove'],
};
const LASTING: ReadonlySet<Fault> = new Set<Fault>(['full', 'read-only', 'gone']);

export type Verb = 'create' | 'save' | 'load' | 'size' | 'list' | 'remove';

export class FaultStorage implements Storage {
  readonly location: string;
  readonly #inner: Storage;
  readonly #fault: Fault;
  readonly #at: number;
  readonly #onHang: () => void;
  readonly #saved: string[] = [];
  readonly #spared: readonly FileKind[];
  #calls = 0;
  /** The first call that met the fault, as `save locks`. */
  hit = '';
  /** All calls, by verb. */
  readonly counts: Record<Verb, number> = { create: 0, save: 0, load: 0, size: 0, list: 0, remove: 0 };

  /**
   * The call number `at`, counted from 1, meets the fault. `onHang` is told when a call begins to hang; listings of
   * the kinds `spared` are always true.
   */
  constructor(
    inner: Storage,
    fault: Fault,
    at: number,
    {
      onHang = () => undefined,
      spared = [],
    }: { readonly onHang?: () => void; readonly spared?: readonly FileKind[] } = {},
  ) {
    this.#spared = spared;
    this.location = inner.location;
    this.#inner = inner;
    this.#fault = fault;
    this.#at = at;
    this.#onHang = onHang;
  }

  /** Whether there was a call number `at`. */
  get wasHit(): boolean {
    return this.#calls >= this.#at;
  }

  async create(options: CallOptions = {}): Promise<void> {
    await this.#call('create', '', options, async () => this.#inner.create(options));
  }

  async save(file: FileHandle, bytes: Uint8Array, options: CallOptions = {}): Promise<void> {
    await this.#call('save', file.kind, options, async () => this.#inner.save(file, bytes, options));
    this.#saved.push(file.id);
  }

  async load(file: FileHandle, range?: LoadRange, options: CallOptions = {}): Promise<Buffer> {
    return this.#call(
      'load',
      file.kind,
      options,
      async () => this.#inner.load(file, range, options),
      (bytes) => {
        if (this.#fault === 'short') return Buffer.from(new Uint8Array(bytes.subarray(0, bytes.length >> 1)).buffer);
        const at = (this.#at * 7919) % Math.max(1, bytes.length);
        if (bytes.length > 0) bytes[at] = (bytes[at] ?? 0) ^ (1 << (this.#at % 8));
        return bytes;
      },
    );
  }

  async size(file: FileHandle, options: CallOptions = {}): Promise<number | null> {
    return this.#call('size', file.kind, options, async () => this.#inner.size(file, options));
  }

  async list(kind: FileKind, options: CallOptions = {}): Promise<readonly ListedFile[]> {
    return this.#call(
      'list',
      kind,
      options,
      async () => this.#inner.list(kind, options),
      (files) => {
        if (this.#spared.includes(kind)) return files;
        const newest = files.findLast(({ id }) => this.#saved.includes(id)) ?? files.at(-1);
        return files.filter((each) => each !== newest);
      },
    );
  }

  async remove(file: FileHandle, options: CallOptions = {}): Promise<void> {
    await this.#call('remove', file.kind, options, async () => this.#inner.remove(file, options));
  }

  async #call<T>(
    verb: Verb,
    kind: string,
    { signal }: CallOptions,
    work: () => Promise<T>,
    spoil: (result: T) => T = (result) => result,
  ): Promise<T> {
    this.counts[verb] += 1;
    if (!CONCERNED[this.#fault].includes(verb)) return work();
    this.#calls += 1;
    if (LASTING.has(this.#fault) ? this.#calls < this.#at : this.#calls !== this.#at) return work();
    this.hit ||= `${verb} ${kind}`;
    switch (this.#fault) {
      case 'fail':
      case 'read-only':
      case 'gone':
        throw this.#error();
      case 'lost-reply':
        await work();
        throw this.#error();
      case 'hang':
        throwIfCancelled(signal);
        this.#onHang();
        return untilAborted(new Promise<T>(() => undefined), signal);
      case 'full':
        throw new EngineError('storage-full', { location: this.location });
      case 'short':
      case 'flip':
      case 'stale':
        return spoil(await work());
      default:
        return this.#fault satisfies never;
    }
  }

  #error(): EngineError {
    return new EngineError('storage-failed', { location: this.location, action: 'work', reason: 'as was asked for' });
  }
}
