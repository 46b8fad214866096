import { z } from 'zod';
import { PlannedHook } from './hook.ts';
import { Problem } from './problem.ts';
import { Bytes, Time, list } from './scalars.ts';
import { TaskState } from './task.ts';

/** What deleting a point is going to remove, found by looking. */
export const BackupDeletePlan = z
  .object({
    account: z.string().min(1),
    uri: z.string().min(1),
    point: z.string().min(1),
    pointTime: Time,
    /** Its files on the disk. */
    archives: list(z.object({ path: z.string().min(1), bytes: Bytes }).readonly()),
    /** Its id in the account's local repository; what it alone holds is free after a prune. Null where it has none. */
    snapshot: z.string().min(1).nullable(),
    /** Around its steps, in their order. */
    hooks: list(PlannedHook),
    /** Why it must stay. With any of these nothing is done. */
    obstacles: list(Problem),
    notes: list(Problem),
  })
  .readonly();
export type BackupDeletePlan = z.infer<typeof BackupDeletePlan>;

/** `salvor backup-delete POINT --json` */
export const BackupDeleteDocument = z
  .object({
    /** Null with `--dry-run`. */
    task: z.string().min(1).nullable(),
    state: TaskState,
    /** With `--dry-run`; null where it was done. */
    plan: BackupDeletePlan.nullable(),
    point: z.string().min(1),
    removed: list(
      z
        .object({
          kind: z.enum(['archive', 'snapshot']),
          /** Of an archive its file, of a snapshot its id. */
          path: z.string(),
          /** Of an archive; what a snapshot took is free after a prune. */
          bytes: Bytes.nullable(),
        })
        .readonly(),
    ),
    problems: list(Problem),
  })
  .readonly();
export type BackupDeleteDocument = z.infer<typeof BackupDeleteDocument>;
