import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Problem, TaskState } from '@salvor/contract';
import { SalvorError } from '../errors.ts';
import type { AuditLog } from '../lib/audit-log.ts';
import { NOBODY, type ProcessIdentity, identifyThisProcess } from '../lib/process-identity.ts';
import type { TaskRow } from '../store/tables.ts';
import type { Journal } from '../tasks/journal.ts';
import { type RecoveryTools, recoverTask } from '../tasks/recover-task.ts';
import { type TaskId, parseTaskId } from '../tasks/task-id.ts';
import { type StepHooks, TaskRun, type TaskProgress } from '../tasks/task-run.ts';
import type { Uptime } from './clock-watch.ts';
import type { Journals } from './journals.ts';
import type { Locks } from './locks.ts';
import { Heartbeat } from './heartbeat.ts';
import type { QueueLimits } from './queue-limits.ts';
import type { TaskLog } from './task-log.ts';
import type { Way } from './way.ts';
import { Words } from './words.ts';
import { makeDirectories } from '../lib/make-directories.ts';
import { codeOf, errnoOf } from '../lib/errno.ts';

/** What tasks run in: the same for all of one agent. */
export type TaskRoom = {
  readonly state: string;
  readonly locks: Locks;
  readonly journals: Journals;
  readonly log: TaskLog;
  readonly auditLog: AuditLog;
  readonly clock: () => Date;
  readonly uptime: () => Uptime;
  readonly random: () => number;
  readonly randomBytes: (count: number) => Uint8Array;
  /** Each line that a task says, as it says it. */
  readonly say: (line: string) => void;
  readonly administratorOf: RecoveryTools['administratorOf'];
  readonly limits: QueueLimits;
  readonly way: Way;
  /** The host's load of the last minute. */
  readonly load: () => number;
  /** The hoster's hooks around the steps of a task; null where the policy of its site names none. */
  readonly hooksOf: (row: HookedRow) => StepHooks | null;
  /** Finishes or undoes what dead processes left: a task may wait for one of theirs. */
  readonly recover: () => Promise<void>;
  /** Who asks, for the audit log and for those whose task is cancelled. */
  readonly who: string;
};

/** What of a task's row its hooks go by. */
export type HookedRow = Pick<TaskRow, 'operation' | 'account' | 'uri' | 'path' | 'wish' | 'attempt'>;

/** What a body needs beside its own: the same for a command that waits and for whoever runs the queue. */
export type RunOptions = {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: TaskProgress) => void;
  /** Whether the task gives way to everything else on the host; not so where it is left out. */
  readonly isGentle?: boolean;
};

export type TaskBody<T> = (run: TaskRun) => Promise<T>;

export type TaskOutcome<T> = {
  readonly task: TaskId;
  readonly state: 'succeeded' | 'warned' | 'failed';
  readonly result: T;
  readonly problems: readonly Problem[];
};

/** It failed with what may pass by itself, nothing of it is left, and it waits for its next try. */
export const TRY_AGAIN = Symbol('try again');

/**
 * One try of a task that has its turn and its site's lock, to its entry in the list of tasks. Where the body fails,
 * what it had begun is finished or undone by the same code that does it after a crash, and then its error is thrown.
 *
 *   journal → body → journal gone or kept → row closed
 */
export async function runTask<T>(
  room: TaskRoom,
  row: TaskRow,
  owner: ProcessIdentity | null,
  options: RunOptions,
  body: TaskBody<T>,
): Promise<TaskOutcome<T> | typeof TRY_AGAIN> {
  const id = parseTaskId(row.id);
  if (id === null) throw new Error(`${row.id} is no task's name`);
  const scratch = scratchOf(room.state, id);
  const words = new Words(room, id);
  let journal = beginJournal(room, row, id);
  using _ = room.way.enter(options.isGentle === true);
  using beat = new Heartbeat({
    task: id,
    process: journal.process,
    log: room.log,
    words,
    clock: room.clock,
    beatMs: room.limits.beatMs,
    timeoutMs: row.timeout_ms,
    signal: options.signal,
  });
  const run = new TaskRun({
    id,
    scratch,
    signal: beat.signal,
    clock: room.clock,
    randomBytes: room.randomBytes,
    readJournal: () => journal,
    writeJournal: (next) => {
      room.journals.write(next);
      journal = next;
    },
    say: (line, kind) => {
      words.say(line, kind);
      beat.countProblems(run.problems.length);
    },
    audit: room.auditLog.for(id),
    onProgress: (progress) => {
      beat.show(progress);
      options.onProgress(progress);
    },
    hooks: room.hooksOf(row),
  });
  try {
    room.journals.write(journal);
    makeDirectories(scratch, 0o700);
    const result = await body(run);
    const { failure } = run;
    const state = failure !== null ? 'failed' : run.problems.length === 0 ? 'succeeded' : 'warned';
    rmSync(scratch, { recursive: true, force: true });
    await words.flush();
    await closeTask(room, journal, {
      state,
      error: failure?.message ?? null,
      errorCode: failure?.code ?? null,
      problems: run.problems.length,
    });
    return { task: id, state, result, problems: run.problems };
  } catch (cause) {
    const error = nameFailure(cause, beat.signal);
    const text = error instanceof Error ? error.message : String(error);
    words.say(text, { kind: 'error', code: codeOf(error) });
    rmSync(scratch, { recursive: true, force: true });
    const state = await takeBack(room, journal, error, words);
    const isLeft = state === 'rollback-failed';
    const again = isLeft ? null : timeOfNextTry(room, row, error, state);
    if (again !== null) words.say(`begins again at ${again.toISOString()}`);
    await words.flush();
    const failure = { error: text, errorCode: codeOf(error), problems: run.problems.length };
    const now = room.clock();
    if (again !== null && (await room.log.tryAgain(id, { at: again, owner, now, ...failure }))) {
      room.journals.remove(id);
      return TRY_AGAIN;
    }
    // What could not be taken back stays in the journal: the next command tries again.
    if (isLeft) await room.log.end(id, { state, ended: now, ...failure });
    else await closeTask(room, room.journals.read(id) ?? journal, { state, ...failure });
    throw error;
  }
}

/** Null for a task that is not tried again: it was the last try, or its error does not pass by itself. */
function timeOfNextTry(room: TaskRoom, row: TaskRow, error: unknown, state: TaskState): Date | null {
  const isTransient =
    error instanceof Error && 'retry' in error && error.retry === 'later' && codeOf(error) !== 'cancelled';
  const isClean = state === 'failed' || state === 'rolled-back';
  if (!isTransient || !isClean || row.attempt >= row.attempts) return null;
  const { backoffMs, maxBackoffMs } = room.limits;
  const waitMs = Math.min(maxBackoffMs, backoffMs * 2 ** (row.attempt - 1));
  // Not all that failed together at the same instant again.
  return new Date(room.clock().getTime() + waitMs * (1 + room.random() / 4));
}

/** Ends a task: its journal goes, or stays where something is kept for `undo`; then its row says how it ended. */
export async function closeTask(
  room: Pick<TaskRoom, 'journals' | 'log' | 'clock'>,
  journal: Journal,
  outcome: {
    readonly state: TaskState;
    readonly error: string | null;
    readonly errorCode?: string | null;
    readonly problems?: number;
  },
): Promise<void> {
  if (journal.phase !== 'kept') room.journals.remove(journal.task);
  if (journal.of !== null && journal.phase === 'kept') await room.log.setUndoUntil(journal.of, null);
  await room.log.end(journal.task, {
    ...outcome,
    ended: room.clock(),
    point: journal.point,
    undoUntil: journal.phase === 'kept' ? journal.undoUntil : null,
  });
}

/** The private directory of a task. */
export function scratchOf(state: string, task: TaskId | ''): string {
  return join(state, 'scratch', task);
}

/** What it ends as. Its journal is as recovery left it: gone by the caller's hand, or kept. */
async function takeBack(room: TaskRoom, journal: Journal, error: unknown, words: Words): Promise<TaskState> {
  try {
    const recovered = await recoverTask(journal, {
      ...room,
      say: (line) => words.say(line),
      audit: room.auditLog.for(journal.task),
    });
    const isCancelled = codeOf(error) === 'cancelled';
    // A task that had changed nothing is failed; one that was taken back says so.
    return recovered.state === 'failed' && isCancelled ? 'cancelled' : recovered.state;
  } catch (failure) {
    // Given up by this process, so that the next command's recovery takes it, also while this process lives on.
    room.journals.write({ ...(room.journals.read(journal.task) ?? journal), process: NOBODY });
    const text = failure instanceof Error ? failure.message : String(failure);
    words.say(`could not be taken back: ${text}`, { kind: 'error', code: codeOf(failure) });
    return 'rollback-failed';
  }
}

function beginJournal(room: TaskRoom, row: TaskRow, task: TaskId): Journal {
  return {
    version: 2,
    task,
    operation: row.operation as Journal['operation'],
    process: identifyThisProcess(),
    started: room.clock().toISOString(),
    site: { account: row.account, uri: row.uri, path: row.path ?? '', home: row.home ?? '' },
    phase: 'started',
    of: row.of_task === null ? null : parseTaskId(row.of_task),
    point: null,
    stagings: [],
    scratchDatabases: [],
    switch: null,
    undoUntil: null,
  };
}

/** What a person is told: a full disk is a full disk, whoever met it; a cancelled task was cancelled, whatever broke. */
function nameFailure(cause: unknown, signal: AbortSignal): unknown {
  const error = cause instanceof SuppressedError ? (cause.suppressed as unknown) : cause;
  if (signal.aborted) {
    const isOverdue = signal.reason instanceof SalvorError && signal.reason.code === 'task-overdue';
    if (isOverdue) return signal.reason;
    return error instanceof SalvorError && error.code === 'cancelled'
      ? error
      : new SalvorError(
          'cancelled',
          { what: `${whyOf(signal.reason)}what it had begun was taken back` },
          { cause: error },
        );
  }
  const full = findFullDisk(error);
  return full === null ? error : new SalvorError('disk-full', { where: full }, { cause: error });
}

/** Who or what stopped it, where that is known. */
function whyOf(reason: unknown): string {
  const what = reason instanceof SalvorError ? reason.context['what'] : undefined;
  return what === undefined ? '' : `${String(what)}; `;
}

/** The message of the first error in the chain that says that a disk is full. */
function findFullDisk(error: unknown): string | null {
  for (let at = error, depth = 0; at instanceof Error && depth < MAX_CAUSES; at = at.cause, depth++) {
    const code = errnoOf(at);
    const errno = 'errno' in at ? at.errno : undefined;
    if (code === 'disk-full') return null;
    if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'storage-full' || code === 'target-full')
      return at.message.replace(/\.$/, '');
    // MariaDB: disk full, a table that is full because its disk is, and a file of it that could not be made or written.
    if (errno === 1021 || errno === 1114 || NO_ROOM.test(at.message)) return at.message;
  }
  return null;
}

const NO_ROOM = /\(Errcode: 28\b|\(errno: 135\b/;
/** No chain of ours is as long; one that bites its tail ends here. */
const MAX_CAUSES = 10;
