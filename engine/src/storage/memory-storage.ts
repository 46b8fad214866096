/** A repository in memory: for tests and simulations. Gone with the process. */
import { isId } from '../ids.ts';
import { nameOf, pathOf } from './layout.ts';
import { endsEarly, expectLoadable, movePieces, runCall } from './storage-call.ts';
import { FileMissing } from './storage.ts';
import type { CallOptions, FileHandle, FileKind, ListedFile, LoadRange, Storage } from './storage.ts';

/** An empty storage that lasts as long as the process; `name` is for messages. */
export function openMemoryStorage(name = 'memory'): Storage {
  return new MemoryStorage(name);
}

class MemoryStorage implements Storage {
  readonly location: string;
  readonly #files = new Map<string, Buffer>();

  constructor(name: string) {
    this.location = `memory:${name}`;
  }

  async create(options: CallOptions = {}): Promise<void> {
    await runCall(this.location, 'create its directories', options, async () => undefined);
  }

  async save(file: FileHandle, bytes: Uint8Array, options: CallOptions = {}): Promise<void> {
    await runCall(this.location, `save ${nameOf(file)}`, options, async () => {
      const path = pathOf(file);
      const copy = Buffer.from(bytes);
      await movePieces(copy.length, options);
      this.#files.set(path, copy);
    });
  }

  async load(file: FileHandle, range?: LoadRange, options: CallOptions = {}): Promise<Buffer> {
    return runCall(this.location, `load ${nameOf(file)}`, options, async () => {
      const whole = this.#files.get(pathOf(file));
      if (whole === undefined) throw new FileMissing(file);
      const { offset, length } = range ?? { offset: 0, length: expectLoadable(whole.length) };
      if (offset + length > whole.length) throw endsEarly(offset + length - whole.length);
      await movePieces(length, options);
      // A slice of the kept bytes would be changed by who writes into it, and lost where it goes to another thread.
      const bytes = Buffer.allocUnsafeSlow(length);
      whole.copy(bytes, 0, offset, offset + length);
      return bytes;
    });
  }

  async size(file: FileHandle, options: CallOptions = {}): Promise<number | null> {
    return runCall(
      this.location,
      `look at ${nameOf(file)}`,
      options,
      async () => this.#files.get(pathOf(file))?.length ?? null,
    );
  }

  async list(kind: FileKind, options: CallOptions = {}): Promise<readonly ListedFile[]> {
    return runCall(this.location, `list ${kind}`, options, async () => {
      const found: ListedFile[] = [];
      for (const [path, bytes] of this.#files) {
        const id = path.slice(path.lastIndexOf('/') + 1);
        if (path.startsWith(`${kind}/`) && isId(id)) found.push({ id, bytes: bytes.length });
      }
      return found;
    });
  }

  async remove(file: FileHandle, options: CallOptions = {}): Promise<void> {
    await runCall(this.location, `remove ${nameOf(file)}`, options, async () => {
      this.#files.delete(pathOf(file));
    });
  }
}
