import { z } from 'zod';
import { Problem } from './problem.ts';
import { list } from './scalars.ts';
import { TaskState } from './task.ts';

/** `salvor undo TASK --json` */
export const UndoDocument = z
  .object({
    /** The undo's own task. */
    task: z.string().min(1),
    state: TaskState,
    /** PHP files whose content the switch changed, relative to the site's directory: they carry the time of the switch. */
    refreshed: list(z.string()),
    problems: list(Problem),
  })
  .readonly();
export type UndoDocument = z.infer<typeof UndoDocument>;
