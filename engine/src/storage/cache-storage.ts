/**
 * Keeps copies of what is read again and again on the local disk: index files, snapshots, and packs of listings,
 * all as they are sealed in the repository. Packs of data never.
 *
 *   DIRECTORY/<hash of the repository's config file>/{index,snapshots,data}/ID
 *
 * The config file holds the repository's id, sealed: its hash tells repositories apart before there is a key, and is
 * the same through every address. It is seen when the repository is opened; before that nothing is kept.
 *
 * Every copy is compared with the hash that names it whenever it is read. A copy that is wrong, or can't be written,
 * is as if there were none. What a listing no longer names is removed. `uncached` is what checks must read.
 */
import { hash, randomBytes } from 'node:crypto';
import { readFile, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { throwIfCancelled } from '../errors.ts';
import { makeDirectories } from '../libc.ts';
import { isId } from '../ids.ts';
import { endsEarly } from './storage-call.ts';
import { CONFIG_FILE } from './storage.ts';
import type { CallOptions, FileHandle, FileKind, ListedFile, LoadRange, Storage } from './storage.ts';

export type CacheOptions = {
  readonly directory: string;
  readonly clock: () => Date;
  /** Of all copies of one repository. By default 2 GiB. */
  readonly maxBytes?: number | undefined;
};

const DEFAULT_MAX_BYTES = 2 * 1024 ** 3;
const KEPT_KINDS = ['index', 'snapshots', 'data'] as const satisfies readonly FileKind[];

export function cacheStorage(inner: Storage, options: CacheOptions): Storage {
  return new CacheStorage(inner, options);
}

class CacheStorage implements Storage {
  readonly location: string;
  readonly uncached: Storage;
  readonly #inner: Storage;
  readonly #options: CacheOptions;
  #repository = '';
  #copies: Promise<Copies> | undefined;

  constructor(inner: Storage, options: CacheOptions) {
    this.location = inner.location;
    this.uncached = inner.uncached ?? inner;
    this.#inner = inner;
    this.#options = options;
  }

  async create(options?: CallOptions): Promise<void> {
    await this.#inner.create(options);
  }

  async save(file: FileHandle, bytes: Uint8Array, options?: CallOptions): Promise<void> {
    await this.#inner.save(file, bytes, options);
    // The caller's memory stays as it is until this call has settled, hence until the copy is written.
    if (file.kind === 'config') this.#use(hash('sha256', bytes, 'hex'));
    else if (isKept(file)) {
      const copies = await this.#copies;
      await (hash('sha256', bytes, 'hex') === file.id ? copies?.write(file, bytes) : copies?.remove(file));
    }
  }

  async load(file: FileHandle, range?: LoadRange, options?: CallOptions): Promise<Buffer> {
    if (!isKept(file)) return this.#loadAndLearn(file, range, options);
    throwIfCancelled(options?.signal);
    const copies = await this.#copies;
    const copy = await copies?.read(file);
    if (copy !== undefined && copy !== null) return partOf(copy, range);
    const bytes = await this.#inner.load(file, range, options);
    // A range that happens to be the whole file shows it by its hash.
    if (copies !== undefined && (range?.offset ?? 0) === 0 && hash('sha256', bytes, 'hex') === file.id)
      await copies.write(file, bytes);
    return bytes;
  }

  async size(file: FileHandle, options?: CallOptions): Promise<number | null> {
    return this.#inner.size(file, options);
  }

  async list(kind: FileKind, options?: CallOptions): Promise<readonly ListedFile[]> {
    const files = await this.#inner.list(kind, options);
    await (await this.#copies)?.keepOnly(kind, files);
    return files;
  }

  async remove(file: FileHandle, options?: CallOptions): Promise<void> {
    await this.#inner.remove(file, options);
    await (await this.#copies)?.remove(file);
  }

  async #loadAndLearn(file: FileHandle, range?: LoadRange, options?: CallOptions): Promise<Buffer> {
    const bytes = await this.#inner.load(file, range, options);
    if (file.kind === CONFIG_FILE.kind && range === undefined) this.#use(hash('sha256', bytes, 'hex'));
    return bytes;
  }

  #use(repository: string): void {
    if (repository === this.#repository) return;
    this.#repository = repository;
    const { directory, clock, maxBytes = DEFAULT_MAX_BYTES } = this.#options;
    this.#copies = Copies.open(join(directory, repository), maxBytes, clock);
  }
}

const isKept = (file: FileHandle): boolean =>
  file.kind === 'index' || file.kind === 'snapshots' || (file.kind === 'data' && file.holds === 'trees');

/** A part in memory of its own, as loads give it. */
function partOf(whole: Buffer, range: LoadRange | undefined): Buffer {
  if (range === undefined) return whole;
  const { offset, length } = range;
  if (offset + length > whole.length) throw endsEarly(offset + length - whole.length);
  const part = Buffer.allocUnsafeSlow(length);
  whole.copy(part, 0, offset, offset + length);
  return part;
}

/** The copies of one repository. None of its calls fails: without a copy there is the repository. */
class Copies {
  readonly #directory: string;
  readonly #maxBytes: number;
  readonly #clock: () => Date;
  /** By path; the least used first. */
  readonly #sizes = new Map<string, number>();
  #bytes = 0;

  private constructor(directory: string, maxBytes: number, clock: () => Date) {
    this.#directory = directory;
    this.#maxBytes = maxBytes;
    this.#clock = clock;
  }

  static async open(directory: string, maxBytes: number, clock: () => Date): Promise<Copies> {
    const copies = new Copies(directory, maxBytes, clock);
    const found: { readonly path: string; readonly bytes: number; readonly used: number }[] = [];
    for (const kind of KEPT_KINDS) {
      for (const name of await readdir(join(directory, kind)).catch(() => [])) {
        const path = join(directory, kind, name);
        const facts = await stat(path).catch(() => null);
        if (facts !== null && isId(name)) found.push({ path, bytes: facts.size, used: facts.mtimeMs });
        // What a crash left.
        else await rm(path, { force: true, recursive: true }).catch(() => undefined);
      }
    }
    for (const { path, bytes } of found.sort((a, b) => a.used - b.used)) copies.#note(path, bytes);
    await copies.#shrink();
    return copies;
  }

  async read(file: FileHandle): Promise<Buffer | null> {
    const path = this.#path(file);
    if (!this.#sizes.has(path)) return null;
    const bytes = await readFile(path).catch(() => null);
    if (bytes === null || hash('sha256', bytes, 'hex') !== file.id) {
      await this.#drop(path);
      return null;
    }
    this.#note(path, bytes.length);
    const now = this.#clock();
    await utimes(path, now, now).catch(() => undefined);
    // Readers may hand the memory to another thread: small reads come out of a shared pool.
    return bytes.buffer.byteLength === bytes.length ? bytes : Buffer.from(new Uint8Array(bytes).buffer);
  }

  async write(file: FileHandle, bytes: Uint8Array): Promise<void> {
    if (bytes.length > this.#maxBytes) return;
    const path = this.#path(file);
    const temporary = `${path}-tmp-${randomBytes(6).toString('hex')}`;
    try {
      makeDirectories(dirname(path), 0o700);
      await writeFile(temporary, bytes, { mode: 0o600 });
      await rename(temporary, path);
      this.#note(path, bytes.length);
    } catch {
      await rm(temporary, { force: true }).catch(() => undefined);
    }
    await this.#shrink();
  }

  async remove(file: FileHandle): Promise<void> {
    if (file.kind !== 'config' && isId(file.id)) await this.#drop(this.#path(file));
  }

  /** Drops copies of what the repository no longer has. */
  async keepOnly(kind: FileKind, files: readonly ListedFile[]): Promise<void> {
    const paths = new Set(files.map(({ id }) => this.#path({ kind, id })));
    const root = `${join(this.#directory, kind)}/`;
    const gone = Array.from(this.#sizes.keys()).filter((path) => path.startsWith(root) && !paths.has(path));
    for (const path of gone) await this.#drop(path);
  }

  async #shrink(): Promise<void> {
    for (const path of this.#sizes.keys()) {
      if (this.#bytes <= this.#maxBytes) return;
      await this.#drop(path);
    }
  }

  async #drop(path: string): Promise<void> {
    this.#forget(path);
    await rm(path, { force: true }).catch(() => undefined);
  }

  /** The newest use goes last. */
  #note(path: string, bytes: number): void {
    this.#forget(path);
    this.#sizes.set(path, bytes);
    this.#bytes += bytes;
  }

  #forget(path: string): void {
    this.#bytes -= this.#sizes.get(path) ?? 0;
    this.#sizes.delete(path);
  }

  #path(file: FileHandle): string {
    return join(this.#directory, file.kind, file.id);
  }
}
