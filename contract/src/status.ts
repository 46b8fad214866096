import { z } from 'zod';
import { Problem } from './problem.ts';
import { Bytes, Count, Time, list } from './scalars.ts';
import { TaskState, TaskSummary } from './task.ts';

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

/** How an account's nights stand. The host itself is the account `@host`. */
export const AccountStatus = z
  .object({
    account: z.string().min(1),
    /** The last nightly job that began; null where there was none. */
    lastNight: z
      .object({ task: z.string().min(1), state: TaskState, startedAt: Time, endedAt: Time.nullable() })
      .readonly()
      .nullable(),
    /** What the policy begins next; null where it begins nothing. */
    next: z
      .object({ job: z.enum(['nightly', 'databases']), at: Time })
      .readonly()
      .nullable(),
    /** When a night should have begun that has not, or that failed; null where none is late. */
    lateSince: Time.nullable(),
    /** Points that the last night should have brought to the remote copy, and that are not there; null where none are. */
    behind: z.object({ points: Count, oldest: Time }).readonly().nullable(),
    /** Points whose task nobody has confirmed for longer than the policy says, and what they hold; null where there are none. */
    oldPins: z.object({ points: Count, bytes: Bytes, oldest: Time }).readonly().nullable(),
  })
  .readonly();
export type AccountStatus = z.infer<typeof AccountStatus>;

/** `salvor status --json` */
export const StatusDocument = z
  .object({
    sites: list(SiteStatus),
    /** Running ones, and the last ones that ended; newest first. */
    tasks: list(TaskSummary),
    repositories: list(RepositoryStatus),
    accounts: list(AccountStatus),
    /** The process that serves this host; null where none does. */
    agent: z.object({ process: z.int().positive() }).readonly().nullable(),
  })
  .readonly();
export type StatusDocument = z.infer<typeof StatusDocument>;
