import { z } from 'zod';
import { Problem } from './problem.ts';
import { Bytes, Count, list } from './scalars.ts';
import { TaskState } from './task.ts';

/** What became of one copy of an account's point in a night. */
export const DailyCopy = z
  .object({
    copy: z.enum(['local', 'remote']),
    /** `complete`: the point is in it, read back. `behind`: it is not, or not yet. */
    state: z.enum(['complete', 'behind']),
    why: z.string().nullable(),
    /** Points of earlier nights that it lacked and has now. */
    caughtUp: Count,
    /** Snapshots that the policy keeps no longer. */
    forgotten: Count,
    bytesFreed: Bytes,
    /** Of the packs that were read to look for damage. */
    bytesChecked: Bytes,
  })
  .readonly();
export type DailyCopy = z.infer<typeof DailyCopy>;

export const DailyAccount = z
  .object({
    account: z.string().min(1),
    task: z.string().min(1).nullable(),
    state: TaskState,
    point: z.string().min(1).nullable(),
    sites: Count,
    files: Count,
    databases: Count,
    bytesRead: Bytes,
    bytesStored: Bytes,
    copies: list(DailyCopy),
    /** Compressed dumps that were written. */
    thirdCopy: Count,
    problems: list(Problem),
  })
  .readonly();
export type DailyAccount = z.infer<typeof DailyAccount>;

/** `salvor daily --json` */
export const DailyDocument = z.object({ state: TaskState, accounts: list(DailyAccount) }).readonly();
export type DailyDocument = z.infer<typeof DailyDocument>;
