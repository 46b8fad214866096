import { z } from 'zod';
import { Problem } from './problem.ts';
import { list } from './scalars.ts';
import { TaskState } from './task.ts';

/** `salvor keys rotate --json` */
export const KeysRotateDocument = z
  .object({
    state: TaskState,
    repositories: list(
      z
        .object({
          account: z.string().min(1),
          copy: z.enum(['local', 'remote']),
          url: z.string(),
          /** False where the old key is in force: a problem says why. */
          rotated: z.boolean(),
        })
        .readonly(),
    ),
    /** The page to print, where the recovery key is another now: the one before opens nothing any more. */
    recoveryKit: z.string().startsWith('/').nullable(),
    problems: list(Problem),
  })
  .readonly();
export type KeysRotateDocument = z.infer<typeof KeysRotateDocument>;
