/** Tries a storage's calls again, as long as it may help and no longer than allowed. */
import { EngineError, throwIfCancelled } from '../errors.ts';
import type { CallOptions, Storage } from './storage.ts';
import type { Timers } from './timers.ts';
import { describeCall, wrapStorage } from './wrap-storage.ts';
import type { StorageCall } from './wrap-storage.ts';

/** restic's numbers: the first wait, its growth, its spread to both sides, and where it ends growing. */
const FIRST_WAIT_MS = 1000;
const GROWTH = 2;
const JITTER = 0.5;
const LONGEST_WAIT_MS = 60_000;
const DEFAULT_LIMIT_MS = 15 * 60_000;

export type RetryOptions = {
  readonly timers: Timers;
  /** From 0 up to 1. */
  readonly random: () => number;
  /** No attempt begins later than this after the call, but for the first retry. By default 15 minutes. */
  readonly limitMs?: number | undefined;
  /** The same until the storage has answered once: who typed a wrong address should hear of it at once. */
  readonly firstLimitMs?: number | undefined;
  /** Told before each wait. */
  readonly onRetry?: ((retry: StorageRetry) => void) | undefined;
};

/** A call that failed and will be tried again after `waitMs` milliseconds. */
export type StorageRetry = {
  readonly action: string;
  readonly error: EngineError;
  readonly attempt: number;
  readonly waitMs: number;
};

/**
 * Whatever another attempt can mend is tried at least once more. What a failed save left behind is removed before it
 * is tried again: a file of the full length is whole (or was there before) and stays.
 */
export function retryStorage(inner: Storage, options: RetryOptions): Storage {
  const { timers, limitMs = DEFAULT_LIMIT_MS, firstLimitMs = limitMs } = options;
  let hasAnswered = false;
  return wrapStorage(inner, async (call, run, callOptions) => {
    const began = timers.now();
    for (let attempt = 1; ; attempt++) {
      try {
        const result = await run(callOptions);
        hasAnswered = true;
        return result;
      } catch (error) {
        if (!isPassing(error) || callOptions.signal?.aborted === true) throw error;
        const waitMs = waitBefore(attempt, options.random);
        const longestMs = hasAnswered ? limitMs : Math.min(limitMs, firstLimitMs);
        if (attempt > 1 && timers.now() - began + waitMs > longestMs) throw error;
        options.onRetry?.({ action: describeCall(call), error, attempt, waitMs });
        await sleepUnlessCancelled(timers, waitMs, callOptions);
        await removeRest(inner, call, callOptions);
      }
    }
  });
}

/** Whether another attempt may end otherwise. Space does not come back by waiting a few minutes. */
function isPassing(error: unknown): error is EngineError {
  if (!(error instanceof EngineError) || error.retry === 'never') return false;
  // A file that ends too early is as short the next time.
  return error.code !== 'storage-full' && error.code !== 'cancelled' && !(error.cause instanceof RangeError);
}

function waitBefore(attempt: number, random: () => number): number {
  const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * GROWTH ** (attempt - 1));
  return wait * (1 - JITTER + 2 * JITTER * random());
}

async function sleepUnlessCancelled(timers: Timers, ms: number, { signal }: CallOptions): Promise<void> {
  try {
    await timers.sleep(ms, signal);
  } finally {
    throwIfCancelled(signal);
  }
}

async function removeRest(inner: Storage, call: StorageCall, { signal }: CallOptions): Promise<void> {
  if (call.verb !== 'save') return;
  try {
    const bytes = await inner.size(call.file, { signal });
    if (bytes !== null && bytes !== call.bytes) await inner.remove(call.file, { signal });
  } catch (error) {
    // The next attempt meets the same trouble and tells of it.
    if (!(error instanceof EngineError) || error.code === 'cancelled') throw error;
  }
}
