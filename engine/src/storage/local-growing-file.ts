/**
 * A pack that is written while it is made: to a temporary file beside packs, past the page cache where the file system
 * can (`O_DIRECT`). What a backup writes is not read again soon, and would push out what the sites of the host are
 * served from; and filling fresh pages of the cache takes more time than the disk does (a virtual machine: 1.8 s of CPU
 * for 1 GB, against 0.05). Direct writes need whole blocks in aligned memory; where those are not at hand, or the file
 * system refuses, the rest of the file goes through the cache.
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { open, rename, unlink } from 'node:fs/promises';
import type { FileHandle as OpenFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { EngineError, systemCode, throwIfCancelled } from '../errors.ts';
import { makeDirectories } from '../libc.ts';
import { nameOf } from './layout.ts';
import { DIRECTORY_MODE, FILE_MODE, isAbsent, syncDirectory } from './local-files.ts';
import { runCall } from './storage-call.ts';
import type { CallOptions, FileHandle, GrowingFile } from './storage.ts';

/** No disk has larger blocks. */
const BLOCK_BYTES = 4096;
const FLAGS = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

export class LocalGrowingFile implements GrowingFile {
  readonly #location: string;
  readonly #temporary: string;
  readonly #pathOf: (file: FileHandle) => string;
  readonly #options: CallOptions;
  #file: OpenFile | null = null;
  #isDirect = true;
  /** Bytes that were appended; the file may have some of a last block more. */
  #length = 0;
  /** What is under way, which a cancelled call does not end. */
  #work: Promise<void> = Promise.resolve();
  #isOver = false;

  constructor(location: string, pathOf: (file: FileHandle) => string, options: CallOptions) {
    this.#location = location;
    this.#pathOf = pathOf;
    this.#options = options;
    // No id, so that listings, ours and restic's, pass over what a crash leaves.
    const random = randomBytes(7).toString('hex');
    this.#temporary = join(location, 'data', random.slice(0, 2), `pack-tmp-${random.slice(2)}`);
  }

  async append(bytes: Uint8Array): Promise<void> {
    await this.#run('write a pack', async () => {
      this.#file ??= await this.#create();
      for (let rest = bytes; rest.length > 0;) {
        throwIfCancelled(this.#options.signal);
        const written = Math.min(await this.#write(rest), rest.length);
        this.#length += written;
        rest = rest.subarray(written);
      }
    });
  }

  async finish(file: FileHandle): Promise<void> {
    await this.#run(`save ${nameOf(file)}`, async () => {
      const path = this.#pathOf(file);
      const handle = (this.#file ??= await this.#create());
      throwIfCancelled(this.#options.signal);
      await handle.truncate(this.#length);
      await handle.sync();
      await handle.chmod(FILE_MODE);
      this.#file = null;
      await handle.close();
      throwIfCancelled(this.#options.signal);
      makeDirectories(dirname(path), DIRECTORY_MODE);
      await rename(this.#temporary, path);
      await syncDirectory(dirname(path));
    });
  }

  async discard(): Promise<void> {
    this.#isOver = true;
    await this.#work.catch(() => undefined);
    await this.#file?.close().catch(() => undefined);
    this.#file = null;
    // Not there any more where it was finished.
    await unlink(this.#temporary).catch(() => undefined);
  }

  async #run(action: string, work: () => Promise<void>): Promise<void> {
    await runCall(this.#location, action, this.#options, async () => {
      if (this.#isOver) throw new EngineError('cancelled');
      await (this.#work = work());
    });
  }

  async #create(): Promise<OpenFile> {
    try {
      return await this.#open(FLAGS | constants.O_DIRECT);
    } catch (error) {
      if (systemCode(error) !== 'EINVAL') throw error;
      // Some file systems make the file before they refuse.
      this.#isDirect = false;
      return this.#open(FLAGS & ~constants.O_EXCL);
    }
  }

  async #open(flags: number): Promise<OpenFile> {
    try {
      return await open(this.#temporary, flags, 0o600);
    } catch (error) {
      if (!isAbsent(error)) throw error;
      makeDirectories(dirname(this.#temporary), DIRECTORY_MODE);
      return open(this.#temporary, flags, 0o600);
    }
  }

  /** Writes some of it behind what is there; how much, up to a block more than there is. */
  async #write(bytes: Uint8Array): Promise<number> {
    const blocks = this.#isDirect && this.#length % BLOCK_BYTES === 0 ? wholeBlocks(bytes) : null;
    if (blocks !== null) {
      try {
        return await this.#writeAt(blocks);
      } catch (error) {
        if (systemCode(error) !== 'EINVAL') throw error;
      }
    }
    if (this.#isDirect) await this.#goThroughCache();
    return this.#writeAt(bytes);
  }

  async #writeAt(bytes: Uint8Array): Promise<number> {
    const written = await this.#file?.write(bytes, 0, bytes.length, this.#length);
    if (written === undefined || written.bytesWritten === 0) throw new Error('nothing was written');
    return written.bytesWritten;
  }

  async #goThroughCache(): Promise<void> {
    const direct = this.#file;
    this.#file = await this.#open(FLAGS & ~(constants.O_CREAT | constants.O_EXCL));
    this.#isDirect = false;
    await direct?.close();
  }
}

/** The bytes up to the end of their last block, where the buffer has that; what is behind them is cut off at the end. */
function wholeBlocks(bytes: Uint8Array): Uint8Array | null {
  const length = Math.ceil(bytes.length / BLOCK_BYTES) * BLOCK_BYTES;
  if (bytes.byteOffset % BLOCK_BYTES !== 0 || bytes.byteOffset + length > bytes.buffer.byteLength) return null;
  return new Uint8Array(bytes.buffer, bytes.byteOffset, length);
}
