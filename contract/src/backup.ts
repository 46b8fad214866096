import { z } from 'zod';
import { PlannedHook } from './hook.ts';
import { Problem } from './problem.ts';
import { Bytes, Count, list } from './scalars.ts';
import { TaskState } from './task.ts';

/** `salvor backup SITE --json` */
export const BackupDocument = z
  .object({
    task: z.string().min(1),
    state: TaskState,
    /** The new point's id. */
    point: z.string().min(1),
    /** Null where the policy wants none, and where none could be written, which is then a problem. */
    archive: z.object({ path: z.string(), bytes: Bytes }).readonly().nullable(),
    files: Count,
    tables: Count,
    /** Really read from disk and from the database server. */
    bytesRead: Bytes,
    /** Added to the repository, sealed. */
    bytesStored: Bytes,
    problems: list(Problem),
  })
  .readonly();
export type BackupDocument = z.infer<typeof BackupDocument>;

/** What a backup is going to take, found by looking. */
export const BackupPlan = z
  .object({
    account: z.string().min(1),
    uri: z.string().min(1),
    /** Whose files are in the point: the site's own directory, and those that it has elsewhere. */
    directories: list(
      z
        .object({
          path: z.string().min(1),
          /** The link in the site that leads there, relative to its directory; null of its own. */
          link: z.string().nullable(),
          files: Count,
          bytes: Bytes,
          /** File systems that are mounted at or below it, which are read too. */
          mounts: list(z.string()),
        })
        .readonly(),
    ),
    databases: list(
      z
        .object({
          name: z.string().min(1),
          tables: Count,
          /** Of rows, without indexes, as the server says. */
          bytes: Bytes,
          /** Tables and views of other sites in it, which are not taken. */
          others: Count,
        })
        .readonly(),
    ),
    /** What lies in these directories and is in no point: absolute. */
    leftOut: list(z.string()),
    /** The file that its archive would be, if it were made now; null where the policy wants none. */
    archive: z.string().min(1).nullable(),
    /** Around its steps, in their order. */
    hooks: list(PlannedHook),
    /** What has to be put right first. With any of these nothing is done. */
    obstacles: list(Problem),
    /** What the point would not hold, or not of one instant, and what may keep its archive from being written. */
    notes: list(Problem),
  })
  .readonly();
export type BackupPlan = z.infer<typeof BackupPlan>;

/** `salvor backup SITE --dry-run --json` */
export const BackupPlanDocument = z
  .object({ task: z.null(), state: TaskState, plan: BackupPlan, problems: list(Problem) })
  .readonly();
export type BackupPlanDocument = z.infer<typeof BackupPlanDocument>;
