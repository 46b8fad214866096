/**
 * Worker threads that pack blocks, as many as there are cores. A worker that dies fails everything that waits.
 *
 * Blocks and what becomes of them lie in memory that all threads share: what changes hands by messages is memory that
 * the receiver's collector counts as new, and for an archive it would go through the whole heap once every few blocks.
 */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { BlockJob } from './pack-block.ts';

/** `target` has room for the packed block. */
export type PackRequest = { readonly id: number; readonly job: BlockJob; readonly target: Uint8Array };
export type PackReply = { readonly id: number; readonly length: number };

type Waiting = { readonly resolve: (length: number) => void; readonly reject: (error: unknown) => void };
type Packer = { readonly worker: Worker; blocks: number };

export class PackPool implements AsyncDisposable {
  readonly size: number;
  readonly #packers: readonly Packer[];
  readonly #waiting = new Map<number, Waiting>();
  #jobs = 0;
  #failure: unknown = null;

  constructor(size: number = availableParallelism()) {
    this.size = Math.max(1, size);
    this.#packers = Array.from({ length: this.size }, () => {
      const packer = { worker: new Worker(new URL('./pack-worker.ts', import.meta.url)), blocks: 0 };
      packer.worker.on('message', ({ id, length }: PackReply) => {
        packer.blocks -= 1;
        this.#waiting.get(id)?.resolve(length);
        this.#waiting.delete(id);
      });
      packer.worker.on('error', (error) => this.#fail(error));
      packer.worker.on('exit', (code) => this.#fail(new Error(`a thread that packs ended with code ${code}`)));
      return packer;
    });
  }

  /** Packs a block into `target`; how many bytes it became. Both lie in shared memory, and are left alone until then. */
  async pack(job: BlockJob, target: Uint8Array): Promise<number> {
    if (this.#failure !== null) throw this.#failure;
    const id = this.#jobs++;
    // Blocks that can't be packed are done at once: who has the fewest before it gets the next.
    const packer = this.#packers.reduce((least, other) => (other.blocks < least.blocks ? other : least));
    packer.blocks += 1;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      const request: PackRequest = { id, job, target };
      packer.worker.postMessage(request, []);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#fail(new Error('the threads that pack were stopped'));
    await Promise.all(this.#packers.map(async ({ worker }) => worker.terminate()));
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#failure);
    this.#waiting.clear();
  }
}
