import { z } from 'zod';
import { PlannedHook } from './hook.ts';
import { Problem } from './problem.ts';
import { Bytes, Count, Time, list } from './scalars.ts';
import { TaskState } from './task.ts';

/** What an export is going to write, found by looking. */
export const ExportPlan = z
  .object({
    account: z.string().min(1),
    uri: z.string().min(1),
    point: z.string().min(1),
    pointTime: Time,
    /** The file: absolute. */
    path: z.string().min(1),
    /** As its name says. */
    compression: z.enum(['none', 'gzip', 'bzip2', 'zstd']),
    /** What the point holds, unpacked; null where it holds no files. */
    files: z.object({ count: Count, bytes: Bytes }).readonly().nullable(),
    databases: list(z.object({ name: z.string().min(1), tables: Count, bytes: Bytes }).readonly()),
    /** Around its steps, in their order. */
    hooks: list(PlannedHook),
    /** What has to be put right first. With any of these nothing is done. */
    obstacles: list(Problem),
    notes: list(Problem),
  })
  .readonly();
export type ExportPlan = z.infer<typeof ExportPlan>;

/** `salvor export SITE [POINT] --output FILE --json` */
export const ExportDocument = z
  .object({
    /** Null with `--dry-run`. */
    task: z.string().min(1).nullable(),
    state: TaskState,
    /** With `--dry-run`; null where it was done. */
    plan: ExportPlan.nullable(),
    point: z.string().min(1),
    /** Null with `--dry-run`. */
    archive: z
      .object({
        path: z.string(),
        bytes: Bytes,
        /** Of the file as it is. */
        sha256: z.string().regex(/^[0-9a-f]{64}$/),
      })
      .readonly()
      .nullable(),
    problems: list(Problem),
  })
  .readonly();
export type ExportDocument = z.infer<typeof ExportDocument>;
