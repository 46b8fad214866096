import type { ProcessIdentity } from '../lib/process-identity.ts';
import type { Switch } from './switch-site.ts';
import type { TaskId } from './task-id.ts';

/**
 * What stands on disk beside a task, so that whatever kills it the next command can finish it or undo it. Written
 * before the thing that it announces is made: what it names may be there, what it does not name was never made.
 */
export type Journal = {
  readonly version: 1;
  readonly task: TaskId;
  readonly operation: 'backup' | 'restore' | 'undo';
  readonly process: ProcessIdentity;
  readonly started: string;
  readonly site: { readonly account: string; readonly uri: string; readonly path: string };
  readonly phase: JournalPhase;
  /** The restore that an undo takes back. */
  readonly of: TaskId | null;
  readonly safetyPoint: string | null;
  /** The place where the new is built and the old is kept: root's alone, on the site's own mount. */
  readonly staging: string | null;
  /** Databases that this task makes and that nothing else may be in. */
  readonly scratchDatabases: readonly string[];
  /** What changes places with what; null until all of it is built and compared. */
  readonly switch: Switch | null;
  readonly undoUntil: string | null;
};

/**
 * started    nothing of the site was touched; staging and scratch databases may be there
 * switching  the switch has begun: none, some or all of its parts have changed places
 * switched   all have; the site is the new one, what follows is only verifying
 * kept       the task is over; the old lies in staging and in the old databases until the grace period ends
 * undone     an undo switched back; what the restore had brought lies where the old one lay
 */
export type JournalPhase = 'started' | 'switching' | 'switched' | 'kept' | 'undone';
