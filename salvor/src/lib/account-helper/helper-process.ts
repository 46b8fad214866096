/**
 * The process of a helper and the queue of what it was asked: one request is sent after the other, answers come in the
 * same order. Owns when a helper has failed; knows nothing of what the requests mean.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { SalvorError } from '../../errors.ts';
import type { HelperUser } from './open-helper.ts';
import { type Frame, encodeFrame, readFrames } from './frames.ts';
import { type Answer, type Request, parseAnswer } from './requests.ts';

/** Takes the answers of one request: resolves with true at its last one. What is not taken yet makes the helper wait. */
export type TakeAnswer = (answer: Answer) => boolean | Promise<boolean>;

export type SendFrame = (request: Request, payload?: Uint8Array) => Promise<void>;

type Pending = { readonly take: TakeAnswer; readonly fail: (error: unknown) => void };

const HELPER = fileURLToPath(new URL('helper.ts', import.meta.url));
/** Until it is ready; on a busy machine a process takes its time. */
const START_MS = 60_000;
/** An idle helper ends with its input at once. */
const CLOSE_MS = 2000;
const MAX_LAST_WORDS_BYTES = 2048;

export class HelperProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #signal: AbortSignal | undefined;
  readonly #patienceMs: number;
  readonly #pending: Pending[] = [];
  readonly #ended: Promise<void>;
  readonly #onAbort = (): void => this.fail(this.#signal?.reason);
  /** Requests that were sent to their end and wait for answers. */
  #owed = 0;
  #isReady = false;
  #failure: { readonly error: unknown } | null = null;
  #sending: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #words = '';

  /** No environment, no working directory of ours, no descriptor but the three pipes. */
  constructor(user: HelperUser, options: { readonly signal: AbortSignal | undefined; readonly patienceMs: number }) {
    const groups = user.groups === undefined || user.groups.length === 0 ? '-' : user.groups.join();
    const identity = [user.uid, user.gid, groups, process.pid].map(String);
    this.#child = spawn(process.execPath, ['--no-warnings', HELPER, ...identity], {
      env: {},
      cwd: '/',
      stdio: ['pipe', 'pipe', 'pipe'],
      shell: false,
      detached: false,
    });
    this.#signal = options.signal;
    this.#patienceMs = options.patienceMs;
    this.#signal?.addEventListener('abort', this.#onAbort, { once: true });
    this.#stdin.on('error', () => undefined);
    this.#ended = this.#run();
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  /**
   * Sends a request of one or more frames when those before it are sent; `take` gets its answers. Resolves when it is
   * sent. `patience` lengthens how long an answer may take.
   */
  async request(take: TakeAnswer, send: (write: SendFrame) => Promise<void>): Promise<void> {
    const answered = Promise.withResolvers<void>();
    answered.promise.catch(() => undefined);
    const before = this.#sending;
    const sent = Promise.withResolvers<void>();
    this.#sending = sent.promise;
    await before;
    try {
      this.#requireAlive();
      this.#pending.push({
        take: async (answer) => {
          const isLast = await take(answer);
          if (isLast) answered.resolve();
          return isLast;
        },
        fail: answered.reject,
      });
      await send((frame, payload) => this.#write(frame, payload));
      this.#owed += 1;
      this.#watch();
    } finally {
      sent.resolve();
    }
    await answered.promise;
  }

  /** Ends the process: what was asked and not answered fails with this, and all that is asked from now on. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#child.kill('SIGKILL');
  }

  /** What a helper sends that ours would not. */
  failForNonsense(): never {
    const error = this.#named('it answered what none of ours would');
    this.fail(error);
    throw error;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#failure ??= { error: this.#named('it was closed') };
    this.#stdin.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), this.#pending.length > 0 ? 0 : CLOSE_MS);
    await this.#ended;
    clearTimeout(timer);
  }

  get #stdin(): Writable {
    return this.#child.stdin as Writable;
  }

  async #run(): Promise<void> {
    const closed = new Promise<string>((resolve) => {
      this.#child.once('error', (error) => resolve(error.message));
      this.#child.once('close', (code, signal) =>
        resolve(signal === null ? `it ended with ${code}` : `it was killed by ${signal}`),
      );
    });
    const words = this.#listen();
    let nonsense: unknown = null;
    try {
      for await (const frame of readFrames(this.#child.stdout as Readable)) await this.#deliver(frame);
    } catch (error) {
      nonsense = error;
      this.#child.kill('SIGKILL');
    }
    const outcome = await closed;
    await words;
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener('abort', this.#onAbort);
    const why = nonsense instanceof RangeError ? nonsense.message : outcome;
    this.#failure ??= { error: this.#named(this.#words === '' ? why : `${why}: ${this.#words}`) };
    for (const pending of this.#pending.splice(0)) pending.fail(this.#failure.error);
  }

  async #deliver(frame: Frame): Promise<void> {
    const answer = parseAnswer(frame.header);
    clearTimeout(this.#timer);
    this.#isReady = true;
    if (answer.kind !== 'working' && answer.kind !== 'ready') {
      const pending = this.#pending[0];
      if (pending === undefined) throw new RangeError('it answered what nobody asked');
      if (await pending.take(answer)) {
        this.#pending.shift();
        // One that failed while it was being sent is owed nothing yet.
        this.#owed -= 1;
      }
    }
    this.#watch();
  }

  async #write(request: Request, payload?: Uint8Array): Promise<void> {
    this.#requireAlive();
    const isRoom = encodeFrame(request, payload)
      .map((bytes) => this.#stdin.write(bytes))
      .at(-1);
    if (isRoom !== false) return;
    const waited = setTimeout(() => this.#giveUp(), this.#patienceMs);
    try {
      await Promise.race([once(this.#stdin, 'drain'), this.#ended]);
    } catch {
      // The pipe broke: how the process ended says why.
      await this.#ended;
    } finally {
      clearTimeout(waited);
    }
    this.#requireAlive();
  }

  /** While something is owed, the helper has to show that it lives. */
  #watch(): void {
    clearTimeout(this.#timer);
    const patienceMs = this.#isReady ? this.#patienceMs : Math.max(START_MS, this.#patienceMs);
    if (this.#owed > 0) this.#timer = setTimeout(() => this.#giveUp(), patienceMs);
  }

  #giveUp(): void {
    this.fail(this.#named(`it did nothing for ${Math.round(this.#patienceMs / 1000)} seconds`));
  }

  #requireAlive(): void {
    if (this.#failure !== null) throw this.#failure.error;
  }

  #named(why: string): SalvorError {
    return new SalvorError('helper-failed', { why });
  }

  async #listen(): Promise<void> {
    for await (const bytes of this.#child.stderr as Readable)
      this.#words = `${this.#words}${String(bytes)}`.slice(-MAX_LAST_WORDS_BYTES).trim();
  }
}
