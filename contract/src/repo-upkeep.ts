/** What the `repo` verbs print that keep a repository in order: prune, key, unlock, repair. */
import { z } from 'zod';
import { Problem } from './problem.ts';
import { Bytes, Count, list } from './scalars.ts';
import { TaskState } from './task.ts';

/** `salvor repo prune --json` */
export const RepoPruneDocument = z
  .object({
    state: TaskState,
    /** Whether nothing was changed, and the rest says what would be. */
    dryRun: z.boolean(),
    packs: z
      .object({ unlisted: Count, removed: Count, repacked: Count, gone: Count, kept: Count, written: Count })
      .readonly(),
    indexFilesRewritten: Count,
    blobsUsed: Count,
    bytesBefore: Bytes,
    bytesAfter: Bytes,
    bytesUsed: Bytes,
    bytesUnused: Bytes,
    bytesUnusedAfter: Bytes,
    bytesRepacked: Bytes,
  })
  .readonly();
export type RepoPruneDocument = z.infer<typeof RepoPruneDocument>;

const RepoKey = z
  .object({
    id: z.string().min(1),
    created: z.string(),
    username: z.string(),
    hostname: z.string(),
    /** Whether the password that was given opens it. */
    current: z.boolean(),
  })
  .readonly();

/** `salvor repo key list --json` */
export const RepoKeysDocument = z.object({ keys: list(RepoKey), problems: list(Problem) }).readonly();
export type RepoKeysDocument = z.infer<typeof RepoKeysDocument>;

/** `salvor repo key add|remove|passwd --json`: ids of keys, null where none was. */
export const RepoKeyDocument = z
  .object({ state: TaskState, added: z.string().nullable(), removed: z.string().nullable() })
  .readonly();
export type RepoKeyDocument = z.infer<typeof RepoKeyDocument>;

const RepoLock = z
  .object({
    id: z.string().min(1),
    /** Null, as the others, where the file can't be read. */
    time: z.string().nullable(),
    exclusive: z.boolean().nullable(),
    hostname: z.string().nullable(),
    username: z.string().nullable(),
    pid: z.number().int().nullable(),
  })
  .readonly();

/** `salvor repo unlock --json` */
export const RepoUnlockDocument = z
  .object({ state: TaskState, removed: list(RepoLock), left: list(RepoLock) })
  .readonly();
export type RepoUnlockDocument = z.infer<typeof RepoUnlockDocument>;

/** `salvor repo repair index --json` */
export const RepoRepairIndexDocument = z
  .object({
    state: TaskState,
    /** Ids of packs. */
    packsRelisted: list(z.string()),
    packsDropped: list(z.string()),
    indexFilesRemoved: Count,
    problems: list(Problem),
  })
  .readonly();
export type RepoRepairIndexDocument = z.infer<typeof RepoRepairIndexDocument>;

/** `salvor repo repair packs --json` */
export const RepoRepairPacksDocument = z
  .object({
    state: TaskState,
    packs: list(z.string()),
    blobsSaved: Count,
    /** Files that hold the damaged packs as they were. */
    kept: list(z.string()),
    problems: list(Problem),
  })
  .readonly();
export type RepoRepairPacksDocument = z.infer<typeof RepoRepairPacksDocument>;

/** `salvor repo repair snapshots --json` */
export const RepoRepairSnapshotsDocument = z
  .object({
    state: TaskState,
    dryRun: z.boolean(),
    whole: Count,
    repaired: list(
      z
        .object({
          id: z.string().min(1),
          successor: z.string().nullable(),
          forgotten: z.boolean(),
          losses: list(Problem),
        })
        .readonly(),
    ),
    problems: list(Problem),
  })
  .readonly();
export type RepoRepairSnapshotsDocument = z.infer<typeof RepoRepairSnapshotsDocument>;
