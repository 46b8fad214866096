import { sql } from 'kysely';
import type { TaskState, TaskSummary } from '@salvor/contract';
import type { ProcessIdentity } from '../lib/process-identity.ts';
import type { Store } from '../store/open-store.ts';
import type { TaskRow } from '../store/tables.ts';

/** What the store knows of tasks: which ran, how they ended and what they said. */
export class TaskLog {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  async begin(task: {
    readonly id: string;
    readonly operation: string;
    readonly account: string;
    readonly uri: string;
    readonly started: Date;
    readonly process: ProcessIdentity;
  }): Promise<void> {
    await this.#store
      .insertInto('tasks')
      .values({
        id: task.id,
        operation: task.operation,
        account: task.account,
        uri: task.uri,
        state: 'running' satisfies TaskState,
        started: task.started.toISOString(),
        ended: null,
        point: null,
        undo_until: null,
        error: null,
        pid: task.process.pid,
        process_start: task.process.start,
      })
      .execute();
  }

  async end(
    id: string,
    outcome: {
      readonly state: TaskState;
      readonly ended: Date;
      readonly point?: string | null;
      readonly undoUntil?: string | null;
      readonly error?: string | null;
    },
  ): Promise<void> {
    await this.#store
      .updateTable('tasks')
      .set({
        state: outcome.state,
        ended: outcome.ended.toISOString(),
        ...(outcome.point === undefined ? {} : { point: outcome.point }),
        ...(outcome.undoUntil === undefined ? {} : { undo_until: outcome.undoUntil }),
        ...(outcome.error === undefined ? {} : { error: outcome.error }),
      })
      .where('id', '=', id)
      .execute();
  }

  async setUndoUntil(id: string, undoUntil: string | null): Promise<void> {
    await this.#store.updateTable('tasks').set({ undo_until: undoUntil }).where('id', '=', id).execute();
  }

  async read(id: string): Promise<TaskRow | null> {
    return (await this.#store.selectFrom('tasks').selectAll().where('id', '=', id).executeTakeFirst()) ?? null;
  }

  async readRunning(): Promise<readonly TaskRow[]> {
    return await this.#store.selectFrom('tasks').selectAll().where('state', '=', 'running').execute();
  }

  /** Newest first. */
  async readLast(count: number): Promise<readonly TaskSummary[]> {
    const rows = await this.#store.selectFrom('tasks').selectAll().orderBy('id', 'desc').limit(count).execute();
    return rows.map((row) => ({
      id: row.id,
      operation: row.operation,
      account: row.account,
      uri: row.uri,
      state: row.state as TaskState,
      startedAt: row.started,
      endedAt: row.ended,
      undoUntil: row.undo_until,
    }));
  }

  /** Adds lines to what the task said. */
  async say(id: string, lines: readonly { readonly time: Date; readonly line: string }[]): Promise<void> {
    if (lines.length === 0) return;
    // One statement: a transaction that reads first is refused where another command writes in between.
    const last = sql<number>`(select coalesce(max(number), -1) from task_log where task = ${id})`;
    await this.#store
      .insertInto('task_log')
      .values(
        lines.map(({ time, line }, at) => ({
          task: id,
          number: sql<number>`${last} + ${at + 1}`,
          time: time.toISOString(),
          line,
        })),
      )
      .execute();
  }

  /** What it said, in order. */
  async readLines(id: string): Promise<readonly { readonly time: string; readonly line: string }[]> {
    return await this.#store
      .selectFrom('task_log')
      .select(['time', 'line'])
      .where('task', '=', id)
      .orderBy('number')
      .execute();
  }
}
