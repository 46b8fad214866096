import { z } from 'zod';
import { Time } from './scalars.ts';

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

/** One run of one operation, as lists show it. */
export const TaskSummary = z
  .object({
    id: z.string().min(1),
    /** `backup`, `restore`, `undo` … */
    operation: z.string().min(1),
    account: z.string(),
    uri: z.string(),
    state: TaskState,
    startedAt: Time,
    endedAt: Time.nullable(),
    /** Until when `salvor undo` can switch it back; null where it can't. */
    undoUntil: Time.nullable(),
  })
  .readonly();
export type TaskSummary = z.infer<typeof TaskSummary>;
