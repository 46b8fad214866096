import type { TaskLine } from '@salvor/contract';
import type { LineKind } from '../tasks/task-run.ts';
import type { TaskRoom } from './run-task.ts';

type Line = Omit<TaskLine, 'number'>;

/**
 * What a task says, on its way to the list of tasks: each line is written as it is said, so that what was killed has
 * told how far it came. A line that can't be written just now is no reason for the task to fail; it goes with the next.
 */
export class Words {
  readonly #room: Pick<TaskRoom, 'log' | 'clock' | 'say'>;
  readonly #task: string;
  #lines: Line[] = [];
  #count = 0;
  #writing: Promise<void> = Promise.resolve();

  constructor(room: Pick<TaskRoom, 'log' | 'clock' | 'say'>, task: string) {
    this.#room = room;
    this.#task = task;
  }

  /** Bound, so that it can be handed on. */
  readonly say = (line: string, kind?: LineKind): void => {
    this.#room.say(kind === undefined ? line : `${kind.kind} ${kind.code ?? ''}: ${line}`);
    this.#count++;
    if (this.#count > MAX_LINES + 1) return;
    const isTooMuch = this.#count > MAX_LINES;
    const text = isTooMuch ? 'more was said than is kept: the rest is left out' : line.slice(0, MAX_LINE_CHARACTERS);
    const { kind: what, code } = (isTooMuch ? undefined : kind) ?? ({ kind: 'info', code: null } as const);
    this.#lines.push({ time: this.#room.clock().toISOString(), kind: what, code, text });
    this.#writing = this.#writing.then(() => this.#write());
  };

  /** Resolves when all that was said is on disk, or can't be. */
  async flush(): Promise<void> {
    await this.#writing;
    if (this.#lines.length > 0) await this.#write();
    if (this.#lines.length > 0) this.#room.say(`${this.#lines.length} lines of the task could not be kept`);
  }

  async #write(): Promise<void> {
    const lines = this.#lines;
    if (lines.length === 0) return;
    this.#lines = [];
    try {
      await this.#room.log.say(this.#task, lines);
    } catch {
      this.#lines = [...lines, ...this.#lines].slice(-MAX_WAITING_LINES);
    }
  }
}

/** A task says some forty; a store that takes none of more than that is beyond being told. */
const MAX_WAITING_LINES = 1000;
/** One that says more has a problem in each file of its site: what matters stands at the beginning. */
const MAX_LINES = 10_000;
/** The words of a server's error may be as long as a row. */
const MAX_LINE_CHARACTERS = 4000;
