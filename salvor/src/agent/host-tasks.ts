/** The tasks of this host as whoever looks at them sees them, and stopping one. */
import type { TaskCancelDocument, TaskLine, TaskState, TaskSummary, TasksDocument } from '@salvor/contract';
import { SalvorError } from '../errors.ts';
import type { TaskRow } from '../store/tables.ts';
import { type TaskCallOptions, waitOptions } from './calls.ts';
import type { Queue } from './queue.ts';
import type { TaskRoom } from './run-task.ts';
import { documentOfTask, problemOfHung } from './task-documents.ts';

export class HostTasks {
  readonly #room: TaskRoom;
  readonly #queue: Queue;

  constructor(room: TaskRoom, queue: Queue) {
    this.#room = room;
    this.#queue = queue;
  }

  /** Newest first; of one site by URI or ACCOUNT/URI, also of one that is gone. */
  async list(wanted: {
    readonly site: string | null;
    readonly states: readonly TaskState[];
    readonly count: number;
  }): Promise<TasksDocument> {
    const slash = wanted.site?.indexOf('/') ?? -1;
    const rows = await this.#room.log.readLast({
      count: wanted.count,
      ...(wanted.site === null ? {} : { uri: wanted.site.slice(slash + 1) }),
      ...(slash < 0 ? {} : { account: wanted.site?.slice(0, slash) ?? '' }),
      ...(wanted.states.length === 0 ? {} : { states: wanted.states }),
    });
    return await Promise.all(rows.map((row) => this.#documentOf(row)));
  }

  /** How a task stands and what it said, at once and then what is new, until it has ended. Throws `task-unknown`. */
  async *watch(
    id: string,
    signal: AbortSignal,
  ): AsyncIterable<{ readonly task: TaskSummary; readonly lines: readonly TaskLine[] }> {
    for await (const { row, lines } of this.#queue.watch(id, signal))
      yield { task: await this.#documentOf(row), lines };
  }

  /**
   * Stops a task and waits until it has ended. One whose process is hung can't be told: then it is a problem with what
   * to do, and the task goes on. Throws `task-unknown`, `task-ended`.
   */
  async cancel(id: string, options: TaskCallOptions = {}): Promise<TaskCancelDocument> {
    const was = await this.#room.auditLog.for(id)('cancel-task', id, () => this.#queue.cancel(id));
    const { signal } = waitOptions(options);
    if (was === 'running') options.onWait?.(`task ${id} to take back what it has begun`);
    for await (const { task } of this.watch(id, signal)) {
      if (task.isHung) return { task: id, was, state: task.state, problems: [problemOfHung(task)] };
      if (task.endedAt === null) continue;
      const isStopped = task.state !== 'succeeded' && task.state !== 'warned';
      const late = {
        code: 'cancelled-late',
        path: id,
        message: `it had passed its last step, and ended ${task.state}`,
      };
      return { task: id, was, state: task.state, problems: isStopped ? [] : [late] };
    }
    throw new SalvorError('task-unknown', { task: id });
  }

  async #documentOf(row: TaskRow): Promise<TaskSummary> {
    const wait = row.state === 'queued' ? await this.#queue.readWait(row.id) : null;
    const { hungAfterMs } = this.#room.limits;
    return documentOfTask(row, { at: this.#room.clock(), hungAfterMs, waitsFor: wait?.why ?? null });
  }
}
