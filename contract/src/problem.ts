import { z } from 'zod';

/**
 * A fact that did not stop an operation, or that keeps a part of it from being done. `path` is the file,
 * table or site that it is about, `null` where there is none; `file` and `line` say where it was read.
 */
export const Problem = z
  .object({
    code: z.string().min(1),
    message: z.string().min(1),
    path: z.string().nullable().optional(),
    file: z.string().optional(),
    line: z.int().positive().optional(),
  })
  .readonly();
export type Problem = z.infer<typeof Problem>;
