import { z } from 'zod';
import { Problem } from './problem.ts';
import { Count, Time, list } from './scalars.ts';
import { TaskState } from './task.ts';

/** In the order in which they are made. */
export const VERIFY_CHECKS = [
  'settings',
  'log-in',
  'grants',
  'tables',
  'virtual-host',
  'files',
  'page',
  'private',
] as const;

export const VerifyCheck = z
  .object({
    check: z.enum(VERIFY_CHECKS),
    /** `warned`: the site works, and something is not as it should be. `failed`: it does not, or keeps nothing private. */
    outcome: z.enum(['passed', 'warned', 'failed', 'not-asked']),
    /** Why it was not asked, or not all of it; null where it was. */
    why: z.string().nullable(),
    /** How many were looked at: databases, tables, files. */
    count: Count,
    findings: list(Problem),
  })
  .readonly();
export type VerifyCheck = z.infer<typeof VerifyCheck>;

/** `salvor verify SITE --json` */
export const VerifyDocument = z
  .object({
    task: z.string().min(1),
    /** `failed` where a check has: the command itself ran to its end. */
    state: TaskState,
    proof: z
      .object({ account: z.string().min(1), uri: z.string().min(1), time: Time, checks: list(VerifyCheck) })
      .readonly(),
    /** All that was found, in the order of the checks. */
    problems: list(Problem),
  })
  .readonly();
export type VerifyDocument = z.infer<typeof VerifyDocument>;
