import type { TaskRoom } from './run-task.ts';

type Line = { readonly time: Date; readonly line: string };

/**
 * What a task says, on its way to the list of tasks: each line is written as it is said, so that what was killed has
 * told how far it came. A line that can't be written just now is no reason for the task to fail; it goes with the next.
 */
export class Words {
  readonly #room: Pick<TaskRoom, 'log' | 'clock' | 'say'>;
  readonly #task: string;
  #lines: Line[] = [];
  #writing: Promise<void> = Promise.resolve();

  constructor(room: Pick<TaskRoom, 'log' | 'clock' | 'say'>, task: string) {
    this.#room = room;
    this.#task = task;
  }

  say(line: string): void {
    this.#room.say(line);
    this.#lines.push({ time: this.#room.clock(), line });
    this.#writing = this.#writing.then(() => this.#write());
  }

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
