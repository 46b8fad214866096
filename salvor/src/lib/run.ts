/**
 * Child processes. Owns how one is started, fed, read, stopped and reaped; knows nothing of what it does.
 *
 *   no shell · arguments as a list · an environment of two variables · never detached
 *   bytes in and out with back-pressure · the last words of stderr kept, secrets struck out
 *   killed with us: the kernel sends SIGKILL when our process dies, so that nothing works on unseen; or never by us
 *   where it is foreign code, with all that it has started itself (process-tree.ts)
 *
 * Every child starts through `setpriv` of util-linux, which becomes the command (same process id): it
 * sets the death signal and, where a user is named, drops uid, gid, groups, capabilities and the way
 * back to them (no_new_privs).
 */
import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { statSync } from 'node:fs';
import { constants } from 'node:os';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { SalvorError } from '../errors.ts';
import { endTree, firstWithin, markOf, namespaceWords } from './process-tree.ts';

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
  /**
   * A mark: all that the child starts ends with it, before `finished` settles, and can be found by the mark when we are dead
   * (`endTree`). The child then reads nothing (no `stdin`).
   */
  readonly tree?: string;
  /**
   * Killed by nobody of us: neither the signal nor our death ends it, nor that we read no more. For what leaves a part of the
   * system standing still where it is cut off; without `user` and `tree`.
   */
  readonly livesOn?: true;
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
const KILL_AGAIN_MS = 20;
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
  const { words, isApart } = wordsOf(command, options);
  const [program = command, ...args] = words;
  const child = spawn(program, args, {
    env: {
      PATH: PROGRAM_PATH,
      LANG: 'C.UTF-8',
      ...options.env,
      ...(options.tree === undefined ? {} : markOf(options.tree)),
    },
    cwd: options.cwd ?? '/',
    stdio,
    shell: false,
    detached: false,
  });
  const process = new StartedProcess(command, child, options, isApart);
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

/** `isApart`: in a namespace of its own. */
function wordsOf(
  command: string,
  { args, user, tree, livesOn }: RunOptions,
): { readonly words: readonly string[]; readonly isApart: boolean } {
  // Out of reach of the terminal's signals too.
  if (livesOn === true)
    return { words: ['setsid', 'env', '--ignore-signal=PIPE', '--', command, ...args], isApart: false };
  const words = ['setpriv', ...dropRights(user), '--', command, ...args];
  if (tree === undefined) return { words, isApart: false };
  const isOther = user !== undefined && user.uid !== 0 && process.getuid?.() === 0;
  const namespace = isOther ? namespaceWords() : null;
  if (namespace === null) return { words: ['setsid', ...words], isApart: false };
  return { words: ['setpriv', ...dropRights(undefined), '--', ...namespace, ...words], isApart: true };
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
  readonly #isApart: boolean;
  #words = Buffer.alloc(0);
  #isStopped = false;
  #sourceError: unknown;
  #killTimer: NodeJS.Timeout | undefined;

  constructor(command: string, child: ChildProcess, options: RunOptions, isApart: boolean) {
    this.#command = command;
    this.#isApart = isApart;
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
      const [outcome] = await Promise.all([this.#waitForAll(), this.#feed(), this.#listen()]);
      if (signal?.aborted === true) throw signal.reason;
      if (this.#sourceError !== undefined) throw this.#sourceError;
      if (outcome !== null && !this.#isStopped) throw this.#failure(outcome);
    } finally {
      signal?.removeEventListener('abort', onAbort);
      clearTimeout(this.#killTimer);
    }
  }

  /** The maker of a namespace ends when all in it has; what is not in one is looked for. */
  async #waitForAll(): Promise<string | null> {
    const outcome = await this.#waitForExit();
    const { tree } = this.#options;
    const session = this.#child.pid;
    if (tree !== undefined && session !== undefined && !this.#isApart) await endTree(tree, { session });
    return outcome;
  }

  /** null when the command ended with 0, else how it ended. */
  #waitForExit(): Promise<string | null> {
    const { promise, resolve } = Promise.withResolvers<string | null>();
    this.#child.once('error', (error) => {
      resolve(error.message);
      this.#child.stdout?.destroy();
    });
    this.#child.once('exit', (code, signal) => {
      resolve(code === 0 ? null : signal === null ? this.#describeExit(code) : `it was killed by ${signal}`);
    });
    return promise;
  }

  /** A shell says by its exit what has killed its child. */
  #describeExit(code: number | null): string {
    const number = (code ?? 0) - 128;
    const signal = Object.entries(constants.signals).find(([, value]) => this.#isApart && value === number)?.[0];
    return `it ended with ${code}${signal === undefined ? '' : `, as what ${signal} has killed`}`;
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
    const isMissing = /^(?:setpriv: failed to execute|env: .*No such file)/.test(words) || outcome.includes('ENOENT');
    return new SalvorError(isMissing ? 'command-missing' : 'command-failed', {
      command: this.#command,
      outcome,
      words,
    });
  }

  #terminate(): void {
    if (this.#child.pid === undefined || this.#options.livesOn === true) return;
    this.#send('SIGTERM');
    this.#killTimer ??= setTimeout(() => this.#cutOff(), this.#options.killAfterMs ?? DEFAULT_KILL_AFTER_MS);
  }

  /** What the child has started may live on and hold its pipes open: they end here. */
  #cutOff(): void {
    this.#send('SIGKILL');
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
    // One that was just being made has its first process soon.
    if (this.#isApart && this.#child.exitCode === null && this.#child.signalCode === null)
      this.#killTimer = setTimeout(() => this.#cutOff(), KILL_AGAIN_MS);
  }

  /** To the first process of a namespace, never to its maker, whose end then says that all within has ended. */
  #send(signal: 'SIGTERM' | 'SIGKILL'): void {
    if (!this.#isApart) {
      this.#child.kill(signal);
      return;
    }
    const first = firstWithin(this.#child.pid ?? -1);
    if (first !== null) killFirst(first, signal);
  }
}

function killFirst(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended first.
  }
}
