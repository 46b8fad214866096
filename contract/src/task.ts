import { z } from 'zod';
import { Bytes, Count, Time } from './scalars.ts';

export const TASK_STATES = [
  'queued',
  'running',
  'succeeded',
  'warned',
  'failed',
  'rolled-back',
  'rollback-failed',
  'cancelled',
] as const;

export const TaskState = z.enum(TASK_STATES);
export type TaskState = z.infer<typeof TaskState>;

/** What a command exits with when its document carries this state. */
export const EXIT_OF_STATE = {
  queued: 1,
  running: 1,
  succeeded: 0,
  warned: 3,
  failed: 1,
  'rolled-back': 1,
  'rollback-failed': 1,
  cancelled: 1,
} as const satisfies Record<TaskState, 0 | 1 | 3>;

/** How far the step at hand is. What is not known is null; `current` is the file or table at hand. */
export const TaskProgress = z
  .object({
    step: z.string(),
    files: Count,
    bytes: Bytes,
    filesTotal: Count.nullable(),
    bytesTotal: Bytes.nullable(),
    current: z.string(),
  })
  .readonly();
export type TaskProgress = z.infer<typeof TaskProgress>;

/** One run of one operation, as lists show it. */
export const TaskSummary = z
  .object({
    id: z.string().min(1),
    /** `backup`, `restore`, `undo` … */
    operation: z.string().min(1),
    account: z.string(),
    uri: z.string(),
    state: TaskState,
    queuedAt: Time,
    /** Null while it waits for its turn. */
    startedAt: Time.nullable(),
    endedAt: Time.nullable(),
    /** The last sign of life of the process that runs it, or that waits for its turn; null where nobody has it in hand. */
    seenAt: Time.nullable(),
    /** Its process lives and has shown no sign of life for longer than any step takes. */
    isHung: z.boolean(),
    /** That process; null where nobody has it in hand, or it has ended. */
    process: z.int().positive().nullable(),
    /** Which try this is, and how many there may be. */
    attempt: Count,
    attempts: Count,
    progress: TaskProgress.nullable(),
    /** Of a queued one: what it waits for, in words. */
    waitsFor: z.string().nullable(),
    /** Who has asked it to stop. */
    cancelledBy: z.string().nullable(),
    /** The point that a backup made, or the safety point of a task that changes the site. */
    point: z.string().nullable(),
    /** How many facts it has named; `salvor task log` has them. */
    problems: Count,
    /** Why it ended as it did, where it did not succeed. */
    error: z.object({ code: z.string().nullable(), message: z.string() }).readonly().nullable(),
    /** Until when `salvor undo` can switch it back; null where it can't. */
    undoUntil: Time.nullable(),
  })
  .readonly();
export type TaskSummary = z.infer<typeof TaskSummary>;
