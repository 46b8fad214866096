/** What the storages share: the border where whatever goes wrong becomes an `EngineError`, at once when cancelled. */
import { EngineError, reasonOf, systemCode, throwIfCancelled } from '../errors.ts';
import { MAX_PACK_BYTES } from '../limits.ts';
import { FileMissing, MAX_PIECE_BYTES } from './storage.ts';
import type { CallOptions } from './storage.ts';

const FULL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);
const REFUSED: ReadonlySet<string> = new Set(['EACCES', 'EPERM', 'EROFS']);

/** Runs one call of a storage. `action` is for messages: `save index/0123…`. */
export async function runCall<T>(
  location: string,
  action: string,
  options: CallOptions,
  work: () => Promise<T>,
): Promise<T> {
  throwIfCancelled(options.signal);
  try {
    return await untilAborted(work(), options.signal);
  } catch (error) {
    throw asStorageError(location, action, error);
  }
}

/** What a storage may throw, made out of what was thrown. */
export function asStorageError(location: string, action: string, error: unknown): EngineError | FileMissing {
  if (error instanceof FileMissing || error instanceof EngineError) return error;
  const context = { location, action, reason: reasonOf(error) };
  const code = systemCode(error);
  if (FULL.has(code)) return new EngineError('storage-full', context, { cause: error });
  if (REFUSED.has(code)) return new EngineError('storage-refused', context, { cause: error });
  return new EngineError('storage-failed', context, { cause: error });
}

/** Settles as the work does, or rejects with `cancelled` as soon as the signal says so; the work ends by itself. */
export async function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(new EngineError('cancelled', {}, { cause: signal.reason }));
    signal.addEventListener('abort', abort, { once: true });
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
    if (signal.aborted) abort();
  });
}

/** Tells of bytes piece by piece, `move` (if any) after each: `(offset, length)`. */
export async function movePieces(
  length: number,
  options: CallOptions,
  move: (offset: number, length: number) => void | Promise<void> = () => undefined,
): Promise<void> {
  for (let at = 0; at < length; at += MAX_PIECE_BYTES) {
    throwIfCancelled(options.signal);
    const piece = Math.min(MAX_PIECE_BYTES, length - at);
    await options.onBytes?.(piece);
    await move(at, piece);
  }
}

/** The length of a whole file. @throws Error where that is more than is read whole. */
export function expectLoadable(bytes: number): number {
  if (bytes > MAX_PACK_BYTES) throw new Error(`the file has ${bytes} bytes, more than any that is read whole`);
  return bytes;
}

/** The error of a file that ends too early. */
export function endsEarly(missing: number): RangeError {
  return new RangeError(`the file ends ${missing} bytes too early`);
}
