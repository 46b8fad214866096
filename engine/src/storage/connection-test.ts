/** Tries a storage as a backup would: whether it answers, takes a file, gives it back, lists it and removes it. */
import { hash, randomBytes } from 'node:crypto';
import { EngineError, reasonOf, throwIfCancelled } from '../errors.ts';
import { FileMissing, CONFIG_FILE } from './storage.ts';
import type { FileHandle, Storage } from './storage.ts';

/** The steps of a connection test, in their order. */
export type ConnectionStep = 'connect' | 'write' | 'read' | 'list' | 'delete';

/** Whether a storage can be used, and at which step it can not. */
export type ConnectionVerdict =
  | {
      readonly isUsable: true;
      /** Whether there is a repository already. */
      readonly hasRepository: boolean;
    }
  | {
      readonly isUsable: false;
      /** The step that failed; those before it went well. */
      readonly step: ConnectionStep;
      readonly code: string;
      readonly message: string;
      /** What to do about it. */
      readonly hint: string;
      /** The name of the test's own file where that could not be removed. */
      readonly leftBehind: string | null;
    };

/** Larger than one piece of any protocol, small beside any line. */
const TEST_BYTES = 100_000;

/**
 * Writes one file of random bytes among the packs, where it costs a repository nothing, and removes it.
 * Whatever goes wrong is the verdict. A person waits for it: open the storage with `retryLimitMs: 0`, which tries each
 * call twice. @throws EngineError `cancelled`.
 */
export async function testConnection(
  storage: Storage,
  options: { readonly signal?: AbortSignal } = {},
): Promise<ConnectionVerdict> {
  const bytes = randomBytes(TEST_BYTES);
  const file: FileHandle = { kind: 'data', id: hash('sha256', bytes, 'hex') };
  let step: ConnectionStep = 'connect';
  try {
    const hasRepository = (await storage.size(CONFIG_FILE, options)) !== null;
    step = 'write';
    await storage.save(file, bytes, options);
    step = 'read';
    expect(bytes.equals(await storage.load(file, undefined, options)), 'it gave back other bytes than it was given');
    const part = await storage.load(file, { offset: 40_000, length: 7 }, options);
    expect(bytes.subarray(40_000, 40_007).equals(part), 'it gave another part of the file than was asked for');
    step = 'list';
    const listed = (await storage.list('data', options)).filter(({ id }) => id === file.id);
    expect(listed.length === 1 && listed[0]?.bytes === TEST_BYTES, 'it does not list the file that was just written');
    step = 'delete';
    await storage.remove(file, options);
    expect((await storage.size(file, options)) === null, 'the file is there after it was removed');
    return { isUsable: true, hasRepository };
  } catch (error) {
    const isLeft = step !== 'connect' && !(await isRemoved(storage, file));
    throwIfCancelled(options.signal);
    return { isUsable: false, step, ...describe(storage, step, error), leftBehind: isLeft ? `data/${file.id}` : null };
  }
}

function expect(isTrue: boolean, fault: string): void {
  if (!isTrue) throw new RangeError(fault);
}

async function isRemoved(storage: Storage, file: FileHandle): Promise<boolean> {
  try {
    await storage.remove(file);
    return (await storage.size(file)) === null;
  } catch {
    return false;
  }
}

function describe(
  storage: Storage,
  step: ConnectionStep,
  error: unknown,
): { readonly code: string; readonly message: string; readonly hint: string } {
  const known =
    error instanceof EngineError
      ? error
      : new EngineError('storage-failed', {
          location: storage.location,
          action: `${step} a file`,
          reason: error instanceof FileMissing ? 'the file that was just written is not there' : reasonOf(error),
        });
  return { code: known.code, message: known.message, hint: known.hint };
}
