import { type FileHandle, open } from 'node:fs/promises';
import { closeSync } from 'node:fs';
import { type OpenDirectory, openRoot } from '../lib/beneath/open-directory.ts';
import { type Spot, createFileAt, lookAt, moveSpot, pathOfSpot, spotIn, unlinkAt } from '../lib/beneath/spot.ts';
import { errnoOf } from '../lib/errno.ts';
import type { ArchiveSink } from './archive-sink.ts';

export type DirectorySinkOptions = {
  /** Absolute, and trusted but for its last part. */
  readonly directory: string;
  /** Of the file. */
  readonly mode: number;
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
  /** Of the file that has no name yet; see `nameUnfinished`. */
  readonly unfinished: string;
};

/** A sink in a directory of ours, or of the user that we are. */
export async function openDirectorySink(options: DirectorySinkOptions): Promise<ArchiveSink> {
  const directory = openRoot(options.directory);
  try {
    const spot = spotIn(directory, options.unfinished);
    closeSync(createFileAt(spot, 0o600));
    const file = await open(pathOfSpot(spot), 'r+');
    const { owner, mode } = options;
    if (owner !== undefined) await file.chown(owner.uid, owner.gid);
    await file.chmod(mode);
    return new DirectorySink(directory, spot, file);
  } catch (error) {
    directory[Symbol.dispose]();
    throw error;
  }
}

class DirectorySink implements ArchiveSink {
  readonly #directory: OpenDirectory;
  readonly #spot: Spot;
  readonly #file: FileHandle;
  #isNamed = false;
  #isClosed = false;
  #length = 0;

  constructor(directory: OpenDirectory, spot: Spot, file: FileHandle) {
    this.#directory = directory;
    this.#spot = spot;
    this.#file = file;
  }

  get descriptor(): number {
    return this.#file.fd;
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const { bytesWritten } = await this.#file.write(bytes, at, bytes.length - at, this.#length);
      at += bytesWritten;
      this.#length += bytesWritten;
    }
  }

  async sync(): Promise<void> {
    await this.#file.sync();
  }

  async publish(name: string): Promise<boolean> {
    try {
      moveSpot(this.#spot, spotIn(this.#directory, name));
    } catch (error) {
      if (errnoOf(error) === 'EEXIST') return false;
      throw error;
    }
    this.#isNamed = true;
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#file.close();
    if (!this.#isNamed && lookAt(this.#spot) !== null) unlinkAt(this.#spot);
    this.#directory[Symbol.dispose]();
  }
}
