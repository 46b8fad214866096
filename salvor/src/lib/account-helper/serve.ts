/** Answers requests one after the other: the helper's side. Knows nothing of users: it does what the system lets it. */
import { createHash } from 'node:crypto';
import { closeSync, readSync, readdirSync, writeSync } from 'node:fs';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { syncFileSystem } from '@salvor/engine/libc';
import { SalvorError } from '../../errors.ts';
import { hold, setAttribute, setMode, setTimes } from '../beneath/held.ts';
import { type OpenDirectory, openDirectory, openRoot, reopenDirectory } from '../beneath/open-directory.ts';
import { openFileAt } from '../beneath/read-file.ts';
import { removeTree } from '../beneath/remove-tree.ts';
import { type SafePath, parseSafePath } from '../beneath/safe-path.ts';
import {
  type OwnSpot,
  type Spot,
  createFileAt,
  lookAt,
  makeDirectoryAt,
  makeLinkAt,
  moveSpot,
  pathOfSpot,
  spotBeneath,
  spotIn,
  unlinkAt,
} from '../beneath/spot.ts';
import { errnoOf } from '../errno.ts';
import { type Frame, MAX_PAYLOAD_BYTES, encodeFrame, readFrames } from './frames.ts';
import type { Answer, ListedEntry, Request, WireMetadata } from './requests.ts';

/** Ends with the source, which is the agent's side of the pipe. */
export async function serve(source: AsyncIterable<Uint8Array>, sink: Writable): Promise<void> {
  const server = new Server(sink);
  await server.answer({ kind: 'ready' });
  for await (const frame of readFrames(source)) await server.take(frame);
}

const ENTRIES_AT_A_TIME = 500;
const BEAT_MS = 2000;

class Server {
  readonly #sink: Writable;
  #root: OpenDirectory | null = null;
  #writing: Writing | null = null;

  constructor(sink: Writable) {
    this.#sink = sink;
  }

  async answer(answer: Answer): Promise<void> {
    const isRoom = encodeFrame(answer)
      .map((bytes) => this.#sink.write(bytes))
      .at(-1);
    if (isRoom === false) await once(this.#sink, 'drain');
  }

  async take({ header, payload }: Frame): Promise<void> {
    const request = header as Request;
    try {
      await this.#do(request, payload);
    } catch (error) {
      await this.answer({ kind: 'failed', code: errnoOf(error) ?? 'failed' });
    }
  }

  async #do(request: Request, payload: Buffer): Promise<void> {
    switch (request.op) {
      case 'open':
        this.#root = openRoot(request.root);
        return this.answer({ kind: 'done' });
      case 'make-directory':
        this.#at(request.path, (spot) => makeDirectory(spot, request.mode, request.isOwn));
        return this.answer({ kind: 'done' });
      case 'write':
        this.#writing = new Writing(() => spotBeneath(this.#opened, decodePath(request.path)), request);
        return this.#write(payload, request.isLast);
      case 'data':
        return this.#write(payload, request.isLast);
      case 'cut':
        return this.#cut();
      case 'make-link':
        this.#at(request.path, (spot) => makeLinkAt(spot, Buffer.from(request.target, 'base64')));
        return this.answer({ kind: 'done' });
      case 'finish':
        return this.answer({
          kind: 'not-set',
          notSet: this.#at(request.path, (spot) => setMetadata(spot, request.metadata)),
        });
      case 'list':
        return this.#list(request.path === null ? null : decodePath(request.path));
      case 'remove': {
        using spot = spotBeneath(this.#opened, decodePath(request.path));
        await this.#beating(() => removeTree(spot));
        return await this.answer({ kind: 'done' });
      }
      case 'move': {
        using to = spotBeneath(this.#opened, decodePath(request.to));
        this.#at(request.path, (spot) => moveSpot(spot, to));
        return await this.answer({ kind: 'done' });
      }
      case 'sync':
        syncFileSystem(this.#opened.fd);
        return this.answer({ kind: 'done' });
      default:
        throw request satisfies never;
    }
  }

  get #opened(): OpenDirectory {
    if (this.#root === null) throw new Error('nothing was opened');
    return this.#root;
  }

  #at<T>(path: string, work: (spot: Spot) => T): T {
    using spot = spotBeneath(this.#opened, decodePath(path));
    return work(spot);
  }

  /** One answer at the end of a file, or at once where it fails; what still comes of it then is thrown away. */
  async #write(payload: Buffer, isLast: boolean): Promise<void> {
    const writing = this.#writing;
    if (writing === null) throw new Error('nothing is being written');
    if (isLast) this.#writing = null;
    const answer = writing.take(payload, isLast);
    if (answer !== null) await this.answer(answer);
  }

  async #cut(): Promise<void> {
    const answer = this.#writing?.cut() ?? null;
    this.#writing = null;
    if (answer !== null) await this.answer(answer);
  }

  /** Says now and then that it is at it. */
  async #beating<T>(work: () => Promise<T>): Promise<T> {
    const timer = setInterval(() => void this.answer({ kind: 'working' }), BEAT_MS);
    try {
      return await work();
    } finally {
      clearInterval(timer);
    }
  }

  async #list(path: SafePath | null): Promise<void> {
    using directory = path === null ? reopenDirectory(this.#opened) : openDirectory(this.#opened, path);
    let entries: ListedEntry[] = [];
    for (const name of readdirSync(`/proc/self/fd/${directory.fd}`, { encoding: 'buffer' })) {
      const stat = lookAt(spotIn(directory, name));
      if (stat === null) continue;
      const type = stat.isFile() ? 'file' : stat.isDirectory() ? 'directory' : stat.isSymbolicLink() ? 'link' : 'other';
      const { size, mode, mtimeNs } = stat;
      entries.push({
        name: name.toString('base64'),
        type,
        bytes: Number(size),
        mode: Number(mode) & 0o7777,
        mtimeNs: mtimeNs.toString(),
      });
      if (entries.length < ENTRIES_AT_A_TIME) continue;
      await this.answer({ kind: 'entries', entries });
      entries = [];
    }
    await this.answer({ kind: 'entries', entries });
    await this.answer({ kind: 'done' });
  }
}

function decodePath(path: string): SafePath {
  return parseSafePath(Buffer.from(path, 'base64'));
}

function makeDirectory(spot: Spot, mode: number, isOwn: boolean): void {
  try {
    makeDirectoryAt(spot, mode);
  } catch (error) {
    if (!isOwn || errnoOf(error) !== 'EEXIST') throw error;
    if (lookAt(spot)?.isDirectory() !== true || readdirSync(pathOfSpot(spot)).length > 0) throw error;
  }
}

type WritingWanted = { readonly metadata: WireMetadata; readonly isReadBack: boolean };

/** A file on its way to the disk: one answer for each. Nothing of it stays where it fails. */
class Writing {
  readonly #wanted: WritingWanted;
  #spot: OwnSpot | null = null;
  #fd: number | null = null;
  #isMade = false;
  #failure: Answer | null = null;
  #isAnswered = false;

  constructor(open: () => OwnSpot, wanted: WritingWanted) {
    this.#wanted = wanted;
    try {
      this.#spot = open();
      this.#fd = createFileAt(this.#spot, 0o600);
      this.#isMade = true;
    } catch (error) {
      this.#fail(error);
    }
  }

  take(payload: Buffer, isLast: boolean): Answer | null {
    try {
      if (this.#failure === null) {
        this.#append(payload);
        if (isLast) return this.#finish();
      }
    } catch (error) {
      this.#fail(error);
    }
    return this.#answerOnce();
  }

  cut(): Answer | null {
    this.#fail(new SalvorError('cancelled'));
    return this.#answerOnce();
  }

  #append(payload: Buffer): void {
    for (let at = 0; this.#fd !== null && at < payload.length;) at += writeSync(this.#fd, payload, at);
  }

  #finish(): Answer {
    if (this.#spot === null || this.#fd === null) throw new Error('nothing is open');
    const fd = this.#fd;
    this.#fd = null;
    // On a file system of the network a quota or a full disk speaks up only here.
    closeSync(fd);
    const sha256 = this.#wanted.isReadBack ? hashFile(this.#spot) : null;
    const notSet = setMetadata(this.#spot, this.#wanted.metadata);
    this.#spot[Symbol.dispose]();
    return { kind: 'written', sha256, notSet };
  }

  #fail(error: unknown): void {
    if (this.#fd !== null) closeSync(this.#fd);
    this.#fd = null;
    try {
      if (this.#isMade && this.#spot !== null) unlinkAt(this.#spot);
    } catch {
      // What it failed with counts.
    }
    this.#isMade = false;
    this.#spot?.[Symbol.dispose]();
    this.#spot = null;
    this.#failure ??= { kind: 'failed', code: errnoOf(error) ?? 'failed' };
  }

  #answerOnce(): Answer | null {
    if (this.#failure === null || this.#isAnswered) return null;
    this.#isAnswered = true;
    return this.#failure;
  }
}

function hashFile(spot: Spot): string {
  using file = openFileAt(spot);
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(MAX_PAYLOAD_BYTES);
  for (;;) {
    const count = file === null ? 0 : readSync(file.fd, buffer, 0, buffer.length, null);
    if (count === 0) return hash.digest('hex');
    hash.update(buffer.subarray(0, count));
  }
}

/** What can't be set is told, and the content stands. It is the tenant's own uid that acts: whose it is need not be asked. */
function setMetadata(spot: Spot, { mode, mtimeNs, attributes }: WireMetadata): readonly string[] {
  const notSet: string[] = [];
  const attempt = (what: string, set: () => void): void => {
    try {
      set();
    } catch (error) {
      notSet.push(`${what}: ${errnoOf(error) ?? 'failed'}`);
    }
  };
  using held = hold(spot, null);
  if (held === null) return ['it is gone'];
  for (const { name, value } of attributes) attempt(name, () => setAttribute(held, name, Buffer.from(value, 'base64')));
  attempt('mode', () => setMode(held, mode));
  attempt('time', () => setTimes(held, { accessNs: BigInt(mtimeNs), modifiedNs: BigInt(mtimeNs) }));
  return notSet;
}
