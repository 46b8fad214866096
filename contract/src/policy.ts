import { z } from 'zod';
import { Count, Time, list } from './scalars.ts';

export const PolicySetting = z
  .object({
    /** Its place below `policy:` in salvor.yaml. */
    key: z.string().min(1),
    /** As salvor.yaml would hold it. */
    value: z.string(),
    /** Which level said it: a preset, `host`, `account o1`, `site example.com`. */
    source: z.string().min(1),
    about: z.string(),
  })
  .readonly();
export type PolicySetting = z.infer<typeof PolicySetting>;

/** `salvor policy show --json` */
export const PolicyDocument = z
  .object({
    account: z.string().nullable(),
    site: z.string().nullable(),
    settings: list(PolicySetting),
    /** What begins in the time that was asked for, earliest first. */
    next: list(z.object({ job: z.enum(['nightly', 'databases']), account: z.string(), at: Time }).readonly()),
  })
  .readonly();
export type PolicyDocument = z.infer<typeof PolicyDocument>;

const Made = z.object({ files: Count, databases: Count }).readonly();

/** `salvor policy simulate --json` */
export const SimulationDocument = z
  .object({
    account: z.string().min(1),
    from: Time,
    /** Oldest first: what begins on each day, and what is left of it when the last day ends. */
    days: list(z.object({ day: z.string(), made: Made, left: Made }).readonly()),
    /** Snapshots that are there now and that the next nightly job lets go of by this policy. */
    goes: list(
      z
        .object({
          copy: z.enum(['local', 'remote']),
          snapshot: z.string().min(1),
          time: Time,
          of: z.string(),
          holds: list(z.enum(['files', 'databases'])),
        })
        .readonly(),
    ),
    kept: Count,
  })
  .readonly();
export type SimulationDocument = z.infer<typeof SimulationDocument>;
