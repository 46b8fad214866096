/** Binds the calls of a storage to a signal: those of one verb, which all end when it is cancelled. */
import type { Storage } from './storage.ts';
import { wrapStorage } from './wrap-storage.ts';

/** A signal that a call brings along counts as well. */
export function signalStorage(inner: Storage, signal: AbortSignal): Storage {
  return wrapStorage(inner, async (_, run, options) =>
    run({ ...options, signal: options.signal === undefined ? signal : AbortSignal.any([options.signal, signal]) }),
  );
}
