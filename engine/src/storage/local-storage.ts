/**
 * A repository in a directory, laid out as restic does:
 * `config`, `keys/ID`, `locks/ID`, `snapshots/ID`, `index/ID`, `data/<first two digits>/ID`.
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { open, readdir, rename, stat, unlink } from 'node:fs/promises';
import type { FileHandle as OpenFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { EngineError, reasonOf, systemCode } from '../errors.ts';
import { isId } from '../ids.ts';
import { makeDirectories } from './make-directories.ts';
import { FileMissing } from './storage.ts';
import type { FileHandle, FileKind, ListedFile, LoadRange, Storage } from './storage.ts';

const DIRECTORY_MODE = 0o700;
/** Files are never written twice. */
const FILE_MODE = 0o400;
const FULL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT']);
const KINDS: readonly FileKind[] = ['keys', 'locks', 'snapshots', 'index', 'data'];

/** Opens a directory as storage; whether there is a repository is asked by `openRepository`. */
export function openLocalStorage(directory: string): Storage {
  return new LocalStorage(resolve(directory));
}

class LocalStorage implements Storage {
  readonly location: string;

  constructor(directory: string) {
    this.location = directory;
  }

  async create(): Promise<void> {
    await this.#run('create its directories', async () => {
      makeDirectories(this.location, DIRECTORY_MODE);
      for (const kind of KINDS) makeDirectories(join(this.location, kind), DIRECTORY_MODE);
      for (let i = 0; i < 256; i++) {
        makeDirectories(join(this.location, 'data', i.toString(16).padStart(2, '0')), DIRECTORY_MODE);
      }
      for (const path of [this.location, join(this.location, 'data'), dirname(this.location)])
        await syncDirectory(path);
    });
  }

  async save(file: FileHandle, bytes: Uint8Array): Promise<void> {
    const path = this.#path(file);
    await this.#run(`save ${file.kind}/${file.id}`, async () => {
      // The temporary name holds no 64 hex digits, so that listings, ours and restic's, pass over what a crash leaves.
      const temporary = `${path}-tmp-${randomBytes(6).toString('hex')}`;
      try {
        await writeDurably(temporary, bytes);
        await rename(temporary, path);
      } catch (error) {
        await unlink(temporary).catch(() => undefined);
        throw error;
      }
      await syncDirectory(dirname(path));
    });
  }

  async load(file: FileHandle, range?: LoadRange): Promise<Buffer> {
    return this.#run(`load ${file.kind}/${file.id}`, async () => {
      const handle = await openForReading(this.#path(file), file);
      try {
        const { offset, length } = range ?? { offset: 0, length: (await handle.stat()).size };
        return await readExactly(handle, offset, length);
      } finally {
        await handle.close();
      }
    });
  }

  async size(file: FileHandle): Promise<number | null> {
    return this.#run(`look at ${file.kind}/${file.id}`, async () => {
      try {
        return (await stat(this.#path(file))).size;
      } catch (error) {
        if (isAbsent(error)) return null;
        throw error;
      }
    });
  }

  async list(kind: FileKind): Promise<readonly ListedFile[]> {
    return this.#run(`list ${kind}`, async () => {
      const root = join(this.location, kind);
      if (kind !== 'data') return listDirectory(root);
      const found: ListedFile[] = [];
      for (const name of await namesOf(root)) {
        if (/^[0-9a-f]{2}$/.test(name)) found.push(...(await listDirectory(join(root, name))));
      }
      return found;
    });
  }

  async remove(file: FileHandle): Promise<void> {
    await this.#run(`remove ${file.kind}/${file.id}`, async () => {
      try {
        await unlink(this.#path(file));
      } catch (error) {
        if (!isAbsent(error)) throw error;
      }
    });
  }

  #path(file: FileHandle): string {
    if (file.kind === 'config') return join(this.location, 'config');
    if (!isId(file.id)) throw new RangeError(`not the name of a file: ${file.id}`);
    return file.kind === 'data'
      ? join(this.location, 'data', file.id.slice(0, 2), file.id)
      : join(this.location, file.kind, file.id);
  }

  async #run<T>(action: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof FileMissing || error instanceof EngineError) throw error;
      const context = { location: this.location, action, reason: reasonOf(error) };
      throw new EngineError(FULL.has(systemCode(error)) ? 'storage-full' : 'storage-failed', context, { cause: error });
    }
  }
}

async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
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
    await handle.writeFile(bytes);
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

async function readExactly(handle: OpenFile, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length);
  let at = 0;
  while (at < length) {
    const { bytesRead } = await handle.read(bytes, at, length - at, offset + at);
    if (bytesRead === 0) throw new RangeError(`the file ends ${length - at} bytes too early`);
    at += bytesRead;
  }
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

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const isAbsent = (error: unknown): boolean => systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR';
