/**
 * Child processes. Owns how one is started, fed, read, stopped and reaped; knows nothing of what it does.
 *
 *   no shell · arguments as a list · an environment of two variables · never detached
 *   bytes in and out with back-pressure · the last words of stderr kept, secrets struck out
 *   killed with us: the kernel sends SIGKILL when our process dies, so that nothing works on unseen
 *
 * Every child starts through `setpriv` of util-linux, which becomes the command (same process id): it
 * sets the death signal and, where a user is named, drops uid, gid, groups, capabilities and the way
 * back to them (no_new_privs).
 */
import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { statSync } from 'node:fs';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { SalvorError } from '../errors.ts';

/** A user of the operating system, by number: names are looked up where the user is chosen. */
export type OsUser = {
  readonly uid: number;
  readonly gid: number;
  /** Further groups that it is in; none by default. */
  readonly groups?: readonly number[];
};

/** The user without rights that every Debian has; what interprets foreign data runs as it. */
export const NOBODY: OsUser = { uid: 65_534, gid: 65_534 };

export type RunOptions = {
  readonly args: readonly string[];
  /** Read as the child takes it. A source that throws stops the child; its error is then the outcome. */
  readonly stdin?: AsyncIterable<Uint8Array>;
  /** Descriptors that the child gets as 3, 4, …; the caller closes its own side after the start. */
  readonly descriptors?: readonly number[];
  readonly user?: OsUser;
  readonly cwd?: string;
  /** Added to PATH and LANG, the only variables that a child gets of ours. Never a secret. */
  readonly env?: Readonly<Record<string, string>>;
  /** Struck out of the tool's words wherever they would appear. */
  readonly secrets?: readonly string[];
  /** Told what the child writes to stderr, as it comes. */
  readonly onWords?: (bytes: Uint8Array) => void;
  /** SIGTERM, and SIGKILL `killAfterMs` later; then nothing is waited for that a child of the child holds open. */
  readonly signal?: AbortSignal | undefined;
  readonly killAfterMs?: number;
};

export type Run = AsyncDisposable & {
  readonly pid: number;
  /** What the command prints; ends only after the command ended well, and throws what `finished` throws. */
  readonly stdout: AsyncIterable<Uint8Array>;
  /** Settles when the process is reaped. Throws 'command-failed', 'command-missing', or the signal's reason. */
  readonly finished: Promise<void>;
};

/** A tool's last words are enough to act on; its whole stderr may be as long as its input. */
const MAX_LAST_WORDS_BYTES = 8192;
const DEFAULT_KILL_AFTER_MS = 2000;
/** Where programs are looked for. */
export const PROGRAM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Where a command of this name would be found; null for nowhere. */
export function findCommand(name: string): string | null {
  const paths = PROGRAM_PATH.split(':').map((directory) => `${directory}/${name}`);
  return paths.find((path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true) ?? null;
}

/**
 * Starts a command. Read `stdout` to its end, or await `finished` after reading; disposing stops and reaps it.
 *
 *   await using dump = openRun('mariadb-dump', { args: ['--version'] });
 *   for await (const bytes of dump.stdout) …
 */
export function openRun(command: string, options: RunOptions): Run {
  options.signal?.throwIfAborted();
  const stdio: StdioOptions = [options.stdin ? 'pipe' : 'ignore', 'pipe', 'pipe', ...(options.descriptors ?? [])];
  const child = spawn('setpriv', [...dropRights(options.user), '--', command, ...options.args], {
    env: { PATH: PROGRAM_PATH, LANG: 'C.UTF-8', ...options.env },
    cwd: options.cwd ?? '/',
    stdio,
    shell: false,
    detached: false,
  });
  const process = new StartedProcess(command, child, options);
  return {
    pid: child.pid ?? -1,
    stdout: process.readOutput(),
    finished: process.finished,
    [Symbol.asyncDispose]: () => process.stop(),
  };
}

/** Runs a command to its end and gives back what it printed, which must fit in `maxBytes`. */
export async function run(command: string, options: RunOptions & { readonly maxBytes?: number }): Promise<Buffer> {
  const maxBytes = options.maxBytes ?? 1024 * 1024;
  await using started = openRun(command, options);
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const bytes of started.stdout) {
    length += bytes.byteLength;
    if (length > maxBytes) {
      throw new SalvorError('command-failed', {
        command,
        outcome: `it printed more than ${maxBytes} bytes`,
        words: '',
      });
    }
    pieces.push(bytes);
  }
  return Buffer.concat(pieces);
}

function dropRights(user: OsUser | undefined): string[] {
  const args = ['--pdeathsig', 'KILL'];
  if (user !== undefined) {
    const groups = user.groups ?? [];
    args.push(`--reuid=${user.uid}`, `--regid=${user.gid}`, '--no-new-privs');
    args.push(groups.length === 0 ? '--clear-groups' : `--groups=${groups.join()}`);
    args.push('--inh-caps=-all', '--bounding-set=-all');
  }
  return args;
}

class StartedProcess {
  readonly finished: Promise<void>;
  readonly #command: string;
  readonly #child: ChildProcess;
  readonly #options: RunOptions;
  #words = Buffer.alloc(0);
  #isStopped = false;
  #sourceError: unknown;
  #killTimer: NodeJS.Timeout | undefined;

  constructor(command: string, child: ChildProcess, options: RunOptions) {
    this.#command = command;
    this.#child = child;
    this.#options = options;
    // Node throws away what nobody waits for when a child ends: what it printed would be lost to a slow reader.
    child.stdout?.on('readable', () => undefined);
    this.finished = this.#settle();
    // Whoever reads stdout to its end or disposes learns the outcome there; alone it must not bring the process down.
    this.finished.catch(() => undefined);
  }

  async *readOutput(): AsyncGenerator<Uint8Array> {
    const stdout = this.#child.stdout as Readable;
    try {
      for await (const bytes of stdout) yield bytes as Uint8Array;
    } catch (error) {
      // A stream cut by our own kill says so in its own way; the outcome of the process says why.
      await this.finished;
      throw error;
    }
    await this.finished;
  }

  /** Stops and reaps; what it ended with is of no interest any more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#terminate();
    this.#child.stdout?.destroy();
    await this.finished.catch(() => undefined);
  }

  async #settle(): Promise<void> {
    const { signal } = this.#options;
    const onAbort = (): void => this.#terminate();
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      const [outcome] = await Promise.all([this.#waitForExit(), this.#feed(), this.#listen()]);
      if (signal?.aborted === true) throw signal.reason;
      if (this.#sourceError !== undefined) throw this.#sourceError;
      if (outcome !== null && !this.#isStopped) throw this.#failure(outcome);
    } finally {
      signal?.removeEventListener('abort', onAbort);
      clearTimeout(this.#killTimer);
    }
  }

  /** null when the command ended with 0, else how it ended. */
  #waitForExit(): Promise<string | null> {
    const { promise, resolve } = Promise.withResolvers<string | null>();
    this.#child.once('error', (error) => {
      resolve(error.message);
      this.#child.stdout?.destroy();
    });
    this.#child.once('exit', (code, signal) => {
      resolve(code === 0 ? null : signal === null ? `it ended with ${code}` : `it was killed by ${signal}`);
    });
    return promise;
  }

  async #feed(): Promise<void> {
    const { stdin } = this.#options;
    if (stdin === undefined) return;
    let fromSource: unknown;
    const source = async function* (): AsyncGenerator<Uint8Array> {
      const iterator = stdin[Symbol.asyncIterator]();
      // By hand: the pipeline throws a broken pipe into what it reads from, which is not the source's failure.
      try {
        for (;;) {
          const next = await iterator.next().catch((error: unknown) => {
            fromSource = error;
            throw error;
          });
          if (next.done === true) return;
          yield next.value;
        }
      } finally {
        await iterator.return?.();
      }
    };
    try {
      await pipeline(
        Readable.from(source(), { objectMode: false, highWaterMark: 256 * 1024 }),
        this.#child.stdin as Writable,
      );
    } catch {
      // A child that ends before it read everything (EPIPE) speaks through its exit; a source that fails is the cause.
      if (fromSource === undefined) return;
      this.#sourceError = fromSource;
      this.#terminate();
    }
  }

  async #listen(): Promise<void> {
    try {
      for await (const bytes of this.#child.stderr as Readable) {
        this.#options.onWords?.(bytes as Uint8Array);
        this.#words = Buffer.concat([this.#words, bytes as Uint8Array]).subarray(-MAX_LAST_WORDS_BYTES);
      }
    } catch (error) {
      // Cut by `#cutOff`: how the process ended says why.
      if (!(this.#child.stderr as Readable).destroyed) throw error;
    }
  }

  #failure(outcome: string): SalvorError {
    let words = this.#words.toString('utf8').trim();
    for (const secret of this.#options.secrets ?? []) {
      if (secret.length > 0) words = words.replaceAll(secret, '***');
    }
    const isMissing = words.startsWith('setpriv: failed to execute') || outcome.includes('ENOENT');
    return new SalvorError(isMissing ? 'command-missing' : 'command-failed', {
      command: this.#command,
      outcome,
      words,
    });
  }

  #terminate(): void {
    const child = this.#child;
    if (child.pid === undefined) return;
    child.kill('SIGTERM');
    this.#killTimer ??= setTimeout(() => this.#cutOff(), this.#options.killAfterMs ?? DEFAULT_KILL_AFTER_MS);
  }

  /** What the child has started may live on and hold its pipes open: they end here. */
  #cutOff(): void {
    this.#child.kill('SIGKILL');
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
  }
}
