/** What the `repo` verbs about two copies print. */
import { z } from 'zod';
import { Problem } from './problem.ts';
import { Bytes, Count, list } from './scalars.ts';
import { TaskState } from './task.ts';

/** `salvor repo copy --json` */
export const RepoCopyDocument = z
  .object({
    state: TaskState,
    copied: list(z.object({ from: z.string().min(1), to: z.string().min(1) }).readonly()),
    /** Were there already. */
    skipped: Count,
    blobs: Count,
    bytesStored: Bytes,
    problems: list(Problem),
  })
  .readonly();
export type RepoCopyDocument = z.infer<typeof RepoCopyDocument>;

/** `salvor repo heal --json` */
export const RepoHealDocument = z
  .object({
    state: TaskState,
    found: list(Problem),
    blobsHealed: Count,
    snapshotsHealed: Count,
    /** Snapshots of the other copy that this one lacks: forgotten here, or lost without a trace. */
    onlyThere: list(z.string().min(1)),
    /** What neither copy has. */
    left: list(Problem),
  })
  .readonly();
export type RepoHealDocument = z.infer<typeof RepoHealDocument>;
