import { z } from 'zod';
import { list } from './scalars.ts';

/** What every command prints with `--json` where it failed or was used wrongly. */
export const ErrorDocument = z
  .object({
    error: z
      .object({
        code: z.string().min(1),
        message: z.string().min(1),
        /** What to do next; null for a fault of Salvor's own. */
        hint: z.string().nullable(),
        context: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), list(z.string())])).readonly(),
      })
      .readonly(),
  })
  .readonly();
export type ErrorDocument = z.infer<typeof ErrorDocument>;
