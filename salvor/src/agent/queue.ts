/**
 * The queue of a host: what is wanted, whose turn it is, and who stops. One for a command that runs its own task, and
 * for whoever runs those that are nobody's: both take turns from the same rows, so that any number of processes may.
 *
 *   enqueue → wait until it is its turn → lock the site → take the turn → run → (again later) → ended
 *
 * A turn is taken by one transaction under the site's lock: no task has two runners, no site two tasks but those that
 * only read its points. A process that waits and dies takes its task with it, but for a backup or restore that whoever
 * serves the host can do from its row (`row-wish.ts`); one that runs leaves it to recovery (`recover.ts`).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { TaskLine, TaskState } from '@salvor/contract';
import { SalvorError } from '../errors.ts';
import { type ProcessIdentity, identifyThisProcess, isAlive } from '../lib/process-identity.ts';
import type { TaskRow } from '../store/tables.ts';
import type { Journal, JournalSite } from '../tasks/journal.ts';
import { type TaskId, makeTaskId } from '../tasks/task-id.ts';
import type { Wait } from './plan-turns.ts';
import { PRIORITY_OF, holdsSite } from './queue-limits.ts';
import { type RunOptions, TRY_AGAIN, type TaskBody, type TaskOutcome, type TaskRoom, runTask } from './run-task.ts';
import { type HostNow, busy, processOf } from './task-log.ts';
import { isOver } from './task-states.ts';

export type TaskWanted = {
  readonly operation: Journal['operation'];
  readonly site: JournalSite;
  readonly of: TaskId | null;
  /** What another process needs to do the same; plain values. */
  readonly wish?: Readonly<Record<string, unknown>>;
  /** Tries in all; 1 where it is left out. */
  readonly attempts?: number;
};

export type WaitOptions = RunOptions & {
  /** Whether to wait for a site that is busy; else that is `site-busy` at once. */
  readonly wait: boolean;
  /** Told what it waits for, each time that it is something else. */
  readonly onWait: (why: string) => void;
};

/** A task as it stands, and what it said since the last look. */
export type TaskSight = { readonly row: TaskRow; readonly lines: readonly TaskLine[] };

export class Queue {
  readonly #room: TaskRoom;
  readonly #process: ProcessIdentity = identifyThisProcess();

  constructor(room: TaskRoom) {
    this.#room = room;
  }

  /** Runs one operation on one site in this process: its turn is waited for, and its outcome is the caller's. */
  async perform<T>(wanted: TaskWanted, options: WaitOptions, body: TaskBody<T>): Promise<TaskOutcome<T>> {
    const id = await this.enqueue(wanted, { isMine: true, refuseBusy: !options.wait });
    for (;;) {
      using turn = await this.#waitForTurn(id, options);
      const outcome = await runTask(this.#room, turn.row, this.#process, options, body);
      if (outcome !== TRY_AGAIN) return outcome;
    }
  }

  /** Adds a task. One that is `isMine` is run by this process or by nobody; else by whoever runs the queue. */
  async enqueue(
    wanted: TaskWanted,
    { isMine = false, refuseBusy = false }: { readonly isMine?: boolean; readonly refuseBusy?: boolean } = {},
  ): Promise<TaskId> {
    const id = makeTaskId(this.#room.clock(), this.#room.random);
    const task = {
      id,
      operation: wanted.operation,
      site: wanted.site,
      priority: PRIORITY_OF[wanted.operation],
      of: wanted.of,
      wish: wanted.wish === undefined ? null : JSON.stringify(wanted.wish),
      owner: isMine ? this.#process : null,
      attempts: wanted.attempts ?? 1,
      timeoutMs: this.#room.limits.timeoutMs,
    };
    await this.#room.log.enqueue(task, this.#now(), { refuseBusy });
    return id;
  }

  /**
   * Runs the best task that is nobody's and may begin, to its end or its next try. Null where there is none. What it
   * throws is in its row and its log: the queue goes on.
   */
  async runNext(bodyOf: (row: TaskRow) => TaskBody<unknown>, options: RunOptions): Promise<string | null> {
    const turn = await this.#takeNext();
    return turn === null ? null : await this.#runTurn(turn, bodyOf, options);
  }

  /**
   * Runs all tasks that are nobody's and may begin, as many at once as may be, until none is left that may. What waits for
   * a site of somebody else's, for its next try or for the host's load is left to the next round.
   */
  async runReady(bodyOf: (row: TaskRow) => TaskBody<unknown>, options: RunOptions): Promise<void> {
    await this.#room.recover();
    const running = new Set<Promise<unknown>>();
    while (!options.signal.aborted) {
      const turn = await this.#takeNext();
      if (turn === null && running.size === 0) return;
      if (turn === null) await Promise.race([...running, this.#pause(options.signal)]);
      else {
        const run: Promise<unknown> = this.#runTurn(turn, bodyOf, options).finally(() => running.delete(run));
        running.add(run);
      }
    }
    await Promise.all(running);
  }

  /** How a task stands and what it says, at once and after each change, until it has ended. Throws `task-unknown`. */
  async *watch(id: string, signal: AbortSignal): AsyncIterable<TaskSight> {
    for (let after = -1; ;) {
      const row = await this.#room.log.read(id);
      if (row === null) throw new SalvorError('task-unknown', { task: id });
      // After the row: what a task said last is written before it ends.
      const lines = await this.#room.log.readLines(id, after);
      after = lines.at(-1)?.number ?? after;
      yield { row, lines };
      if (isOver(row.state as TaskState)) return;
      await sleep(this.#room.limits.pollMs, undefined, { signal });
    }
  }

  /**
   * Wants a task to stop, and gives the state that it was in. A waiting one never begins; a running one is stopped at
   * its next step and taken back, unless the site is being switched: then it ends. Throws `task-unknown`, `task-ended`.
   */
  async cancel(id: string): Promise<TaskState> {
    const was = await this.#room.log.cancel(id, this.#room.who, this.#room.clock());
    if (was === null) throw new SalvorError('task-unknown', { task: id });
    if (isOver(was)) throw new SalvorError('task-ended', { task: id, state: was });
    return was;
  }

  /** What a queued task waits for. */
  async readWait(id: string): Promise<Wait | null> {
    return await this.#room.log.readWait(id, this.#now());
  }

  async #waitForTurn(id: TaskId, options: WaitOptions): Promise<Turn> {
    let told = '';
    let seenMs = performance.now();
    for (;;) {
      if (options.signal.aborted) await this.#room.log.cancel(id, this.#room.who, this.#room.clock());
      const tried = await this.#tryTurn(id);
      if (tried instanceof Turn) return tried;
      await this.#requireWaiting(id, options.signal);
      if (tried !== null) {
        if (tried.for === 'task' && (await this.#recoverDead(tried.task))) continue;
        if (tried.for === 'task' && !options.wait) await this.#refuse(id, tried.task);
        if (tried.why !== told) options.onWait((told = tried.why));
      }
      if (performance.now() - seenMs > this.#room.limits.hungAfterMs / 6) {
        await this.#room.log.beat(id, this.#process, { now: this.#room.clock(), progress: null, problems: 0 });
        seenMs = performance.now();
      }
      await this.#pause(options.signal);
    }
  }

  /** The turn, or what is in its way; null where it is only the lock, which somebody holds for a moment. */
  async #tryTurn(id: string): Promise<Turn | Wait | null> {
    const { log, locks } = this.#room;
    const wait = await log.readWait(id, this.#now());
    if (wait !== null) return wait;
    const row = await log.read(id);
    if (row?.state !== 'queued') return null;
    using held = new DisposableStack();
    try {
      if (holdsSite(row.operation)) held.use(locks.lockSite(row, id));
    } catch (error) {
      if (error instanceof SalvorError && error.code === 'site-busy')
        return { for: 'task', task: String(error.context['task']), why: `task ${String(error.context['task'])}` };
      throw error;
    }
    const started = await log.start(id, this.#process, this.#now());
    return started !== null && 'state' in started ? new Turn(started, held.move()) : started;
  }

  async #takeNext(): Promise<Turn | null> {
    await this.#room.log.beatNobodys(this.#room.clock());
    const id = await this.#room.log.findNext(this.#now());
    if (id === null) return null;
    const turn = await this.#tryTurn(id);
    return turn instanceof Turn ? turn : null;
  }

  async #runTurn(taken: Turn, bodyOf: (row: TaskRow) => TaskBody<unknown>, options: RunOptions): Promise<string> {
    using turn = taken;
    try {
      await runTask(this.#room, turn.row, null, options, (run) => bodyOf(turn.row)(run));
    } catch (error) {
      this.#room.say(`task ${turn.row.id}: ${error instanceof Error ? error.message : String(error)}`);
    }
    return turn.row.id;
  }

  async #requireWaiting(id: string, signal: AbortSignal): Promise<void> {
    const row = await this.#room.log.read(id);
    if (row?.state === 'queued') return;
    if (signal.aborted)
      throw new SalvorError('cancelled', { what: `task ${id} had not begun` }, { cause: signal.reason });
    const by = row?.cancelled_by ?? 'somebody';
    throw new SalvorError('cancelled', { what: `task ${id} was cancelled by ${by} before it began` });
  }

  /** Whether it was of a process that is gone, and is finished or undone now. */
  async #recoverDead(id: string): Promise<boolean> {
    const other = await this.#room.log.read(id);
    if (other?.state !== 'running' || isAlive(processOf(other))) return false;
    await this.#room.recover();
    return (await this.#room.log.read(id))?.state !== 'running';
  }

  /** Who does not want to wait has wanted nothing: the task is not in the list as one that failed. */
  async #refuse(id: TaskId, other: string): Promise<never> {
    await this.#room.log.cancel(id, this.#room.who, this.#room.clock());
    const row = await this.#room.log.read(other);
    const own = await this.#room.log.read(id);
    throw row === null
      ? new SalvorError('site-busy', { site: `${own?.account}/${own?.uri}`, task: other, process: 'another' })
      : busy(row);
  }

  async #pause(signal: AbortSignal): Promise<void> {
    // Told to stop, the caller looks at once.
    await sleep(this.#room.limits.pollMs, undefined, { signal }).catch(() => undefined);
  }

  #now(): HostNow {
    return { now: this.#room.clock(), load: this.#room.load(), isAlive };
  }
}

/** A task that has its turn, with its site's lock: both end together. */
class Turn implements Disposable {
  readonly row: TaskRow;
  readonly #held: DisposableStack;

  constructor(row: TaskRow, held: DisposableStack) {
    this.row = row;
    this.#held = held;
  }

  [Symbol.dispose](): void {
    this.#held.dispose();
  }
}
