/**
 * An archive in an account's home, written by a process with the account's user: its permissions and its quota hold, and
 * whatever a tenant puts in the way leads nowhere. What root does itself is to read it, and to set owner and mode, on the
 * very file.
 */
import { fstatSync } from 'node:fs';
import type { AccountHelper, HelperUser } from '../lib/account-helper/open-helper.ts';
import { MAX_PAYLOAD_BYTES } from '../lib/account-helper/frames.ts';
import { Handover } from '../lib/account-helper/handover.ts';
import { hold, setMode, setOwner } from '../lib/beneath/held.ts';
import { type OpenFile, openFileAt } from '../lib/beneath/read-file.ts';
import { openRoot } from '../lib/beneath/open-directory.ts';
import { type SafePath, joinSafePath, parseSafePath, showSafePath } from '../lib/beneath/safe-path.ts';
import { type OwnSpot, spotBeneath } from '../lib/beneath/spot.ts';
import { SalvorError } from '../errors.ts';
import type { ArchiveSink } from './archive-sink.ts';

export type HomeSinkOptions = {
  readonly helper: AccountHelper;
  readonly user: HelperUser;
  /** What the helper has open. */
  readonly root: string;
  /** Below it; null where it is meant itself. It is there. */
  readonly directory: SafePath | null;
  /** Of the file that has no name yet; see `unfinishedName`. */
  readonly unfinished: string;
  /** Of the file; for its owner alone where its group is not `user.gid`. */
  readonly mode: number;
  readonly time: Date;
};

/** Fails in `write` or `sync` with what the helper fails with: `quota-exceeded`, `disk-full`, `path-leads-out`, … */
export class HomeSink implements ArchiveSink {
  readonly #options: HomeSinkOptions;
  readonly #path: SafePath;
  readonly #given = new Handover<Uint8Array>();
  readonly #writing: Promise<unknown>;
  /** Filled by turns: the helper's side holds a piece until it has the next one. */
  readonly #pieces = [Buffer.allocUnsafeSlow(MAX_PAYLOAD_BYTES), Buffer.allocUnsafeSlow(MAX_PAYLOAD_BYTES)] as const;
  #turn: 0 | 1 = 0;
  #filled = 0;
  #file: OpenFile | null = null;
  #failure: { readonly error: unknown } | null = null;
  #isWritten = false;
  #isNamed = false;

  constructor(options: HomeSinkOptions) {
    this.#options = options;
    this.#path = placeOf(options.directory, options.unfinished);
    const mtimeNs = BigInt(options.time.getTime()) * 1_000_000n;
    this.#writing = options.helper
      .writeFile(this.#path, this.#given.take(), { mode: 0o600, mtimeNs }, { isReadBack: false })
      // Whoever writes is not to wait for one who has stopped taking.
      .finally(() => this.#given.leave());
    this.#writing.catch((error: unknown) => {
      this.#failure = { error };
    });
  }

  get descriptor(): number | null {
    return this.#file?.fd ?? null;
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      if (this.#failure !== null) throw this.#failure.error;
      const piece = this.#pieces[this.#turn];
      const count = Math.min(bytes.length - at, piece.length - this.#filled);
      piece.set(bytes.subarray(at, at + count), this.#filled);
      this.#filled += count;
      at += count;
      if (this.#filled === piece.length) await this.#hand();
    }
    this.#file ??= this.#openEarly();
  }

  async sync(): Promise<void> {
    if (this.#filled > 0) await this.#hand();
    this.#given.end();
    await this.#writing;
    this.#isWritten = true;
    this.#settle();
    await this.#options.helper.sync();
  }

  async publish(name: string): Promise<boolean> {
    const { helper, directory } = this.#options;
    try {
      await helper.move(this.#path, placeOf(directory, name));
    } catch (error) {
      if (error instanceof SalvorError && error.code === 'path-taken') return false;
      throw error;
    }
    this.#isNamed = true;
    await helper.sync();
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#file?.[Symbol.dispose]();
    if (!this.#isWritten) {
      // A file that is cut off is removed by the helper itself.
      this.#given.fail(new SalvorError('cancelled'));
      await this.#writing.catch(() => undefined);
    } else if (!this.#isNamed) await this.#options.helper.remove(this.#path);
  }

  async #hand(): Promise<void> {
    const piece = this.#pieces[this.#turn].subarray(0, this.#filled);
    this.#turn = this.#turn === 0 ? 1 : 0;
    this.#filled = 0;
    await this.#given.put(piece);
  }

  /** What is in the way is told by the helper, which fails at it, or by `#settle`. */
  #openEarly(): OpenFile | null {
    try {
      return this.#open();
    } catch {
      return null;
    }
  }

  /** Null before the helper has made it. */
  #open(): OpenFile | null {
    using spot = this.#spot();
    const file = openFileAt(spot);
    if (file === null || Number(file.stat.uid) === this.#options.user.uid) return file;
    file[Symbol.dispose]();
    throw this.#foreign(file);
  }

  #settle(): void {
    const { user, mode } = this.#options;
    using spot = this.#spot();
    using held = hold(spot, [user.uid]);
    this.#file ??= this.#open();
    if (held === null || this.#file === null) throw new SalvorError('path-missing', { path: this.#shown() });
    // What is read back is what gets the name.
    if (held.stat.ino !== this.#file.stat.ino || held.stat.dev !== this.#file.stat.dev) throw this.#foreign(held);
    if (process.getuid?.() === 0) setOwner(held, user);
    setMode(held, fstatSync(held.fd).gid === user.gid ? mode : mode & 0o700);
  }

  #foreign({ stat }: Pick<OpenFile, 'stat'>): SalvorError {
    return new SalvorError('file-foreign', { path: this.#shown(), uid: Number(stat.uid), links: Number(stat.nlink) });
  }

  #spot(): OwnSpot {
    using root = openRoot(this.#options.root);
    return spotBeneath(root, this.#path);
  }

  #shown(): string {
    return `${this.#options.root}/${showSafePath(this.#path)}`;
  }
}

function placeOf(directory: SafePath | null, name: string): SafePath {
  return directory === null ? parseSafePath(name) : joinSafePath(directory, name);
}
