import type {
  IdentityDocument,
  IdentityPlan,
  Problem,
  RestoreDocument,
  TaskProgress,
  TaskState,
  TaskSummary,
} from '@salvor/contract';
import { isAlive } from '../lib/process-identity.ts';
import type { TaskRow } from '../store/tables.ts';
import { isNobodys, processOf } from './task-log.ts';
import { isOver } from './task-states.ts';

/** A row as callers see it. `waitsFor` is asked of the queue, because it depends on all the others. */
export function documentOfTask(
  row: TaskRow,
  now: { readonly at: Date; readonly hungAfterMs: number; readonly waitsFor: string | null },
): TaskSummary {
  const state = row.state as TaskState;
  const isInHand = !isOver(state) && !isNobodys(row);
  return {
    id: row.id,
    operation: row.operation,
    account: row.account,
    uri: row.uri,
    state,
    queuedAt: row.queued,
    startedAt: row.started,
    endedAt: row.ended,
    seenAt: row.seen,
    isHung: isHung(row, now),
    process: isInHand ? row.pid : null,
    attempt: row.attempt,
    attempts: row.attempts,
    progress: row.progress === null ? null : readProgress(row.progress),
    waitsFor: now.waitsFor,
    cancelledBy: row.cancelled_by,
    point: row.point,
    problems: row.problems,
    error: row.error === null ? null : { code: row.error_code, message: row.error },
    undoUntil: row.undo_until,
  };
}

/** Of each task whose process lives and has stopped to show it, for `status`. */
export function problemOfHung(task: TaskSummary): Problem {
  const message = `task ${task.id} (${task.operation}) has shown no sign of life since ${task.seenAt ?? 'its start'}: look at process ${task.process ?? 'unknown'}; if that is ended, the next command finishes or undoes the task`;
  return { code: 'task-hung', message, path: `${task.account}/${task.uri}` };
}

function isHung(row: TaskRow, now: { readonly at: Date; readonly hungAfterMs: number }): boolean {
  if (row.state !== 'running' || row.seen === null) return false;
  return now.at.getTime() - Date.parse(row.seen) > now.hungAfterMs && isAlive(processOf(row));
}

/** Steps may tell more of themselves than a document has. */
function readProgress(text: string): TaskProgress {
  const { step, files, bytes, filesTotal, bytesTotal, current } = JSON.parse(text) as TaskProgress;
  return { step, files, bytes, filesTotal, bytesTotal, current };
}

/** Of a document that shows a plan alone. */
export function stateOfPlan({ obstacles }: { readonly obstacles: readonly Problem[] }): TaskState {
  return obstacles.length === 0 ? 'succeeded' : 'warned';
}

/** What a dry run of a clone, a rename, a migration or an import tells: nothing was touched, and there is no task. */
export function previewOf(plan: IdentityPlan): IdentityDocument {
  return {
    task: null,
    state: stateOfPlan(plan),
    safetyPoint: null,
    archive: null,
    plan,
    rewritten: [],
    page: null,
    undoUntil: null,
    problems: plan.obstacles,
  };
}

/** What a restore tells that switches nothing: a dry run, or one into a directory. */
export function withoutTask(plan: RestoreDocument['plan'], problems: readonly Problem[]): RestoreDocument {
  const state = problems.length === 0 ? 'succeeded' : 'warned';
  return {
    task: null,
    state,
    safetyPoint: null,
    plan,
    refreshed: [],
    changedMeanwhile: null,
    page: null,
    undoneBy: null,
    archive: null,
    undoUntil: null,
    problems,
  };
}
