import { z } from 'zod';
import { Problem } from './problem.ts';
import { Bytes, list } from './scalars.ts';
import { TaskState } from './task.ts';

/** `salvor backup-delete POINT --json` */
export const BackupDeleteDocument = z
  .object({
    task: z.string().min(1),
    state: TaskState,
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
