/**
 * The list of files' check sums, as `sha256sum` writes and reads it, collected while an archive is written. It grows
 * with the site: what is more than fits in memory goes to a file of ours, which has no name.
 */
import { createHash } from 'node:crypto';
import { open, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

const MEMORY_BYTES = 4 * 1024 * 1024;

export class FileSums implements AsyncDisposable {
  lines = 0;
  bytes = 0;
  readonly #directory: string;
  readonly #hash = createHash('sha256');
  #pieces: Buffer[] = [];
  #held = 0;
  #file: FileHandle | null = null;

  /** `directory` is ours alone. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  async add(name: string, sha256: string): Promise<void> {
    // Names with line ends or backslashes are written so that they can be told, with a backslash in front.
    const isPlain = !/[\\\n\r]/.test(name);
    const shown = name.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\r', '\\r');
    const line = Buffer.from(`${isPlain ? '' : '\\'}${sha256}  ${shown}\n`, 'latin1');
    this.#hash.update(line);
    this.lines += 1;
    this.bytes += line.length;
    this.#pieces.push(line);
    this.#held += line.length;
    if (this.#held >= MEMORY_BYTES) await this.#spill();
  }

  digest(): string {
    return this.#hash.copy().digest('hex');
  }

  /** The whole list; nothing is added meanwhile. */
  async *read(): AsyncGenerator<Uint8Array> {
    if (this.#file !== null) {
      let at = 0;
      for (;;) {
        const { bytesRead, buffer } = await this.#file.read(Buffer.allocUnsafe(MEMORY_BYTES), 0, MEMORY_BYTES, at);
        if (bytesRead === 0) break;
        at += bytesRead;
        yield buffer.subarray(0, bytesRead);
      }
    }
    yield Buffer.concat(this.#pieces);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file?.close();
    this.#file = null;
  }

  async #spill(): Promise<void> {
    this.#file ??= await openNameless(this.#directory);
    await this.#file.appendFile(Buffer.concat(this.#pieces));
    this.#pieces = [];
    this.#held = 0;
  }
}

async function openNameless(directory: string): Promise<FileHandle> {
  const path = join(directory, `sums-${process.pid}-${performance.now()}`);
  const file = await open(path, 'wx+', 0o600);
  await rm(path);
  return file;
}
