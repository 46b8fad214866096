/** The list of tasks and what they said, as another program reads it from the agent's store. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { DemoHost } from '../../../demo/host.ts';
import { salvorPlaces } from '../../../demo/salvor-command.ts';

/** A step of a task as it says it, and how long it takes when nobody hits it. */
export type Step = {
  readonly name: string;
  /** Which one of this name in its task, from 1: a hook is run before and after. */
  readonly nth: number;
  readonly ms: number;
};

const BEGINS = ': begins';
/** Its own word for what failed, or what the next command found and did. */
const ENDS = "(kind = 'error' OR line LIKE 'ended %' OR line LIKE 'its process is gone%')";

export class ListedTasks implements Disposable {
  readonly #store: DatabaseSync;

  constructor(host: DemoHost) {
    this.#store = new DatabaseSync(join(salvorPlaces(host).stateDir, 'salvor.sqlite'), { readOnly: true });
  }

  [Symbol.dispose](): void {
    this.#store.close();
  }

  /** The newest one's id, of this operation where one is named; empty where there is none. */
  last(operation = '%'): string {
    return this.#ids('operation LIKE ?', operation)[0] ?? '';
  }

  /** Newest first: what can be switched back again. */
  undone(): readonly string[] {
    return this.#ids("operation = 'undo' AND undo_until IS NOT NULL");
  }

  /** The task that stands, and the one that an undo was to take back: which of them, its journal says. */
  undoable(): string | null {
    return this.#ids("operation <> 'undo' AND undo_until IS NOT NULL")[0] ?? null;
  }

  isUndoable(task: string): boolean {
    return this.#ids('id = ? AND undo_until IS NOT NULL', task).length > 0;
  }

  read(task: string): { readonly state: string; readonly error: string | null } {
    const row = this.#store.prepare('SELECT state, error FROM tasks WHERE id = ?').get(task);
    return { state: String(row?.['state']), error: row?.['error'] === null ? null : String(row?.['error']) };
  }

  lines(task: string): readonly string[] {
    return this.#timedLines(task).map(({ line }) => line);
  }

  /** Whether its log says how it ended. */
  hasEnd(task: string): boolean {
    return this.#store.prepare(`SELECT 1 FROM task_log WHERE task = ? AND ${ENDS} LIMIT 1`).get(task) !== undefined;
  }

  /** Whether a step has begun so many times. */
  hasBegun(task: string, step: string, times: number): boolean {
    return this.lines(task).filter((line) => line === `${step}${BEGINS}`).length >= times;
  }

  /** Where it stands. */
  stepOf(task: string): string | null {
    return (
      this.lines(task)
        .findLast((line) => line.endsWith(BEGINS))
        ?.slice(0, -BEGINS.length) ?? null
    );
  }

  steps(task: string): readonly Step[] {
    const lines = this.#timedLines(task);
    return lines.flatMap(({ time, line }, index) => {
      if (!line.endsWith(BEGINS)) return [];
      // Up to the next line: a step within it is a step of its own.
      const next = Date.parse(lines[index + 1]?.time ?? time);
      const nth = lines.slice(0, index + 1).filter((other) => other.line === line).length;
      return [{ name: line.slice(0, -BEGINS.length), nth, ms: Math.max(0, next - Date.parse(time)) }];
    });
  }

  #ids(where: string, ...values: readonly string[]): readonly string[] {
    const rows = this.#store.prepare(`SELECT id FROM tasks WHERE ${where} ORDER BY id DESC`).all(...values);
    return rows.map(({ id }) => String(id));
  }

  #timedLines(task: string): readonly { readonly time: string; readonly line: string }[] {
    const rows = this.#store.prepare('SELECT time, line FROM task_log WHERE task = ? ORDER BY number').all(task);
    return rows.map((row) => ({ time: String(row['time']), line: String(row['line']) }));
  }
}
