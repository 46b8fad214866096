import { z } from 'zod';
import { Problem } from './problem.ts';
import { list } from './scalars.ts';

/** `salvor install --json`. Paths are as seen from inside the root. */
export const InstallDocument = z
  .object({
    root: z.string().min(1),
    version: z.string().min(1),
    /** The directory that the program lies in. */
    program: z.string().min(1),
    init: z.enum(['systemd', 'sysv']),
    config: z.string().min(1),
    /** Whether there is a configuration: without one the agent is not started. */
    isConfigured: z.boolean(),
    isStarted: z.boolean(),
    /** What was not there, or not so, before. */
    written: list(z.string()),
    /** Users of the system that were made. */
    users: list(z.string()),
  })
  .readonly();
export type InstallDocument = z.infer<typeof InstallDocument>;

/** `salvor upgrade --json` */
export const UpgradeDocument = z
  .object({
    state: z.enum(['succeeded']),
    from: z.string().min(1),
    to: z.string().min(1),
    program: z.string().min(1),
    /** Where the state of before was saved. */
    saved: z.string().min(1),
  })
  .readonly();
export type UpgradeDocument = z.infer<typeof UpgradeDocument>;

/** `salvor uninstall --json` */
export const UninstallDocument = z
  .object({
    state: z.enum(['succeeded', 'warned']),
    removed: list(z.string()),
    /** Users of the system that were removed. */
    users: list(z.string()),
    /** State with the keys, configuration, repositories and third copies. */
    kept: list(z.string()),
    /** How to read them without Salvor. */
    page: z.string().min(1),
    problems: list(Problem),
  })
  .readonly();
export type UninstallDocument = z.infer<typeof UninstallDocument>;
