import { z } from 'zod';
import { Problem } from './problem.ts';
import { Bytes, Count, Time, list } from './scalars.ts';
import { TaskState } from './task.ts';

/** `salvor repo init --json` */
export const RepoInitDocument = z
  .object({
    id: z.string().regex(/^[0-9a-f]{64}$/),
    repository: z.string(),
    version: z.union([z.literal(1), z.literal(2)]),
  })
  .readonly();
export type RepoInitDocument = z.infer<typeof RepoInitDocument>;

const NewChangedUnmodified = z.object({ new: Count, changed: Count, unmodified: Count }).readonly();

/** `salvor repo test-connection --json` */
export const RepoConnectionDocument = z
  .object({
    state: TaskState,
    repository: z.string().min(1),
    /** Null where that was not found out. */
    hasRepository: z.boolean().nullable(),
    /** The step that failed, those before it having gone well; null where all went well. */
    failed: z
      .object({
        step: z.enum(['connect', 'write', 'read', 'list', 'delete']),
        code: z.string().min(1),
        message: z.string().min(1),
        hint: z.string().min(1),
        /** The test's own file where it could not be removed. */
        leftBehind: z.string().nullable(),
      })
      .readonly()
      .nullable(),
  })
  .readonly();
export type RepoConnectionDocument = z.infer<typeof RepoConnectionDocument>;

/** What became of one repository in a pass: `behind` says why it has no snapshot, null where it has one. */
const BackupCopy = z
  .object({ repository: z.string().min(1), snapshot: z.string().min(1).nullable(), behind: Problem.nullable() })
  .readonly();

/** `salvor repo backup --json`: counts of new blobs and bytes stored are those of the first repository. */
export const RepoBackupDocument = z
  .object({
    state: TaskState,
    snapshot: z.string().min(1),
    tree: z.string().min(1),
    files: NewChangedUnmodified,
    directories: NewChangedUnmodified,
    bytesProcessed: Bytes,
    bytesRead: Bytes,
    bytesStored: Bytes,
    dataBlobs: Count,
    treeBlobs: Count,
    /** One for each repository, in the order in which they were named; those that could not be opened come last. */
    copies: list(BackupCopy),
    problems: list(Problem),
  })
  .readonly();
export type RepoBackupDocument = z.infer<typeof RepoBackupDocument>;

/** `salvor repo restore --json` */
export const RepoRestoreDocument = z
  .object({
    state: TaskState,
    snapshot: z.string().min(1),
    target: z.string(),
    files: Count,
    directories: Count,
    bytes: Bytes,
    problems: list(Problem),
  })
  .readonly();
export type RepoRestoreDocument = z.infer<typeof RepoRestoreDocument>;

export const RepoSnapshot = z
  .object({
    id: z.string().min(1),
    time: Time,
    tree: z.string().min(1),
    paths: list(z.string()),
    hostname: z.string(),
    username: z.string(),
    tags: list(z.string()),
    parent: z.string().nullable(),
  })
  .readonly();
export type RepoSnapshot = z.infer<typeof RepoSnapshot>;

/** `salvor repo snapshots --json`: oldest first, as restic lists them. */
export const RepoSnapshotsDocument = z.object({ snapshots: list(RepoSnapshot), problems: list(Problem) }).readonly();
export type RepoSnapshotsDocument = z.infer<typeof RepoSnapshotsDocument>;

/** `salvor repo check --json` */
export const RepoCheckDocument = z
  .object({
    state: TaskState,
    /** Whether every pack's bytes were read and compared. */
    dataRead: z.boolean(),
    /** Packs that were read whole, and their bytes. */
    packsRead: Count,
    bytesRead: Bytes,
    /** What a sample was drawn by; null where none was drawn. The same seed draws the same packs. */
    seed: z.string().nullable(),
    snapshots: Count,
    packs: Count,
    blobs: Count,
    errors: list(Problem),
    hints: list(Problem),
  })
  .readonly();
export type RepoCheckDocument = z.infer<typeof RepoCheckDocument>;
