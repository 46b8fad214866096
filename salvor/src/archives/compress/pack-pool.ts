/** Worker threads that pack blocks, as many as there are cores. A worker that dies fails everything that waits. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { BlockJob } from './pack-block.ts';

export type PackReply = {
  readonly id: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The memory that the block came in, to be used again once `bytes` were, which lie in it. */
  readonly block: Uint8Array<ArrayBuffer>;
};

type Waiting = { readonly resolve: (reply: PackReply) => void; readonly reject: (error: unknown) => void };

export class PackPool implements AsyncDisposable {
  readonly size: number;
  readonly #workers: Worker[];
  readonly #waiting = new Map<number, Waiting>();
  #jobs = 0;
  #failure: unknown = null;

  constructor(size: number = availableParallelism()) {
    this.size = Math.max(1, size);
    this.#workers = Array.from({ length: this.size }, () => {
      const worker = new Worker(new URL('./pack-worker.ts', import.meta.url));
      worker.on('message', (reply: PackReply) => {
        this.#waiting.get(reply.id)?.resolve(reply);
        this.#waiting.delete(reply.id);
      });
      worker.on('error', (error) => this.#fail(error));
      worker.on('exit', (code) => this.#fail(new Error(`a thread that packs ended with code ${code}`)));
      return worker;
    });
  }

  /** The block's memory changes hands and comes back with the reply. */
  async pack(job: BlockJob): Promise<PackReply> {
    if (this.#failure !== null) throw this.#failure;
    const id = this.#jobs++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#workers[id % this.size]?.postMessage({ id, job }, [job.bytes.buffer]);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#fail(new Error('the threads that pack were stopped'));
    await Promise.all(this.#workers.map(async (worker) => worker.terminate()));
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#failure);
    this.#waiting.clear();
  }
}
