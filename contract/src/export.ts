import { z } from 'zod';
import { Problem } from './problem.ts';
import { Bytes, list } from './scalars.ts';
import { TaskState } from './task.ts';

/** `salvor export SITE [POINT] --output FILE --json` */
export const ExportDocument = z
  .object({
    /** Always null: nothing that anybody has is changed. */
    task: z.null(),
    state: TaskState,
    point: z.string().min(1),
    archive: z
      .object({
        path: z.string(),
        bytes: Bytes,
        /** Of the file as it is. */
        sha256: z.string().regex(/^[0-9a-f]{64}$/),
      })
      .readonly(),
    problems: list(Problem),
  })
  .readonly();
export type ExportDocument = z.infer<typeof ExportDocument>;
