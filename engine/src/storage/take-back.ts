/** Removes what a verb leaves behind when it ends: a lock, a file that was not finished. */
import { EngineError } from '../errors.ts';
import type { FileHandle, Storage } from './storage.ts';

/** Who cancelled waits no longer than this for it. */
const WAIT_AFTER_CANCEL_MS = 5000;

/** Whether it is gone. Fails for nothing that a storage does: whoever calls this has its own outcome to tell. */
export async function takeBack(storage: Storage, file: FileHandle, signal: AbortSignal | undefined): Promise<boolean> {
  const patience = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const begin = (): void => {
    timer = setTimeout(() => patience.abort(), WAIT_AFTER_CANCEL_MS);
  };
  if (signal?.aborted === true) begin();
  else signal?.addEventListener('abort', begin, { once: true });
  try {
    await storage.remove(file, { signal: patience.signal });
    return true;
  } catch (error) {
    if (error instanceof EngineError) return false;
    throw error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', begin);
  }
}
