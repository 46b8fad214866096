/**
 * A repository on a server that speaks SFTP (version 3, with OpenSSH's extensions), laid out as in a directory.
 *
 *   save: temporary name → 32 KiB pieces, many under way → fsync → rename over → fsync of the directory
 *
 * The server must offer fsync and the rename that replaces: without them a save could not keep its promises, and
 * fails with `storage-unsuited`. The host key must be known beforehand; there is no first time that is trusted.
 */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path/posix';
import { EngineError, reasonOf, throwIfCancelled } from '../errors.ts';
import { isId } from '../ids.ts';
import { DIRECTORIES, directoriesOf, nameOf, pathOf } from './layout.ts';
import type { HostTrust } from './known-hosts.ts';
import { FAILURE, NO_SUCH_FILE, PERMISSION_DENIED, SftpConnection, statusOf } from './sftp-connection.ts';
import { SftpPool } from './sftp-pool.ts';
import { endsEarly, expectLoadable, runCall } from './storage-call.ts';
import { FileMissing } from './storage.ts';
import type { CallOptions, FileHandle, FileKind, ListedFile, LoadRange, Storage } from './storage.ts';

export type SftpOptions = {
  readonly host: string;
  readonly port?: number | undefined;
  readonly user: string;
  /** Where it does not begin with `/`, below the user's home. */
  readonly path: string;
  /** A file with a private key in OpenSSH's form. */
  readonly privateKeyFile: string;
  readonly passphrase?: string | undefined;
  readonly trust: HostTrust;
  /** TCP connections at most; by default 5. */
  readonly connections?: number | undefined;
  readonly connectTimeoutMs?: number | undefined;
};

const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o400;
/** The largest that every server takes. */
const PIECE_BYTES = 32 * 1024;
/** 2 MiB under way: 160 Mbit/s at 100 ms of round trip, a connection. */
const PIECES_UNDER_WAY = 64;
const DIRECTORIES_AT_ONCE = 16;
const DEFAULT_CONNECTIONS = 5;
const CONNECT_TIMEOUT_MS = 20_000;

/** Connects when the first call needs it. Closing it (`await using`) ends its connections. */
export function openSftpStorage(options: SftpOptions): Storage & AsyncDisposable {
  return new SftpStorage(options);
}

class SftpStorage implements Storage, AsyncDisposable {
  readonly location: string;
  readonly #root: string;
  readonly #pool: SftpPool;
  /** Whether the server lets directories be opened and synced; null before it was tried. OpenSSH does. */
  #syncsDirectories: boolean | null = null;

  constructor(options: SftpOptions) {
    const port = options.port ?? 22;
    const host = options.host.includes(':') ? `[${options.host}]` : options.host;
    this.location = `sftp://${options.user}@${host}${port === 22 ? '' : `:${port}`}/${options.path}`;
    this.#root = options.path.replace(/(?<=.)\/+$/, '');
    const address = { host: options.host, port, user: options.user, location: this.location };
    this.#pool = new SftpPool(this.location, options.connections ?? DEFAULT_CONNECTIONS, async () => {
      const privateKey = await this.#readKey(options.privateKeyFile);
      const { passphrase, trust, connectTimeoutMs = CONNECT_TIMEOUT_MS } = options;
      return SftpConnection.open(address, { privateKey, passphrase, trust, connectTimeoutMs });
    });
  }

  async create(options: CallOptions = {}): Promise<void> {
    await this.#call('create its directories', options, async (connection) => {
      await makeDirectories(connection, this.#root);
      const [top, below] = [
        DIRECTORIES.filter((name) => !name.includes('/')),
        DIRECTORIES.filter((name) => name.includes('/')),
      ];
      for (const names of [top, below])
        await inLanes(names, DIRECTORIES_AT_ONCE, async (name) => {
          throwIfCancelled(options.signal);
          await makeDirectory(connection, `${this.#root}/${name}`);
        });
      for (const path of [this.#root, `${this.#root}/data`]) await this.#syncDirectory(connection, path);
    });
  }

  async save(file: FileHandle, bytes: Uint8Array, options: CallOptions = {}): Promise<void> {
    await this.#call(`save ${nameOf(file)}`, options, async (connection) => {
      const path = this.#path(file);
      // The temporary name holds no 64 hex digits alone, so that listings pass over what a crash leaves.
      const temporary = `${path}-tmp-${randomBytes(6).toString('hex')}`;
      try {
        await writeDurably(connection, temporary, bytes, options);
        await connection.rename(temporary, path);
        await this.#syncDirectory(connection, dirname(path));
      } catch (error) {
        await connection.remove(temporary).catch(() => undefined);
        throw (await isFull(connection, error, this.#root, bytes.length)) ? this.#full(error) : error;
      }
    });
  }

  async load(file: FileHandle, range?: LoadRange, options: CallOptions = {}): Promise<Buffer> {
    return this.#call(`load ${nameOf(file)}`, options, async (connection) => {
      const handle = await openForReading(connection, this.#path(file), file);
      try {
        const { offset, length } = range ?? { offset: 0, length: expectLoadable((await connection.stat(handle)).size) };
        return await readExactly(connection, handle, offset, length, options);
      } finally {
        // Nothing depends on its outcome, and waiting for it would cost a round trip.
        connection.close(handle).catch(() => undefined);
      }
    });
  }

  async size(file: FileHandle, options: CallOptions = {}): Promise<number | null> {
    return this.#call(`look at ${nameOf(file)}`, options, async (connection) => {
      try {
        return (await connection.stat(this.#path(file))).size;
      } catch (error) {
        if (statusOf(error) === NO_SUCH_FILE) return null;
        throw error;
      }
    });
  }

  async list(kind: FileKind, options: CallOptions = {}): Promise<readonly ListedFile[]> {
    return this.#call(`list ${kind}`, options, async (connection) => {
      const found = new Map<string, number>();
      await inLanes(directoriesOf(kind), DIRECTORIES_AT_ONCE, async (name) => {
        throwIfCancelled(options.signal);
        for (const { filename, attrs } of await readDirectory(connection, `${this.#root}/${name}`))
          if (isId(filename) && attrs.isFile()) found.set(filename, attrs.size);
        await options.onBytes?.(0);
      });
      return Array.from(found, ([id, bytes]) => ({ id, bytes }));
    });
  }

  async remove(file: FileHandle, options: CallOptions = {}): Promise<void> {
    await this.#call(`remove ${nameOf(file)}`, options, async (connection) => {
      try {
        await connection.remove(this.#path(file));
      } catch (error) {
        if (statusOf(error) !== NO_SUCH_FILE) throw error;
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool.close();
  }

  async #call<T>(action: string, options: CallOptions, work: (connection: SftpConnection) => Promise<T>): Promise<T> {
    return runCall(this.location, action, options, async () => {
      try {
        return await this.#pool.run(options.signal, work);
      } catch (error) {
        const context = { location: this.location, action, reason: `the server said "${reasonOf(error)}"` };
        const status = statusOf(error);
        if (status === null) throw error;
        throw new EngineError(status === PERMISSION_DENIED ? 'storage-refused' : 'storage-failed', context, {
          cause: error,
        });
      }
    });
  }

  async #readKey(path: string): Promise<Buffer> {
    try {
      return await readFile(path);
    } catch (error) {
      const context = {
        location: this.location,
        action: 'log in',
        reason: `the private key can't be read: ${reasonOf(error)}`,
      };
      throw new EngineError('storage-refused', context, { cause: error });
    }
  }

  /** Makes a rename survive a loss of power, where the server can. */
  async #syncDirectory(connection: SftpConnection, path: string): Promise<void> {
    if (this.#syncsDirectories === false) return;
    let handle: Buffer;
    try {
      handle = await connection.openFile(path, 'r');
    } catch (error) {
      if (statusOf(error) === null || statusOf(error) === NO_SUCH_FILE) throw error;
      // Servers other than OpenSSH open no directories: what their rename promises is theirs to keep.
      this.#syncsDirectories = false;
      return;
    }
    try {
      await connection.sync(handle);
      this.#syncsDirectories = true;
    } finally {
      await connection.close(handle);
    }
  }

  #full(error: unknown): EngineError {
    return new EngineError('storage-full', { location: this.location }, { cause: error });
  }

  #path(file: FileHandle): string {
    return `${this.#root}/${pathOf(file)}`;
  }
}

async function writeDurably(
  connection: SftpConnection,
  path: string,
  bytes: Uint8Array,
  options: CallOptions,
): Promise<void> {
  const handle = await openNew(connection, path);
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    await movePipelined(bytes.length, options, async (at, length) => connection.write(handle, buffer, at, length, at));
    await connection.sync(handle);
    await options.onBytes?.(0);
    throwIfCancelled(options.signal);
  } finally {
    await connection.close(handle);
  }
}

async function openNew(connection: SftpConnection, path: string): Promise<Buffer> {
  try {
    return await connection.openFile(path, 'wx', FILE_MODE);
  } catch (error) {
    if (statusOf(error) !== NO_SUCH_FILE) throw error;
    // Some writers make the directories of data/ only when they are needed.
    await makeDirectories(connection, dirname(path));
    return connection.openFile(path, 'wx', FILE_MODE);
  }
}

async function openForReading(connection: SftpConnection, path: string, file: FileHandle): Promise<Buffer> {
  try {
    return await connection.openFile(path, 'r');
  } catch (error) {
    if (statusOf(error) === NO_SUCH_FILE) throw new FileMissing(file);
    throw error;
  }
}

async function readExactly(
  connection: SftpConnection,
  handle: Buffer,
  offset: number,
  length: number,
  options: CallOptions,
): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length);
  await movePipelined(length, options, async (start, count) => {
    for (let at = start; at < start + count;) {
      const came = await connection.read(handle, bytes, at, start + count - at, offset + at);
      if (came === 0) throw endsEarly(length - at);
      at += came;
    }
  });
  return bytes;
}

/** Moves all pieces, many under way at once. Settles when none is under way any more: the buffer is free then. */
async function movePipelined(
  length: number,
  options: CallOptions,
  move: (at: number, length: number) => Promise<void>,
): Promise<void> {
  const offsets = function* (): Generator<number> {
    for (let at = 0; at < length; at += PIECE_BYTES) yield at;
  };
  await inLanes(offsets(), PIECES_UNDER_WAY, async (at) => {
    throwIfCancelled(options.signal);
    const piece = Math.min(PIECE_BYTES, length - at);
    await options.onBytes?.(piece);
    await move(at, piece);
    await options.onBytes?.(0);
  });
}

/** Takes items one after another into so many lanes. After a failure no lane takes another; then it is thrown. */
async function inLanes<T>(items: Iterable<T>, lanes: number, work: (item: T) => Promise<void>): Promise<void> {
  const rest = items[Symbol.iterator]();
  let failure: { readonly error: unknown } | undefined;
  const lane = async (): Promise<void> => {
    for (let next = rest.next(); next.done !== true && failure === undefined; next = rest.next()) {
      try {
        await work(next.value);
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  if (failure !== undefined) throw failure.error;
}

async function readDirectory(connection: SftpConnection, path: string): ReturnType<SftpConnection['readDirectory']> {
  try {
    return await connection.readDirectory(path);
  } catch (error) {
    if (statusOf(error) === NO_SUCH_FILE) return [];
    throw error;
  }
}

/** Makes a directory and those above it that are missing. */
async function makeDirectories(connection: SftpConnection, path: string): Promise<void> {
  try {
    await makeDirectory(connection, path);
  } catch (error) {
    const above = dirname(path);
    if (statusOf(error) !== NO_SUCH_FILE || above === path) throw error;
    await makeDirectories(connection, above);
    await makeDirectory(connection, path);
  }
}

async function makeDirectory(connection: SftpConnection, path: string): Promise<void> {
  try {
    await connection.makeDirectory(path, DIRECTORY_MODE);
  } catch (error) {
    if (statusOf(error) === null || statusOf(error) === NO_SUCH_FILE) throw error;
    // SFTP has no status for "exists".
    const facts = await connection.stat(path).catch(() => null);
    if (facts?.isDirectory() !== true) throw error;
  }
}

/** The protocol has no status for a full disk either: where a write failed and there is no room, that is why. */
async function isFull(connection: SftpConnection, error: unknown, path: string, bytes: number): Promise<boolean> {
  if (statusOf(error) !== FAILURE) return false;
  const free = await connection.freeBytes(path);
  return free !== null && free < bytes;
}
