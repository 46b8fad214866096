/** Binds the calls of a storage to a signal: those of one verb, which all end when it is cancelled. */
import type { CallOptions, Storage } from './storage.ts';
import { wrapStorage } from './wrap-storage.ts';

/** A signal that a call brings along counts as well. */
export function signalStorage(inner: Storage, signal: AbortSignal): Storage {
  const bound = (options: CallOptions = {}): CallOptions => ({
    ...options,
    signal: options.signal === undefined ? signal : AbortSignal.any([options.signal, signal]),
  });
  const wrapped = wrapStorage(inner, async (_, run, options) => run(bound(options)));
  const beginFile = inner.beginFile?.bind(inner);
  return beginFile === undefined ? wrapped : { ...wrapped, beginFile: (options) => beginFile(bound(options)) };
}
