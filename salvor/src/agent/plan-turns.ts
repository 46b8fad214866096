/**
 * Whose turn it is: pure. Of the tasks that wait, in the order of priority (at the same one those that
 * somebody waits for go first) and then of time, each gets its site and a
 * place if both are free; what a better one gets is not free any more, so that a restore that waits for a place is not
 * overtaken for ever by backups that were wanted later.
 */
import { PRIORITIES, type QueueLimits, holdsSite } from './queue-limits.ts';

export type WaitingTask = {
  readonly id: string;
  readonly operation: string;
  /** `ACCOUNT/URI`. */
  readonly site: string;
  readonly priority: number;
  readonly queuedMs: number;
  /** Null where it may begin at once. */
  readonly notBeforeMs: number | null;
  /** Whether somebody waits for it to end; else it is one of those that give way to the host's load. */
  readonly isWanted: boolean;
};

export type RunningTask = Pick<WaitingTask, 'id' | 'operation' | 'site'>;

/** What a task waits for. `task` is the one whose end would help. */
export type Wait =
  | { readonly for: 'task'; readonly task: string; readonly why: string }
  | { readonly for: 'place' | 'load' | 'time'; readonly task: null; readonly why: string };

/** Null for each whose turn it is. */
export function planTurns(
  waiting: readonly WaitingTask[],
  running: readonly RunningTask[],
  host: { readonly nowMs: number; readonly load: number },
  limits: Pick<QueueLimits, 'atOnce' | 'maxLoad' | 'maxBackoffMs'>,
): ReadonlyMap<string, Wait | null> {
  const sites = new Map(running.filter(({ operation }) => holdsSite(operation)).map((task) => [task.site, task]));
  let places = limits.atOnce - running.length;
  const turns = new Map<string, Wait | null>();
  for (const task of waiting.toSorted(byTurn)) {
    const wait = waitOf(task, sites, places, host, limits);
    turns.set(task.id, wait);
    if (wait !== null) continue;
    if (holdsSite(task.operation)) sites.set(task.site, task);
    places--;
  }
  return turns;
}

function waitOf(
  task: WaitingTask,
  sites: ReadonlyMap<string, RunningTask>,
  places: number,
  host: { readonly nowMs: number; readonly load: number },
  limits: Pick<QueueLimits, 'atOnce' | 'maxLoad' | 'maxBackoffMs'>,
): Wait | null {
  const aheadMs = (task.notBeforeMs ?? host.nowMs) - host.nowMs;
  // No wait is as long: further ahead, the clock was set back since.
  if (task.notBeforeMs !== null && aheadMs > 0 && aheadMs <= 2 * limits.maxBackoffMs)
    return { for: 'time', task: null, why: `its next try at ${new Date(task.notBeforeMs).toISOString()}` };
  const other = holdsSite(task.operation) ? sites.get(task.site) : undefined;
  if (other !== undefined) return { for: 'task', task: other.id, why: `task ${other.id} (${other.operation})` };
  // Whoever wants a site back must not wait for copies of others.
  if (task.priority >= PRIORITIES.restore) return null;
  if (places <= 0) return { for: 'place', task: null, why: `one of the ${limits.atOnce} tasks that run to end` };
  if (!task.isWanted && host.load > limits.maxLoad)
    return { for: 'load', task: null, why: `the host's load (${host.load.toFixed(1)}) to fall to ${limits.maxLoad}` };
  return null;
}

function byTurn(one: WaitingTask, other: WaitingTask): number {
  return (
    other.priority - one.priority ||
    Number(other.isWanted) - Number(one.isWanted) ||
    one.queuedMs - other.queuedMs ||
    (one.id < other.id ? -1 : 1)
  );
}
