/**
 * Reads an archive back while it is written, in a thread of its own (`read-back-worker.ts`): what is there is read as soon
 * as it is there, so that little is left to do when its end is written. Knows what was read, and not what should have been.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { WrittenCompression } from './compress/compression.ts';

/** Check sums are SHA-256, in hex. */
export type ArchiveRead = {
  /** Why it could not be read to its end; null where it could. Then only `bytes` and `sha256` of what was read hold. */
  readonly fault: string | null;
  /** Of the file. */
  readonly bytes: number;
  readonly sha256: string;
  /** All but the manifest; see `MemberSum`. */
  readonly members: { readonly count: number; readonly sha256: string };
  /** Of the content of the last member, where that is called so. */
  readonly manifest: string | null;
};

export type ReadBackWanted = { readonly descriptor: number; readonly compression: WrittenCompression };
export type ReadBackCall = 'more' | 'all';

export class ReadBack implements AsyncDisposable {
  readonly #compression: WrittenCompression;
  #worker: Worker | null = null;
  #read: Promise<ArchiveRead> | null = null;

  constructor(compression: WrittenCompression) {
    this.#compression = compression;
  }

  /** More was written into the file; null where it is not there yet. */
  follow(descriptor: number | null): void {
    if (descriptor === null) return;
    this.#read ??= this.#begin(descriptor);
    this.#call('more');
  }

  /** The whole archive is written. Throws what reading the file failed with. */
  async finish(): Promise<ArchiveRead> {
    if (this.#read === null) throw new Error('an archive is read back that was never there');
    this.#call('all');
    return await this.#read;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker?.terminate();
  }

  #begin(descriptor: number): Promise<ArchiveRead> {
    const workerData: ReadBackWanted = { descriptor, compression: this.#compression };
    const worker = new Worker(new URL('./read-back-worker.ts', import.meta.url), { workerData });
    this.#worker = worker;
    const read = Promise.race([
      once(worker, 'message').then(([message]) => message as ArchiveRead),
      once(worker, 'exit').then(([code]) => Promise.reject(new Error(`the thread that reads back ended with ${code}`))),
    ]);
    // Whoever awaits it learns of a failure; until then it must not bring the process down.
    read.catch(() => undefined);
    return read;
  }

  #call(call: ReadBackCall): void {
    this.#worker?.postMessage(call);
  }
}
