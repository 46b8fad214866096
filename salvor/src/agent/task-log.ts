/**
 * The tasks of a host as the store has them: which are wanted, who has them in hand, how they ended and what they
 * said. Owns that a task changes only as `task-states.ts` allows, and that a turn is taken in one transaction by one
 * process. Knows nothing of what a task does; the site's lock is in `locks.ts`.
 */
import type { TaskLine, TaskProgress, TaskState } from '@salvor/contract';
import { SalvorError } from '../errors.ts';
import { NOBODY, type ProcessIdentity } from '../lib/process-identity.ts';
import { type Store, writeAtOnce } from '../store/open-store.ts';
import type { TaskLogRow, TaskRow } from '../store/tables.ts';
import type { JournalSite } from '../tasks/journal.ts';
import type { TaskId } from '../tasks/task-id.ts';
import { type RunningTask, type Wait, type WaitingTask, planTurns } from './plan-turns.ts';
import { type PruneWanted, type Pruned, pruneTasks } from './prune-tasks.ts';
import { type QueueLimits, holdsSite } from './queue-limits.ts';
import { statesBefore } from './task-states.ts';

export type NewTask = {
  readonly id: TaskId;
  readonly operation: string;
  readonly site: JournalSite;
  readonly priority: number;
  readonly of: TaskId | null;
  readonly wish: string | null;
  /** The process that will run it; null for whoever runs the queue. */
  readonly owner: ProcessIdentity | null;
  readonly attempts: number;
  readonly timeoutMs: number;
};

/** What a turn depends on beside the rows. */
export type HostNow = {
  readonly now: Date;
  readonly load: number;
  readonly isAlive: (process: ProcessIdentity) => boolean;
};

export type Ending = {
  readonly state: TaskState;
  readonly ended: Date;
  readonly point?: string | null;
  readonly undoUntil?: string | null;
  readonly error?: string | null;
  readonly errorCode?: string | null;
  readonly problems?: number;
};

export class TaskLog {
  readonly #store: Store;
  readonly #limits: QueueLimits;

  constructor(store: Store, limits: QueueLimits) {
    this.#store = store;
    this.#limits = limits;
  }

  /** Adds a task at its place. With `refuseBusy` a site that another task has is `site-busy`, and nothing is added. */
  async enqueue(task: NewTask, host: HostNow, options: { readonly refuseBusy: boolean }): Promise<void> {
    await writeAtOnce(this.#store, async (store) => {
      if (options.refuseBusy && holdsSite(task.operation)) {
        const rows = await store.selectFrom('tasks').selectAll().where('state', 'in', OPEN).execute();
        const other = rows.find(
          (row) =>
            row.account === task.site.account &&
            row.uri === task.site.uri &&
            holdsSite(row.operation) &&
            (row.state === 'running' ? host.isAlive(processOf(row)) : !isNobodys(row) && this.#isAwaited(row, host)),
        );
        if (other !== undefined) throw busy(other);
      }
      await store.insertInto('tasks').values(rowOf(task, host.now)).execute();
    });
  }

  /** Takes the turn of a task for this process, or says what it waits for. Null where it does not wait any more. */
  async start(id: string, process: ProcessIdentity, host: HostNow): Promise<TaskRow | Wait | null> {
    return await writeAtOnce(this.#store, async (store) => {
      const rows = await store.selectFrom('tasks').selectAll().where('state', 'in', OPEN).execute();
      const row = rows.find((one) => one.id === id);
      if (row?.state !== 'queued') return null;
      const wait = this.#waitOf(row, rows, host);
      if (wait !== null) return wait;
      const time = host.now.toISOString();
      const change = {
        state: 'running' satisfies TaskState,
        started: row.started ?? time,
        seen: time,
        pid: process.pid,
        process_start: process.start,
        attempt: row.attempt + 1,
        not_before: null,
      };
      await store.updateTable('tasks').set(change).where('id', '=', id).execute();
      return { ...row, ...change };
    });
  }

  /** What a queued task waits for; null where its turn has come or it does not wait any more. */
  async readWait(id: string, host: HostNow): Promise<Wait | null> {
    const rows = await this.#store.selectFrom('tasks').selectAll().where('state', 'in', OPEN).execute();
    const row = rows.find((one) => one.id === id);
    return row?.state === 'queued' ? this.#waitOf(row, rows, host) : null;
  }

  /** The best of the tasks that are nobody's and may begin now. */
  async findNext(host: HostNow): Promise<string | null> {
    const rows = await this.#store
      .selectFrom('tasks')
      .selectAll()
      .where('state', 'in', OPEN)
      .orderBy('priority', 'desc')
      .orderBy('queued')
      .orderBy('id')
      .execute();
    const next = rows.find((row) => isNobodys(row) && row.state === 'queued' && this.#waitOf(row, rows, host) === null);
    return next?.id ?? null;
  }

  /** A sign of life. Of a running task it takes how far it is along, and brings back who wants it to stop. */
  async beat(
    id: string,
    process: ProcessIdentity,
    sign: { readonly now: Date; readonly progress: TaskProgress | null; readonly problems: number },
  ): Promise<{ readonly cancelledBy: string | null }> {
    const rows = await this.#store
      .updateTable('tasks')
      .set({
        seen: sign.now.toISOString(),
        progress: sign.progress === null ? null : JSON.stringify(sign.progress),
        problems: sign.problems,
      })
      .where('id', '=', id)
      .where('state', 'in', OPEN)
      .where('pid', '=', process.pid)
      .where('process_start', '=', process.start)
      .returning(['cancel_asked', 'cancelled_by'])
      .execute();
    const asked = rows[0];
    return {
      cancelledBy: asked === undefined || asked.cancel_asked === null ? null : (asked.cancelled_by ?? 'somebody'),
    };
  }

  /** Whoever runs the queue shows that those who wait and are nobody's are looked after. */
  async beatNobodys(now: Date): Promise<void> {
    await this.#store
      .updateTable('tasks')
      .set({ seen: now.toISOString() })
      .where('state', '=', 'queued')
      .where('pid', '=', NOBODY.pid)
      .execute();
  }

  /**
   * Wants a task to stop. One that waits is cancelled at once and never begins; one that runs is told with its next
   * sign of life. Gives the state that it had; null where there is no such task.
   */
  async cancel(id: string, who: string, now: Date): Promise<TaskState | null> {
    return await writeAtOnce(this.#store, async (store) => {
      const row = await store.selectFrom('tasks').selectAll().where('id', '=', id).executeTakeFirst();
      if (row === undefined) return null;
      const asked = { cancel_asked: now.toISOString(), cancelled_by: who };
      if (row.state === 'queued')
        await store
          .updateTable('tasks')
          .set({ ...asked, state: 'cancelled', ended: now.toISOString(), seen: null })
          .where('id', '=', id)
          .execute();
      else if (row.state === 'running') await store.updateTable('tasks').set(asked).where('id', '=', id).execute();
      return row.state as TaskState;
    });
  }

  /** Says how a task ended. False where it can't end like that, because it has ended already, or is not there. */
  async end(id: string, ending: Ending): Promise<boolean> {
    const changed = await this.#store
      .updateTable('tasks')
      .set({
        state: ending.state,
        ended: ending.ended.toISOString(),
        seen: null,
        progress: null,
        ...(ending.point === undefined ? {} : { point: ending.point }),
        ...(ending.undoUntil === undefined ? {} : { undo_until: ending.undoUntil }),
        ...(ending.error === undefined ? {} : { error: ending.error }),
        ...(ending.errorCode === undefined ? {} : { error_code: ending.errorCode }),
        ...(ending.problems === undefined ? {} : { problems: ending.problems }),
      })
      .where('id', '=', id)
      .where('state', 'in', statesBefore(ending.state))
      .returning('id')
      .execute();
    return changed.length > 0;
  }

  /** Puts a task that failed back at its place, for `owner` or whoever runs the queue. False where somebody wants it to stop. */
  async tryAgain(
    id: string,
    again: {
      readonly at: Date;
      readonly owner: ProcessIdentity | null;
      readonly now: Date;
      readonly error: string;
      readonly errorCode: string | null;
    },
  ): Promise<boolean> {
    const owner = again.owner ?? NOBODY;
    const changed = await this.#store
      .updateTable('tasks')
      .set({
        state: 'queued' satisfies TaskState,
        pid: owner.pid,
        process_start: owner.start,
        seen: again.owner === null ? null : again.now.toISOString(),
        not_before: again.at.toISOString(),
        progress: null,
        error: again.error,
        error_code: again.errorCode,
      })
      .where('id', '=', id)
      .where('state', '=', 'running')
      .where('cancel_asked', 'is', null)
      .returning('id')
      .execute();
    return changed.length > 0;
  }

  /** Leaves a task that waits to whoever runs the queue. False where it does not wait any more. */
  async leave(id: string, now: Date): Promise<boolean> {
    const changed = await this.#store
      .updateTable('tasks')
      .set({ pid: NOBODY.pid, process_start: NOBODY.start, seen: now.toISOString() })
      .where('id', '=', id)
      .where('state', '=', 'queued')
      .returning('id')
      .execute();
    return changed.length > 0;
  }

  async setUndoUntil(id: string, undoUntil: string | null): Promise<void> {
    await this.#store.updateTable('tasks').set({ undo_until: undoUntil }).where('id', '=', id).execute();
  }

  async read(id: string): Promise<TaskRow | null> {
    return (await this.#store.selectFrom('tasks').selectAll().where('id', '=', id).executeTakeFirst()) ?? null;
  }

  /** Those that run or wait in the hand of some process. */
  async readHeld(): Promise<readonly TaskRow[]> {
    const rows = await this.#store.selectFrom('tasks').selectAll().where('state', 'in', OPEN).execute();
    return rows.filter((row) => row.state === 'running' || !isNobodys(row));
  }

  /** Newest first. */
  async readLast(wanted: {
    readonly count: number;
    readonly account?: string;
    readonly uri?: string;
    readonly states?: readonly TaskState[];
  }): Promise<readonly TaskRow[]> {
    let query = this.#store.selectFrom('tasks').selectAll().orderBy('id', 'desc').limit(wanted.count);
    if (wanted.account !== undefined) query = query.where('account', '=', wanted.account);
    if (wanted.uri !== undefined) query = query.where('uri', '=', wanted.uri);
    if (wanted.states !== undefined) query = query.where('state', 'in', [...wanted.states]);
    return await query.execute();
  }

  /** Adds lines to what the task said; each gets the next number. */
  async say(id: string, lines: readonly Omit<TaskLine, 'number'>[]): Promise<void> {
    if (lines.length === 0) return;
    await writeAtOnce(this.#store, async (store) => {
      const last = await store
        .selectFrom('task_log')
        .select(({ fn }) => fn.max('number').as('number'))
        .where('task', '=', id)
        .executeTakeFirst();
      const first = (last?.number ?? -1) + 1;
      // As many as one statement takes.
      for (let from = 0; from < lines.length; from += MAX_LINES_AT_ONCE)
        await store
          .insertInto('task_log')
          .values(
            lines.slice(from, from + MAX_LINES_AT_ONCE).map(({ time, kind, code, text }, i) => ({
              task: id,
              number: first + from + i,
              time,
              line: text,
              kind,
              code,
            })),
          )
          .execute();
    });
  }

  /** What it said after a line, in order. */
  async readLines(id: string, after = -1): Promise<readonly TaskLine[]> {
    const rows = await this.#store
      .selectFrom('task_log')
      .selectAll()
      .where('task', '=', id)
      .where('number', '>', after)
      .orderBy('number')
      .execute();
    return rows.map(lineOf);
  }

  /** Lets go of old tasks and of what they said. */
  async prune(wanted: PruneWanted): Promise<Pruned> {
    return await pruneTasks(this.#store, wanted);
  }

  #waitOf(row: TaskRow, rows: readonly TaskRow[], host: HostNow): Wait | null {
    const running = rows.filter((one) => one.state === 'running');
    const waiting = rows.filter((one) => one.state === 'queued' && (one.id === row.id || this.#isAwaited(one, host)));
    const clock = { nowMs: host.now.getTime(), load: host.load };
    return planTurns(waiting.map(waitingOf), running.map(runningOf), clock, this.#limits).get(row.id) ?? null;
  }

  /** Whether somebody would take its turn: his process lives, and has looked at it lately. */
  #isAwaited(row: TaskRow, host: HostNow): boolean {
    if (!isNobodys(row) && !host.isAlive(processOf(row))) return false;
    const seen = row.seen === null ? Number.NEGATIVE_INFINITY : Date.parse(row.seen);
    return Math.abs(host.now.getTime() - seen) <= this.#limits.hungAfterMs;
  }
}

/** Rows that something will still come of. */
const OPEN = ['queued', 'running'] satisfies TaskState[];

/** Of six values each; SQLite takes 32,766 in one statement. */
const MAX_LINES_AT_ONCE = 1000;

export function processOf(row: TaskRow): ProcessIdentity {
  return { pid: row.pid, start: row.process_start };
}

export function isNobodys(row: TaskRow): boolean {
  return row.pid === NOBODY.pid;
}

/** What is said to whom a site is refused. */
export function busy(row: TaskRow): SalvorError {
  return new SalvorError('site-busy', { site: `${row.account}/${row.uri}`, task: row.id, process: row.pid });
}

function rowOf(task: NewTask, now: Date): TaskRow {
  const owner = task.owner ?? NOBODY;
  return {
    id: task.id,
    operation: task.operation,
    account: task.site.account,
    uri: task.site.uri,
    path: task.site.path,
    home: task.site.home,
    state: 'queued' satisfies TaskState,
    priority: task.priority,
    queued: now.toISOString(),
    started: null,
    ended: null,
    point: null,
    undo_until: null,
    error: null,
    error_code: null,
    of_task: task.of,
    wish: task.wish,
    pid: owner.pid,
    process_start: owner.start,
    seen: task.owner === null ? null : now.toISOString(),
    progress: null,
    cancel_asked: null,
    cancelled_by: null,
    attempt: 0,
    attempts: task.attempts,
    not_before: null,
    timeout_ms: task.timeoutMs,
    problems: 0,
  };
}

function waitingOf(row: TaskRow): WaitingTask {
  return {
    ...runningOf(row),
    priority: row.priority,
    queuedMs: Date.parse(row.queued),
    notBeforeMs: row.not_before === null ? null : Date.parse(row.not_before),
    isWanted: !isNobodys(row),
  };
}

function runningOf(row: TaskRow): RunningTask {
  return { id: row.id, operation: row.operation, site: `${row.account}/${row.uri}` };
}

function lineOf(row: TaskLogRow): TaskLine {
  return { number: row.number, time: row.time, kind: row.kind as TaskLine['kind'], code: row.code, text: row.line };
}
