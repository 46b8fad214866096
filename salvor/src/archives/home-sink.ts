/**
 * An archive in an account's home, written by a process with the account's user: its permissions and its quota hold, and
 * whatever a tenant puts in the way leads nowhere. What root does itself is to set owner and mode, on the very file.
 */
import { fstatSync } from 'node:fs';
import type { AccountHelper, HelperUser } from '../lib/account-helper/open-helper.ts';
import { Handover } from '../lib/account-helper/handover.ts';
import { hold, setMode, setOwner } from '../lib/beneath/held.ts';
import { openRoot } from '../lib/beneath/open-directory.ts';
import { type SafePath, joinSafePath, parseSafePath, showSafePath } from '../lib/beneath/safe-path.ts';
import { spotBeneath } from '../lib/beneath/spot.ts';
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
  #failure: { readonly error: unknown } | null = null;
  #isWritten = false;
  #isNamed = false;

  constructor(options: HomeSinkOptions) {
    this.#options = options;
    this.#path = placeOf(options.directory, options.unfinished);
    const mtimeNs = BigInt(options.time.getTime()) * 1_000_000n;
    this.#writing = options.helper
      .writeFile(this.#path, this.#given.take(), { mode: 0o600, mtimeNs })
      // Whoever writes is not to wait for one who has stopped taking.
      .finally(() => this.#given.leave());
    this.#writing.catch((error: unknown) => {
      this.#failure = { error };
    });
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#failure !== null) throw this.#failure.error;
    // The helper's side holds a piece until it has the next one.
    await this.#given.put(Uint8Array.from(bytes));
  }

  async sync(): Promise<void> {
    this.#given.end();
    await this.#writing;
    this.#isWritten = true;
    this.#settle();
    await this.#options.helper.sync();
  }

  read(): AsyncIterable<Uint8Array> {
    return this.#options.helper.readFile(this.#path);
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
    if (!this.#isWritten) {
      // A file that is cut off is removed by the helper itself.
      this.#given.fail(new SalvorError('cancelled'));
      await this.#writing.catch(() => undefined);
    } else if (!this.#isNamed) await this.#options.helper.remove(this.#path);
  }

  #settle(): void {
    const { user, root: path, mode } = this.#options;
    using root = openRoot(path);
    using spot = spotBeneath(root, this.#path);
    using held = hold(spot, [user.uid]);
    if (held === null) throw new SalvorError('path-missing', { path: `${path}/${showSafePath(this.#path)}` });
    if (process.getuid?.() === 0) setOwner(held, user);
    setMode(held, fstatSync(held.fd).gid === user.gid ? mode : mode & 0o700);
  }
}

function placeOf(directory: SafePath | null, name: string): SafePath {
  return directory === null ? parseSafePath(name) : joinSafePath(directory, name);
}
