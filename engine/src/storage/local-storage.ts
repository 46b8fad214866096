/**
 * A repository in a directory, laid out as restic does:
 * `config`, `keys/ID`, `locks/ID`, `snapshots/ID`, `index/ID`, `data/<first two digits>/ID`.
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { open, readdir, rename, stat, unlink } from 'node:fs/promises';
import type { FileHandle as OpenFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { throwIfCancelled } from '../errors.ts';
import { makeDirectories } from '../libc.ts';
import { isId } from '../ids.ts';
import { DIRECTORIES, nameOf, pathOf } from './layout.ts';
import { DIRECTORY_MODE, FILE_MODE, isAbsent, syncDirectory } from './local-files.ts';
import { LocalGrowingFile } from './local-growing-file.ts';
import { endsEarly, expectLoadable, movePieces, runCall } from './storage-call.ts';
import { FileMissing } from './storage.ts';
import type { CallOptions, FileHandle, FileKind, GrowingFile, ListedFile, LoadRange, Storage } from './storage.ts';

/** Opens a directory as storage; whether there is a repository is asked by `openRepository`. */
export function openLocalStorage(directory: string): Storage {
  return new LocalStorage(resolve(directory));
}

class LocalStorage implements Storage {
  readonly location: string;

  constructor(directory: string) {
    this.location = directory;
  }

  async create(options: CallOptions = {}): Promise<void> {
    await runCall(this.location, 'create its directories', options, async () => {
      for (const name of ['', ...DIRECTORIES]) {
        throwIfCancelled(options.signal);
        makeDirectories(join(this.location, name), DIRECTORY_MODE);
      }
      for (const path of [this.location, join(this.location, 'data'), dirname(this.location)])
        await syncDirectory(path);
    });
  }

  async save(file: FileHandle, bytes: Uint8Array, options: CallOptions = {}): Promise<void> {
    await runCall(this.location, `save ${nameOf(file)}`, options, async () => {
      const path = this.#path(file);
      // The temporary name holds no 64 hex digits, so that listings, ours and restic's, pass over what a crash leaves.
      const temporary = `${path}-tmp-${randomBytes(6).toString('hex')}`;
      try {
        await writeDurably(temporary, bytes, options);
        await rename(temporary, path);
      } catch (error) {
        await unlink(temporary).catch(() => undefined);
        throw error;
      }
      await syncDirectory(dirname(path));
    });
  }

  beginFile(options: CallOptions = {}): GrowingFile {
    return new LocalGrowingFile(this.location, (file) => this.#path(file), options);
  }

  async load(file: FileHandle, range?: LoadRange, options: CallOptions = {}): Promise<Buffer> {
    return runCall(this.location, `load ${nameOf(file)}`, options, async () => {
      const handle = await openForReading(this.#path(file), file);
      try {
        const { offset, length } = range ?? { offset: 0, length: expectLoadable((await handle.stat()).size) };
        return await readExactly(handle, offset, length, options);
      } finally {
        await handle.close();
      }
    });
  }

  async size(file: FileHandle, options: CallOptions = {}): Promise<number | null> {
    return runCall(this.location, `look at ${nameOf(file)}`, options, async () => {
      try {
        return (await stat(this.#path(file))).size;
      } catch (error) {
        if (isAbsent(error)) return null;
        throw error;
      }
    });
  }

  async list(kind: FileKind, options: CallOptions = {}): Promise<readonly ListedFile[]> {
    return runCall(this.location, `list ${kind}`, options, async () => {
      if (kind === 'config') return [];
      const root = join(this.location, kind);
      if (kind !== 'data') return listDirectory(root);
      const found: ListedFile[] = [];
      for (const name of await namesOf(root)) {
        throwIfCancelled(options.signal);
        if (/^[0-9a-f]{2}$/.test(name)) found.push(...(await listDirectory(join(root, name))));
      }
      return found;
    });
  }

  async remove(file: FileHandle, options: CallOptions = {}): Promise<void> {
    await runCall(this.location, `remove ${nameOf(file)}`, options, async () => {
      try {
        await unlink(this.#path(file));
      } catch (error) {
        if (!isAbsent(error)) throw error;
      }
    });
  }

  #path(file: FileHandle): string {
    return join(this.location, pathOf(file));
  }
}

async function writeDurably(path: string, bytes: Uint8Array, options: CallOptions): Promise<void> {
  let handle: OpenFile;
  try {
    handle = await open(path, 'wx', 0o600);
  } catch (error) {
    if (!isAbsent(error)) throw error;
    // Some writers make the directories of data/ only when they are needed.
    makeDirectories(dirname(path), DIRECTORY_MODE);
    handle = await open(path, 'wx', 0o600);
  }
  try {
    if (options.onBytes === undefined) await handle.writeFile(bytes);
    else
      await movePieces(bytes.length, options, async (at, length) => handle.writeFile(bytes.subarray(at, at + length)));
    throwIfCancelled(options.signal);
    await handle.sync();
    await handle.chmod(FILE_MODE);
  } finally {
    await handle.close();
  }
}

async function openForReading(path: string, file: FileHandle): Promise<OpenFile> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if (isAbsent(error)) throw new FileMissing(file);
    throw error;
  }
}

async function readExactly(handle: OpenFile, offset: number, length: number, options: CallOptions): Promise<Buffer> {
  const { into } = options;
  const isRoomy = into !== undefined && into.byteLength >= length;
  const bytes = isRoomy ? Buffer.from(into, 0, length) : Buffer.allocUnsafeSlow(length);
  const read = async (from: number, count: number): Promise<void> => {
    for (let at = from; at < from + count;) {
      const { bytesRead } = await handle.read(bytes, at, from + count - at, offset + at);
      if (bytesRead === 0) throw endsEarly(length - at);
      at += bytesRead;
    }
  };
  if (options.onBytes === undefined) await read(0, length);
  else await movePieces(length, options, read);
  return bytes;
}

async function listDirectory(directory: string): Promise<ListedFile[]> {
  const found: ListedFile[] = [];
  for (const name of await namesOf(directory)) {
    if (!isId(name)) continue;
    try {
      const facts = await stat(join(directory, name));
      if (facts.isFile()) found.push({ id: name, bytes: facts.size });
    } catch (error) {
      // Removed since the listing: not there, hence not listed.
      if (!isAbsent(error)) throw error;
    }
  }
  return found;
}

async function namesOf(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}
