import { chmodSync, lstatSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../lib/errno.ts';
import { removeDurably, writeDurably } from '../lib/write-durably.ts';
import { type Journal, parseJournal } from '../tasks/journal.ts';
import { type TaskId, parseTaskId } from '../tasks/task-id.ts';
import { isAlive } from '../lib/process-identity.ts';
import { makeDirectories } from '../lib/make-directories.ts';

/** The journals of a host: STATE/journals/<task>.json, each whole at every instant. */
export class Journals {
  readonly #directory: string;

  constructor(stateDirectory: string) {
    this.#directory = join(stateDirectory, 'journals');
    makeDirectories(this.#directory, 0o700);
    chmodSync(this.#directory, 0o700);
  }

  /** On disk when it returns. */
  write(journal: Journal): void {
    writeDurably(this.#path(journal.task), `${JSON.stringify(journal, null, 1)}\n`);
  }

  /** Null where there is none. Ours alone writes there: what can't be read was damaged, and is not taken for nothing. */
  read(task: TaskId): Journal | null {
    try {
      return parseJournal(readFileSync(this.#path(task), 'utf8'), this.#path(task));
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return null;
      throw error;
    }
  }

  /** Oldest first. */
  list(): readonly Journal[] {
    const journals: Journal[] = [];
    for (const name of readdirSync(this.#directory).toSorted()) {
      const task = name.endsWith('.json') ? parseTaskId(name.slice(0, -'.json'.length)) : null;
      const journal = task === null ? null : this.read(task);
      if (journal !== null) journals.push(journal);
    }
    return journals;
  }

  /**
   * Removes what a crash left of a journal that was being written: of a task whose process is gone at once, else
   * (a task's first journal says not yet whose it is) when it is older than any writing takes.
   */
  sweep(now: Date): void {
    for (const name of readdirSync(this.#directory).filter((candidate) => candidate.endsWith(TORN))) {
      const path = join(this.#directory, name);
      const task = parseTaskId(name.slice(0, -TORN.length));
      const journal = task === null ? null : this.read(task);
      const age = now.getTime() - (lstatSync(path, { throwIfNoEntry: false })?.mtimeMs ?? now.getTime());
      const isGone = journal !== null && !isAlive(journal.process);
      if (isGone || age > MAX_TORN_AGE_MS) rmSync(path, { force: true });
    }
  }

  remove(task: TaskId): void {
    removeDurably(this.#path(task));
    rmSync(join(this.#directory, `${task}${TORN}`), { force: true });
  }

  #path(task: TaskId): string {
    return join(this.#directory, `${task}.json`);
  }
}

/** What `writeDurably` names a journal that is not whole yet. */
const TORN = '.json.new';
/** Writing one takes milliseconds. */
const MAX_TORN_AGE_MS = 3_600_000;
