import { availableParallelism } from 'node:os';
import { presetPolicy } from '../policies/policy.ts';
import type { Policy } from '../policies/settings.ts';
import type { Journal } from '../tasks/journal.ts';

/** How much at once, how long, how often. Handed in, so that a policy can set them and a test can hurry. */
export type QueueLimits = {
  /** Tasks that run at the same time on this host; what brings a site back is not held up by it. */
  readonly atOnce: number;
  /** Load (of the last minute) above which no task begins that nobody waits for. */
  readonly maxLoad: number;
  /** A task that runs for longer is stopped and taken back. */
  readonly timeoutMs: number;
  /** A process that lives and shows no sign of life for this long is hung. */
  readonly hungAfterMs: number;
  /** How often a waiting process looks whether its turn has come. */
  readonly pollMs: number;
  /** How often a running task shows that it lives, and looks whether it was cancelled. */
  readonly beatMs: number;
  /** The wait before the second try; it doubles with each further one. */
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
};

/** As the host's policy has them; what no policy names is how the queue works and not how much. */
export function limitsOf(policy: Policy): QueueLimits {
  return {
    atOnce: policy.tasksAtOnce,
    maxLoad: policy.loadPerProcessor * availableParallelism(),
    timeoutMs: policy.taskTimeoutMs,
    // The longest that a step keeps the process from answering is seconds: the sort of a huge listing.
    hungAfterMs: 60_000,
    pollMs: 250,
    beatMs: 1000,
    backoffMs: 60_000,
    maxBackoffMs: 3_600_000,
  };
}

/** Of the preset that is the default. */
export const STANDARD_LIMITS: QueueLimits = limitsOf(presetPolicy('standard'));

export const PRIORITIES = { maintenance: 1, backup: 2, restore: 3 } as const;

/** A site that is to be brought back goes before one that is saved, and that before all that can wait. */
export const PRIORITY_OF: Readonly<Record<Journal['operation'], number>> = {
  restore: PRIORITIES.restore,
  undo: PRIORITIES.restore,
  // An archive that somebody wants to restore, or to look into.
  unpack: PRIORITIES.restore,
  // Small files, and somebody who wants visitors kept out now.
  disable: PRIORITIES.restore,
  enable: PRIORITIES.restore,
  backup: PRIORITIES.backup,
  daily: PRIORITIES.maintenance,
  verify: PRIORITIES.maintenance,
  confirm: PRIORITIES.maintenance,
  delete: PRIORITIES.maintenance,
  'backup-delete': PRIORITIES.maintenance,
  // Somebody waits for it, and the site answers meanwhile.
  clone: PRIORITIES.backup,
  import: PRIORITIES.backup,
  rename: PRIORITIES.backup,
  migrate: PRIORITIES.backup,
  export: PRIORITIES.backup,
};

/** They read points and nothing of the site: other tasks of it run beside them, whoever came first. */
const SITE_LESS: ReadonlySet<string> = new Set<Journal['operation']>(['export']);

/** Whether a task of this operation has its site to itself while it runs. */
export function holdsSite(operation: string): boolean {
  return !SITE_LESS.has(operation);
}
