/** Ends calls of a storage that make no progress: a dead line keeps nobody waiting for ever. */
import { EngineError } from '../errors.ts';
import type { Storage } from './storage.ts';
import type { Timers } from './timers.ts';
import { describeCall, wrapStorage } from './wrap-storage.ts';

/** Long beside any pause of a healthy server, short beside a night. restic's number. */
const DEFAULT_STALL_MS = 5 * 60_000;

export type WatchOptions = { readonly timers: Timers; readonly stallMs?: number | undefined };

/** A call that moved nothing for `stallMs` is aborted and rejects with `storage-stalled`. */
export function watchStorage(inner: Storage, { timers, stallMs = DEFAULT_STALL_MS }: WatchOptions): Storage {
  return wrapStorage(inner, async (call, run, options) => {
    const watch = new Watch(timers, stallMs);
    const attempt = new AbortController();
    const cancel = (): void => attempt.abort(options.signal?.reason);
    options.signal?.addEventListener('abort', cancel, { once: true });
    if (options.signal?.aborted === true) cancel();
    const onBytes = async (bytes: number): Promise<void> => {
      watch.moved();
      // Waiting for one's turn on a limited line is no stall.
      if (options.onBytes !== undefined) await watch.pauseWhile(async () => options.onBytes?.(bytes));
    };
    const running = run({ signal: attempt.signal, onBytes });
    const stalling = watch.stall().then(() => {
      const error = new EngineError('storage-stalled', {
        location: inner.location,
        action: describeCall(call),
        seconds: Math.round(stallMs / 1000),
      });
      attempt.abort(error);
      throw error;
    });
    try {
      return await Promise.race([running, stalling]);
    } finally {
      options.signal?.removeEventListener('abort', cancel);
      watch.end();
      // Whichever of the two lost has nobody left to tell.
      stalling.catch(() => undefined);
      running.catch(() => undefined);
    }
  });
}

class Watch {
  readonly #timers: Timers;
  readonly #stallMs: number;
  readonly #end = new AbortController();
  #last: number;
  #pauses = 0;

  constructor(timers: Timers, stallMs: number) {
    this.#timers = timers;
    this.#stallMs = stallMs;
    this.#last = timers.now();
  }

  moved(): void {
    this.#last = this.#timers.now();
  }

  async pauseWhile(work: () => Promise<void>): Promise<void> {
    this.#pauses += 1;
    try {
      await work();
    } finally {
      this.#pauses -= 1;
      this.moved();
    }
  }

  end(): void {
    this.#end.abort();
  }

  /** Resolves once nothing moved for too long; rejects when the watch ends before. */
  async stall(): Promise<void> {
    for (;;) {
      const idle = this.#pauses > 0 ? 0 : this.#timers.now() - this.#last;
      if (idle >= this.#stallMs) return;
      await this.#timers.sleep(this.#stallMs - idle, this.#end.signal);
    }
  }
}
