import { z } from 'zod';
import { list } from './scalars.ts';

/** A command of the hoster's before or after a step of a task. */
export const PlannedHook = z
  .object({
    when: z.enum(['before', 'after']),
    /** As the task's log names it. */
    step: z.string().min(1),
    command: list(z.string()),
  })
  .readonly();
export type PlannedHook = z.infer<typeof PlannedHook>;
