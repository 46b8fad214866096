import type { TaskState } from '@salvor/contract';

/**
 * What can happen to a task, and what it is then: the only table of it. What is not in it can't happen, whoever asks
 * (docs/decisions/0012-queue-of-the-host.md says why each is there).
 *
 *   start       its turn has come, and one process has taken it
 *   cancel      somebody wanted it to stop; of a running one, nothing of the site was changed
 *   abandon     the process that waited for its turn is gone, and nobody else would run it
 *   succeed     it is done; `warn`: and has named problems
 *   fail        it is not done, and had nothing to take back
 *   take-back   it is not done, and what it had begun was taken back
 *   get-stuck   what it had begun could not be taken back now; the next command tries again
 *   try-again   it failed with an error that may pass by itself, and waits for its next try
 */
export const TRANSITIONS = {
  queued: { start: 'running', cancel: 'cancelled', abandon: 'cancelled' },
  running: {
    succeed: 'succeeded',
    warn: 'warned',
    fail: 'failed',
    'take-back': 'rolled-back',
    'get-stuck': 'rollback-failed',
    cancel: 'cancelled',
    'try-again': 'queued',
  },
  'rollback-failed': {
    succeed: 'succeeded',
    fail: 'failed',
    'take-back': 'rolled-back',
    'get-stuck': 'rollback-failed',
  },
  succeeded: {},
  warned: {},
  failed: {},
  'rolled-back': {},
  cancelled: {},
} as const satisfies Readonly<Record<TaskState, Readonly<Partial<Record<TaskEvent, TaskState>>>>>;

export type TaskEvent =
  | 'start'
  | 'cancel'
  | 'abandon'
  | 'succeed'
  | 'warn'
  | 'fail'
  | 'take-back'
  | 'get-stuck'
  | 'try-again';

/** States from which something becomes `to`. */
export function statesBefore(to: TaskState): readonly TaskState[] {
  return Object.entries(TRANSITIONS).flatMap(([from, events]) =>
    (Object.values(events) as readonly TaskState[]).includes(to) ? [from as TaskState] : [],
  );
}

/** Nothing more comes of it by itself; what could not be taken back is tried again by every command. */
export function isOver(state: TaskState): boolean {
  return state !== 'queued' && state !== 'running';
}
