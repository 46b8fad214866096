/**
 * Worker threads that each take one message after another. Jobs go to a chosen worker, because some of them (pieces of
 * one stream) belong together; who is free is asked by `freest`. A worker that dies fails everything that waits.
 */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { ENGINE_ERRORS, EngineError, reasonOf } from '../errors.ts';
import type { EngineErrorCode, ErrorContext } from '../errors.ts';

/** What may change hands between threads. */
export type Transferred = ArrayBuffer | MessagePort;

/** What a worker posts: that all it needs is loaded, an answer, a failure, or news that nobody asked for. */
export type WorkerReply<Answer, News> =
  | { readonly kind: 'ready' }
  | { readonly kind: 'answer'; readonly job: number; readonly answer: Answer }
  | { readonly kind: 'failure'; readonly job: number; readonly failure: WorkerFailure }
  | { readonly kind: 'news'; readonly news: News };

/** An error on its way between threads: classes do not survive it, codes do. */
export type WorkerFailure = { readonly code: string; readonly context: ErrorContext; readonly reason: string };

export type WorkerJob<Job> = { readonly job: number; readonly work: Job };

/** For the worker's side. */
export function describeFailure(error: unknown): WorkerFailure {
  if (error instanceof EngineError) return { code: error.code, context: error.context, reason: error.message };
  return {
    code: 'worker-failed',
    context: { reason: reasonOf(error) },
    reason: error instanceof Error ? (error.stack ?? error.message) : String(error),
  };
}

/** Workers make much that is garbage at once. A large young generation keeps it, and the buffers behind it, for longer. */
const YOUNG_GENERATION_MB = 4;

const isCode = (code: string): code is EngineErrorCode => Object.hasOwn(ENGINE_ERRORS, code);

type Waiting<Answer> = {
  readonly worker: number;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
};

export type PoolOptions<News> = {
  readonly script: URL;
  readonly size?: number | undefined;
  /** What worker number `n` gets at its start, and what of it changes hands. */
  readonly data: (worker: number) => { readonly value: unknown; readonly transfer: readonly Transferred[] };
  readonly onNews: (worker: number, news: News) => void;
};

export class WorkerPool<Job, Answer, News = never> implements AsyncDisposable {
  readonly size: number;
  readonly #workers: Worker[] = [];
  /** Settled when a worker has loaded what it needs, or has ended. */
  readonly #ready: Promise<void>[] = [];
  readonly #load: number[] = [];
  readonly #waiting = new Map<number, Waiting<Answer>>();
  #jobs = 0;
  #failure: unknown;
  #isClosed = false;

  constructor(options: PoolOptions<News>) {
    this.size = Math.max(1, options.size ?? availableParallelism());
    for (let n = 0; n < this.size; n++) {
      const { value, transfer } = options.data(n);
      const worker = new Worker(options.script, {
        workerData: value,
        transferList: [...transfer],
        resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
      });
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#ready.push(promise);
      worker.on('message', (reply: WorkerReply<Answer, News>) => {
        if (reply.kind === 'ready') resolve();
        else this.#receive(n, reply, options.onNews);
      });
      worker.on('error', (error) =>
        this.#fail(new EngineError('worker-failed', { reason: reasonOf(error) }, { cause: error })),
      );
      worker.on('exit', (code) => {
        resolve();
        if (!this.#isClosed) this.#fail(new EngineError('worker-failed', { reason: `it ended with code ${code}` }));
      });
      this.#workers.push(worker);
      this.#load.push(0);
    }
  }

  /** The worker with the fewest jobs before it. */
  get freest(): { readonly worker: number; readonly jobs: number } {
    let worker = 0;
    for (let n = 1; n < this.size; n++) if ((this.#load[n] ?? 0) < (this.#load[worker] ?? 0)) worker = n;
    return { worker, jobs: this.#load[worker] ?? 0 };
  }

  async run(worker: number, work: Job, transfer: readonly Transferred[] = []): Promise<Answer> {
    if (this.#failure !== undefined) throw this.#failure;
    const job = ++this.#jobs;
    this.#load[worker] = (this.#load[worker] ?? 0) + 1;
    return new Promise<Answer>((resolve, reject) => {
      this.#waiting.set(job, { worker, resolve, reject });
      this.#workers[worker]?.postMessage({ job, work } satisfies WorkerJob<Job>, [...transfer]);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#fail(new EngineError('cancelled'));
    // A thread that is ended while it loads a native library takes the whole process along (tried: Node 26.10, koffi 3.3).
    await Promise.all(this.#ready);
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  #receive(
    worker: number,
    reply: Exclude<WorkerReply<Answer, News>, { kind: 'ready' }>,
    onNews: (worker: number, news: News) => void,
  ): void {
    if (reply.kind === 'news') {
      onNews(worker, reply.news);
      return;
    }
    const waiting = this.#waiting.get(reply.job);
    if (waiting === undefined) return;
    this.#waiting.delete(reply.job);
    this.#load[waiting.worker] = (this.#load[waiting.worker] ?? 1) - 1;
    if (reply.kind === 'answer') waiting.resolve(reply.answer);
    else {
      const { code, context, reason } = reply.failure;
      waiting.reject(new EngineError(isCode(code) ? code : 'worker-failed', context, { cause: new Error(reason) }));
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    for (const waiting of this.#waiting.values()) waiting.reject(this.#failure);
    this.#waiting.clear();
  }
}
