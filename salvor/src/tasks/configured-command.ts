import { SalvorError } from '../errors.ts';
import { type OsUser, openRun } from '../lib/run.ts';
import type { TaskId } from './task-id.ts';
import type { TaskRun } from './task-run.ts';

/** A command that the hoster names in `salvor.yaml`: a program with its arguments, and no shell. */
export type ConfiguredCommand = {
  /** For the task's log. */
  readonly title: string;
  readonly words: readonly string[];
  /** Null for who we are. */
  readonly user: OsUser | null;
  /** Entered by the user himself. */
  readonly directory: string;
  readonly env: Readonly<Record<string, string>>;
  readonly withinMs: number;
  readonly signal?: AbortSignal;
  /** The task whose it is, for what may write where the task then puts things back: ends with all that it has started. */
  readonly tree?: TaskId;
  /** Told each line that it prints, cut off where it is endless. */
  readonly onLine?: (line: string) => void;
};

/** More than a person reads of one command in a log. */
const MAX_LINES = 200;
const MAX_LINE_CHARS = 500;

/** Runs it, with what it prints in the task's log. Null where it ended well, else why not. */
export async function runConfigured(command: ConfiguredCommand, run: Pick<TaskRun, 'say'>): Promise<string | null> {
  const { title, words, user, directory, env, withinMs, signal, tree, onLine } = command;
  run.say(`${title}: ${words.join(' ')}`);
  const printed = new Lines(
    (line) => run.say(`${title}: ${line}`),
    (line) => onLine?.(line),
  );
  const limit = AbortSignal.timeout(withinMs);
  try {
    await using child = openRun('env', {
      args: [`--chdir=${directory}`, '--', ...words],
      env,
      ...(user === null ? {} : { user }),
      ...(tree === undefined ? {} : { tree }),
      signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
      onWords: (bytes) => printed.take(bytes),
    });
    for await (const bytes of child.stdout) printed.take(bytes);
    return null;
  } catch (error) {
    signal?.throwIfAborted();
    if (limit.aborted) return `it did not end within ${withinMs / 1000} s`;
    if (!(error instanceof SalvorError)) throw error;
    const { outcome, words: last } = error.context;
    const lastLine =
      String(last ?? '')
        .split('\n')
        .at(-1) ?? '';
    return [outcome ?? error.message, lastLine.slice(0, MAX_LINE_CHARS)].filter((part) => part !== '').join(': ');
  } finally {
    printed.end();
  }
}

/** Lines out of what two streams write, as it comes. */
class Lines {
  readonly #say: (line: string) => void;
  readonly #onLine: (line: string) => void;
  #rest = '';
  #count = 0;

  constructor(say: (line: string) => void, onLine: (line: string) => void) {
    this.#say = say;
    this.#onLine = onLine;
  }

  take(bytes: Uint8Array): void {
    const lines = (this.#rest + Buffer.from(bytes).toString('utf8')).split('\n');
    this.#rest = (lines.pop() ?? '').slice(0, MAX_LINE_CHARS);
    for (const line of lines) this.#tell(line);
  }

  end(): void {
    if (this.#rest !== '') this.#tell(this.#rest);
    if (this.#count > MAX_LINES) this.#say(`… and ${this.#count - MAX_LINES} more lines`);
  }

  #tell(line: string): void {
    this.#count += 1;
    this.#onLine(line.slice(0, MAX_LINE_CHARS));
    if (this.#count <= MAX_LINES) this.#say(line.slice(0, MAX_LINE_CHARS));
  }
}
