import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Problem, TaskState } from '@salvor/contract';
import { SalvorError } from '../errors.ts';
import type { AuditLog } from '../lib/audit-log.ts';
import { NOBODY, identifyThisProcess } from '../lib/process-identity.ts';
import type { Journal, JournalSite } from '../tasks/journal.ts';
import { type RecoveryTools, recoverTask } from '../tasks/recover-task.ts';
import { type TaskId, makeTaskId } from '../tasks/task-id.ts';
import { TaskRun, type TaskProgress } from '../tasks/task-run.ts';
import type { Journals } from './journals.ts';
import type { Locks } from './locks.ts';
import type { TaskLog } from './task-log.ts';
import { makeDirectories } from '../lib/make-directories.ts';
import { Words } from './words.ts';

/** What tasks run in: the same for all of one agent. */
export type TaskRoom = {
  readonly state: string;
  readonly locks: Locks;
  readonly journals: Journals;
  readonly log: TaskLog;
  readonly auditLog: AuditLog;
  readonly clock: () => Date;
  readonly random: () => number;
  readonly randomBytes: (count: number) => Uint8Array;
  /** Each line that a task says, as it says it. */
  readonly say: (line: string) => void;
  readonly administratorOf: RecoveryTools['administratorOf'];
};

export type TaskWanted = {
  readonly operation: Journal['operation'];
  readonly site: JournalSite;
  readonly of: TaskId | null;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: TaskProgress) => void;
};

export type TaskOutcome<T> = {
  readonly task: TaskId;
  readonly state: 'succeeded' | 'warned';
  readonly result: T;
  readonly problems: readonly Problem[];
};

/**
 * Runs one operation on one site from its lock to its entry in the list of tasks. Where the body fails, what it had
 * begun is finished or undone by the same code that does it after a crash, and then its error is thrown.
 *
 *   lock → row → journal → body → journal gone or kept → row closed → lock off
 */
export async function runTask<T>(
  room: TaskRoom,
  wanted: TaskWanted,
  body: (run: TaskRun) => Promise<T>,
): Promise<TaskOutcome<T>> {
  const id = makeTaskId(room.clock(), room.random);
  using held = new DisposableStack();
  held.use(room.locks.lockSite(wanted.site, id));
  const scratch = scratchOf(room.state, id);
  const words = new Words(room, id);
  let journal = beginJournal(room, wanted, id);
  room.journals.write(journal);
  await room.log.begin({
    id,
    operation: wanted.operation,
    ...wanted.site,
    started: room.clock(),
    process: journal.process,
  });
  makeDirectories(scratch, 0o700);

  const run = new TaskRun({
    id,
    scratch,
    signal: wanted.signal,
    clock: room.clock,
    randomBytes: room.randomBytes,
    readJournal: () => journal,
    writeJournal: (next) => {
      room.journals.write(next);
      journal = next;
    },
    say: (line) => words.say(line),
    audit: room.auditLog.for(id),
    onProgress: wanted.onProgress,
  });
  try {
    const result = await body(run);
    const state = run.problems.length === 0 ? 'succeeded' : 'warned';
    rmSync(scratch, { recursive: true, force: true });
    await words.flush();
    await closeTask(room, journal, { state, error: null });
    return { task: id, state, result, problems: run.problems };
  } catch (cause) {
    const error = nameFailure(cause, wanted.signal);
    words.say(`failed: ${error instanceof Error ? error.message : String(error)}`);
    rmSync(scratch, { recursive: true, force: true });
    const state = await takeBack(room, journal, error, words);
    await words.flush();
    // What could not be taken back stays in the journal: the next command tries again.
    if (state === 'rollback-failed') await room.log.end(id, { state, ended: room.clock(), error: String(error) });
    throw error;
  }
}

/** Ends a task: its journal goes, or stays where something is kept for `undo`; then its row says how it ended. */
export async function closeTask(
  room: Pick<TaskRoom, 'journals' | 'log' | 'clock'>,
  journal: Journal,
  outcome: { readonly state: TaskState; readonly error: string | null },
): Promise<void> {
  if (journal.phase !== 'kept') room.journals.remove(journal.task);
  if (journal.of !== null && journal.phase === 'kept') await room.log.setUndoUntil(journal.of, null);
  await room.log.end(journal.task, {
    state: outcome.state,
    ended: room.clock(),
    point: journal.point,
    undoUntil: journal.phase === 'kept' ? journal.undoUntil : null,
    error: outcome.error,
  });
}

/** The private directory of a task. */
export function scratchOf(state: string, task: TaskId | ''): string {
  return join(state, 'scratch', task);
}

async function takeBack(room: TaskRoom, journal: Journal, error: unknown, words: Words): Promise<TaskState> {
  const text = error instanceof Error ? error.message : String(error);
  try {
    const recovered = await recoverTask(journal, {
      ...room,
      say: (line) => words.say(line),
      audit: room.auditLog.for(journal.task),
    });
    const isCancelled = error instanceof SalvorError && error.code === 'cancelled';
    // A task that had changed nothing is failed; one that was taken back says so.
    const state = recovered.state === 'failed' && isCancelled ? 'cancelled' : recovered.state;
    await closeTask(room, recovered.journal, { state, error: text });
    return state;
  } catch (failure) {
    // Given up by this process, so that the next command's recovery takes it, also while this process lives on.
    room.journals.write({ ...(room.journals.read(journal.task) ?? journal), process: NOBODY });
    words.say(`could not be taken back: ${failure instanceof Error ? failure.message : String(failure)}`);
    return 'rollback-failed';
  }
}

function beginJournal(room: TaskRoom, wanted: TaskWanted, task: TaskId): Journal {
  return {
    version: 2,
    task,
    operation: wanted.operation,
    process: identifyThisProcess(),
    started: room.clock().toISOString(),
    site: wanted.site,
    phase: 'started',
    of: wanted.of,
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
  if (signal.aborted)
    return error instanceof SalvorError && error.code === 'cancelled'
      ? error
      : new SalvorError('cancelled', {}, { cause: error });
  const full = findFullDisk(error);
  return full === null ? error : new SalvorError('disk-full', { where: full }, { cause: error });
}

/** The message of the first error in the chain that says that a disk is full. */
function findFullDisk(error: unknown): string | null {
  for (let at = error, depth = 0; at instanceof Error && depth < MAX_CAUSES; at = at.cause, depth++) {
    const code = 'code' in at ? at.code : undefined;
    const errno = 'errno' in at ? at.errno : undefined;
    if (code === 'disk-full') return null;
    if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'storage-full' || code === 'target-full')
      return at.message.replace(/\.$/, '');
    // MariaDB: disk full, and a table that is full because its disk is.
    if (errno === 1021 || errno === 1114) return at.message;
  }
  return null;
}

/** No chain of ours is as long; one that bites its tail ends here. */
const MAX_CAUSES = 10;
