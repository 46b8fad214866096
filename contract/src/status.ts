import { z } from 'zod';
import { Problem } from './problem.ts';
import { Time, list } from './scalars.ts';
import { TaskSummary } from './task.ts';

export const SiteStatus = z
  .object({
    uri: z.string().min(1),
    account: z.string().min(1),
    lastPoint: z
      .object({ id: z.string().min(1), time: Time, complete: z.boolean() })
      .readonly()
      .nullable(),
    problems: list(Problem),
  })
  .readonly();
export type SiteStatus = z.infer<typeof SiteStatus>;

export const RepositoryStatus = z
  .object({
    account: z.string().min(1),
    copy: z.enum(['local', 'remote']),
    url: z.string().min(1),
    /** `ready`: opened with its key. `missing`: not there. `failed`: there, and can't be opened. */
    state: z.enum(['ready', 'missing', 'failed']),
  })
  .readonly();
export type RepositoryStatus = z.infer<typeof RepositoryStatus>;

/** `salvor status --json` */
export const StatusDocument = z
  .object({
    sites: list(SiteStatus),
    /** Running ones, and the last ones that ended; newest first. */
    tasks: list(TaskSummary),
    repositories: list(RepositoryStatus),
  })
  .readonly();
export type StatusDocument = z.infer<typeof StatusDocument>;
