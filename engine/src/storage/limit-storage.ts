/** Keeps a storage within bounds: bytes per second up and down, and calls at a time. */
import { throwIfCancelled } from '../errors.ts';
import type { CallOptions, Storage } from './storage.ts';
import type { Timers } from './timers.ts';
import { Turns } from './turns.ts';
import { wrapStorage } from './wrap-storage.ts';

export type LimitOptions = {
  readonly timers: Timers;
  readonly uploadBytesPerSecond?: number | undefined;
  readonly downloadBytesPerSecond?: number | undefined;
  /** Calls at a time; the others wait in their order. */
  readonly calls?: number | undefined;
};

/** All calls share the rates. */
export function limitStorage(inner: Storage, options: LimitOptions): Storage {
  const up = new Pace(options.timers, options.uploadBytesPerSecond);
  const down = new Pace(options.timers, options.downloadBytesPerSecond);
  const turns = new Turns(options.calls ?? Infinity);
  return wrapStorage(inner, async (call, run, callOptions) => {
    const pace = call.verb === 'save' ? up : call.verb === 'load' ? down : null;
    await turns.take(callOptions.signal);
    try {
      return await run(pace === null || !pace.isLimited ? callOptions : paced(pace, callOptions));
    } finally {
      turns.give();
    }
  });
}

function paced(pace: Pace, options: CallOptions): CallOptions {
  return {
    signal: options.signal,
    onBytes: async (bytes) => {
      await options.onBytes?.(bytes);
      await pace.take(bytes, options.signal);
    },
  };
}

/** A rate: each piece books its time after the one before, and goes when that time has come. */
class Pace {
  readonly #timers: Timers;
  readonly #bytesPerMs: number;
  #next = -Infinity;

  constructor(timers: Timers, bytesPerSecond: number | undefined) {
    if (bytesPerSecond !== undefined && !(bytesPerSecond > 0)) throw new RangeError('a rate must be above zero');
    this.#timers = timers;
    this.#bytesPerMs = (bytesPerSecond ?? Infinity) / 1000;
  }

  get isLimited(): boolean {
    return Number.isFinite(this.#bytesPerMs);
  }

  async take(bytes: number, signal: AbortSignal | undefined): Promise<void> {
    const now = this.#timers.now();
    const turn = Math.max(now, this.#next);
    this.#next = turn + bytes / this.#bytesPerMs;
    if (turn <= now) return;
    try {
      await this.#timers.sleep(turn - now, signal);
    } finally {
      throwIfCancelled(signal);
    }
  }
}
