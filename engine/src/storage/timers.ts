/** Time as the wrappers see it, so that tests have hours in an instant. */
import { setTimeout as sleepFor } from 'node:timers/promises';

/** Time as the wrappers of storages see it, in milliseconds. */
export type Timers = {
  /** Milliseconds that only grow. */
  readonly now: () => number;
  /** Rejects with the signal's reason when that is aborted. */
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
};

export const SYSTEM_TIMERS: Timers = {
  now: () => performance.now(),
  sleep: async (ms, signal) => {
    try {
      await sleepFor(ms, undefined, signal === undefined ? {} : { signal });
    } catch (error) {
      throw signal?.aborted === true ? signal.reason : error;
    }
  },
};
