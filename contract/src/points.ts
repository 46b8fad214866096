import { z } from 'zod';
import { Bytes, Time, list } from './scalars.ts';

/** That a point was restored somewhere else and compared, and what came of it. */
export const Proof = z.object({ time: Time, result: z.enum(['passed', 'failed']) }).readonly();
export type Proof = z.infer<typeof Proof>;

export const PointDocument = z
  .object({
    id: z.string().min(1),
    time: Time,
    origin: z.enum(['task', 'daily', 'owner', 'archive', 'dump']),
    holds: list(z.enum(['files', 'databases'])),
    reason: z.string().nullable(),
    /** Of the files and dumps in it, as they were read; not what it takes in the repository. Of a point that is an archive alone the size of that. */
    bytes: Bytes,
    /** Repositories that hold it; empty where it is an archive alone. */
    copies: list(z.enum(['local', 'remote'])),
    proof: Proof.nullable(),
    /** False where the backup named problems, or its files are past their time: such a point is restored only when it is named. */
    complete: z.boolean(),
    /** The archive or dump on the host's disk that holds the same, or that the point is. */
    archive: z.object({ path: z.string(), bytes: Bytes }).readonly().nullable(),
    /** Taken by a destructive task of what it was about to replace. */
    safety: z.boolean(),
  })
  .readonly();
export type PointDocument = z.infer<typeof PointDocument>;

/** `salvor points SITE --json`: newest first. */
export const PointsDocument = list(PointDocument);
export type PointsDocument = z.infer<typeof PointsDocument>;
