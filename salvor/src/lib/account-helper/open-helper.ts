/**
 * A helper as the agent sees it: a process with an account's user (`helper.ts`) that does in one directory what it is
 * asked, so that permissions and quotas of the account hold, and nothing that a tenant puts there can turn root's hand.
 *
 *   await using helper = await openHelper(account, '/data/disk/o1', { signal });
 *   await helper.writeFile(parseSafePath('backups/x.tar.gz'), bytes, { mode: 0o600, mtimeNs });
 *
 * Requests may be made side by side; they are done in order. What a helper answers is foreign data.
 */
import { createHash } from 'node:crypto';
import { SalvorError } from '../../errors.ts';
import { type SafePath, showSafePath } from '../beneath/safe-path.ts';
import type { OsUser } from '../run.ts';
import { explainFailure } from './explain-failure.ts';
import { Handover } from './handover.ts';
import { MAX_PAYLOAD_BYTES } from './frames.ts';
import { HelperProcess } from './helper-process.ts';
import type { Answer, EntryType, FileMetadata, Request, WireMetadata } from './requests.ts';

/** A user of the system with the groups that it is in, by number. Never root. */
export type HelperUser = OsUser & { readonly groups?: readonly number[] };

export type HelperOptions = {
  readonly signal?: AbortSignal | undefined;
  /** A helper that answers nothing for so long is ended: its tenant can stop it, and must not stop us. */
  readonly patienceMs?: number;
};

/** What could not be set on something that was made: `mode: EPERM` and the like. */
export type NotSet = readonly string[];

export type HomeEntry = {
  readonly name: Buffer;
  readonly type: EntryType;
  readonly bytes: number;
  readonly mode: number;
  readonly mtimeNs: bigint;
};

/** A disk that takes as long for one call has failed. */
const PATIENCE_MS = 5 * 60_000;

/**
 * Starts a helper and opens its directory as its user. Throws `helper-user-refused` for root, `helper-failed`, and what
 * it can't open with the codes of `AccountHelper`.
 */
export async function openHelper(user: HelperUser, root: string, options: HelperOptions = {}): Promise<AccountHelper> {
  options.signal?.throwIfAborted();
  const own = process.getuid?.();
  if (user.uid === 0 || user.gid === 0 || (own !== 0 && own !== user.uid))
    throw new SalvorError('helper-user-refused', { uid: user.uid, gid: user.gid });
  await using opened = new AsyncDisposableStack();
  const started = opened.use(
    new HelperProcess(user, { signal: options.signal, patienceMs: options.patienceMs ?? PATIENCE_MS }),
  );
  const helper = new AccountHelper(started, root);
  await helper.open();
  opened.move();
  return helper;
}

/**
 * All paths lie below the directory that was opened. Codes of what can't be done: `path-taken`, `path-missing`,
 * `path-leads-out`, `home-refused`, `quota-exceeded`, `disk-full`, `not-a-file`, `helper-failed`.
 */
export class AccountHelper implements AsyncDisposable {
  readonly #process: HelperProcess;
  readonly #root: string;

  constructor(process: HelperProcess, root: string) {
    this.#process = process;
    this.#root = root;
  }

  get pid(): number {
    return this.#process.pid;
  }

  async open(): Promise<void> {
    await this.#ask({ op: 'open', root: this.#root }, null);
  }

  /** With `isOwn` an empty directory may be there already. */
  async makeDirectory(path: SafePath, options: { readonly isOwn?: boolean } = {}): Promise<void> {
    const isOwn = options.isOwn === true;
    await this.#ask({ op: 'make-directory', path: encodePath(path), mode: 0o700, isOwn }, path);
  }

  /**
   * Writes a file that was not there, reads it back and compares (`target-differs`); with `isReadBack` false the caller does
   * that. Where it throws nothing of the file is there; what the source throws is thrown. A piece of `MAX_PAYLOAD_BYTES` is
   * in the system's hands when the second one after it is asked for.
   */
  async writeFile(
    path: SafePath,
    bytes: AsyncIterable<Uint8Array> | Uint8Array,
    metadata: FileMetadata,
    { isReadBack = true }: { readonly isReadBack?: boolean } = {},
  ): Promise<NotSet> {
    const hash = isReadBack ? createHash('sha256') : null;
    let answer: Answer | null = null;
    let fault: { readonly error: unknown } | null = null;
    await this.#process.request(
      (given) => {
        answer = given;
        return true;
      },
      async (write) => {
        let request: Request = {
          op: 'write',
          path: encodePath(path),
          metadata: encodeMetadata(metadata),
          isReadBack,
          isLast: false,
        };
        let held: Uint8Array = EMPTY;
        try {
          for await (const part of partsOf(bytes)) {
            // Refused already: the rest need not be read.
            if (answer !== null) break;
            hash?.update(part);
            if (held !== EMPTY) {
              await write(request, held);
              request = { op: 'data', isLast: false };
            }
            held = part;
          }
        } catch (error) {
          fault = { error };
        }
        if (fault === null) return write({ ...request, isLast: true }, held);
        // Half a file that looks whole must not stay.
        if (request.op === 'write') await write(request);
        return write({ op: 'cut' });
      },
    );
    if (fault !== null) throw (fault as { readonly error: unknown }).error;
    const written = this.#require(answer, path, 'written');
    if (written.sha256 !== (hash?.digest('hex') ?? null))
      throw new SalvorError('target-differs', { path: this.#show(path) });
    return written.notSet;
  }

  /** Where the link points to is nobody's business here. */
  async makeLink(path: SafePath, target: Uint8Array): Promise<void> {
    await this.#ask({ op: 'make-link', path: encodePath(path), target: Buffer.from(target).toString('base64') }, path);
  }

  /** Sets mode, times and attributes of what is there: of a directory when all that belongs into it is there. */
  async finish(path: SafePath, metadata: FileMetadata): Promise<NotSet> {
    const request: Request = { op: 'finish', path: encodePath(path), metadata: encodeMetadata(metadata) };
    return this.#require(await this.#ask(request, path), path, 'not-set').notSet;
  }

  /** What lies in a directory, in the order in which the system gives it; null for the one that all lies in. */
  async *list(path: SafePath | null): AsyncGenerator<HomeEntry> {
    const request: Request = { op: 'list', path: path === null ? null : encodePath(path) };
    for await (const answer of this.#follow(request, path))
      for (const entry of this.#require(answer, path, 'entries').entries)
        yield { ...entry, name: Buffer.from(entry.name, 'base64'), mtimeNs: BigInt(entry.mtimeNs) };
  }

  /** Removes what is there with all below it; nothing there is no error. */
  async remove(path: SafePath): Promise<void> {
    await this.#ask({ op: 'remove', path: encodePath(path) }, path);
  }

  /** Gives what is at `from` another name, where nothing may be (`path-taken`). */
  async move(from: SafePath, to: SafePath): Promise<void> {
    await this.#ask({ op: 'move', path: encodePath(from), to: encodePath(to) }, to);
  }

  /** Returns when all that was written lies on the disk. */
  async sync(): Promise<void> {
    await this.#ask({ op: 'sync' }, null);
  }

  /** Ends the process, whatever it is at. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#process[Symbol.asyncDispose]();
  }

  /** One request of one frame, one answer. */
  async #ask(request: Request, path: SafePath | null): Promise<Answer> {
    let answer: Answer | null = null;
    await this.#process.request(
      (given) => {
        answer = given;
        return true;
      },
      (write) => write(request),
    );
    return this.#requireDone(answer, path);
  }

  /** One request, answers up to `done`. The helper waits for the one who takes them, and goes on where he leaves. */
  async *#follow(request: Request, path: SafePath | null): AsyncGenerator<Answer> {
    const given = new Handover<Answer>();
    const ended = this.#process
      .request(
        async (answer) => {
          if (answer.kind !== 'done' && answer.kind !== 'failed') {
            await given.put(answer);
            return false;
          }
          if (answer.kind === 'failed') given.fail(explainFailure(answer.code, this.#show(path)));
          return true;
        },
        (write) => write(request),
      )
      .then(
        () => given.end(),
        (error: unknown) => given.fail(error),
      );
    try {
      yield* given.take();
    } finally {
      given.leave();
      await ended;
    }
  }

  #requireDone(answer: Answer | null, path: SafePath | null): Answer {
    if (answer === null) return this.#process.failForNonsense();
    if (answer.kind === 'failed') throw explainFailure(answer.code, this.#show(path));
    return answer;
  }

  #require<K extends Answer['kind']>(
    answer: Answer | null,
    path: SafePath | null,
    kind: K,
  ): Extract<Answer, { readonly kind: K }> {
    const done = this.#requireDone(answer, path);
    return done.kind === kind ? (done as Extract<Answer, { readonly kind: K }>) : this.#process.failForNonsense();
  }

  #show(path: SafePath | null): string {
    return path === null ? this.#root : `${this.#root}/${showSafePath(path)}`;
  }
}

const EMPTY = new Uint8Array(0);

async function* partsOf(bytes: AsyncIterable<Uint8Array> | Uint8Array): AsyncGenerator<Uint8Array> {
  for await (const piece of bytes instanceof Uint8Array ? [bytes] : bytes)
    for (let at = 0; at < piece.length; at += MAX_PAYLOAD_BYTES) yield piece.subarray(at, at + MAX_PAYLOAD_BYTES);
}

function encodePath(path: SafePath): string {
  return Buffer.from(path).toString('base64');
}

function encodeMetadata({ mode, mtimeNs, attributes = [] }: FileMetadata): WireMetadata {
  const encoded = attributes.map(({ name, value }) => ({ name, value: Buffer.from(value).toString('base64') }));
  return { mode, mtimeNs: mtimeNs.toString(), attributes: encoded };
}
