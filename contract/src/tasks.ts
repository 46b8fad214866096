import { z } from 'zod';
import { PlannedHook } from './hook.ts';
import { Problem } from './problem.ts';
import { Bytes, Count, Time, list } from './scalars.ts';
import { TaskState, TaskSummary } from './task.ts';

/** `salvor tasks --json`: newest first. */
export const TasksDocument = list(TaskSummary);
export type TasksDocument = z.infer<typeof TasksDocument>;

export const TASK_LINE_KINDS = ['info', 'warning', 'error'] as const;

/** What a task said. Of a warning and an error `code` is the reason that a program may branch on. */
export const TaskLine = z
  .object({
    number: Count,
    time: Time,
    kind: z.enum(TASK_LINE_KINDS),
    code: z.string().nullable(),
    text: z.string(),
  })
  .readonly();
export type TaskLine = z.infer<typeof TaskLine>;

/** `salvor task log ID --json`; with `--follow` as it stands when the task has ended. */
export const TaskLogDocument = z.object({ task: TaskSummary, lines: list(TaskLine) }).readonly();
export type TaskLogDocument = z.infer<typeof TaskLogDocument>;

/** `salvor task cancel ID --json` */
export const TaskCancelDocument = z
  .object({
    task: z.string().min(1),
    /** As it was found. */
    was: TaskState,
    /** As it stands now: where it had passed the point from which nothing is taken back, as it ended. */
    state: TaskState,
    problems: list(Problem),
  })
  .readonly();
export type TaskCancelDocument = z.infer<typeof TaskCancelDocument>;

/** What a confirmation is going to drop, found by looking: it can't be undone. */
export const ConfirmPlan = z
  .object({
    account: z.string(),
    uri: z.string(),
    /** The task that is confirmed, and what it was; null where that is not known any more. */
    task: z.string().min(1),
    operation: z.string().min(1).nullable(),
    /** Until when `undo` would find what it replaced; null where it keeps nothing. */
    undoUntil: Time.nullable(),
    databases: list(
      z
        .object({
          name: z.string().min(1),
          /** The site's database that its tables came from; null of one that a delete has emptied, which goes with its user. */
          of: z.string().min(1).nullable(),
          user: z.string().min(1).nullable(),
          tables: Count,
          /** As the server says. */
          bytes: Bytes,
        })
        .readonly(),
    ),
    /** Where directories that were replaced are kept: absolute. */
    places: list(z.object({ path: z.string().min(1), files: Count, bytes: Bytes }).readonly()),
    /** The point whose pin ends: from then on it lives as long as the rules say. Null where none is pinned. */
    safetyPoint: z.string().min(1).nullable(),
    /** Around its steps, in their order. */
    hooks: list(PlannedHook),
    /** What has to be put right first. With any of these nothing is done. */
    obstacles: list(Problem),
    notes: list(Problem),
  })
  .readonly();
export type ConfirmPlan = z.infer<typeof ConfirmPlan>;

/** `salvor confirm TASK --json` */
export const ConfirmDocument = z
  .object({
    /** The confirmation's own task; null with `--dry-run`. */
    task: z.string().min(1).nullable(),
    state: TaskState,
    /** With `--dry-run`; null where it was done. */
    plan: ConfirmPlan.nullable(),
    /** The point whose pin has ended; null where the task had none. From now on it lives as long as the rules say. */
    safetyPoint: z.string().min(1).nullable(),
    /** Whether what the task had replaced was dropped; false where it kept nothing, or a problem names why it stays. */
    isDropped: z.boolean(),
    problems: list(Problem),
  })
  .readonly();
export type ConfirmDocument = z.infer<typeof ConfirmDocument>;
