import { z } from 'zod';
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
