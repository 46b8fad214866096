import { EngineError, reasonOf, systemCode } from '../errors.ts';
import type { StreamEntry } from './source.ts';

/** The stream's bytes as it yields them; what it throws becomes `source-failed`. */
export async function* readSource(entry: StreamEntry, path: string): AsyncGenerator<Uint8Array> {
  try {
    yield* entry.open();
  } catch (error) {
    if (error instanceof EngineError && systemCode(error) === 'cancelled') throw error;
    throw new EngineError('source-failed', { path, reason: reasonOf(error) }, { cause: error });
  }
}
