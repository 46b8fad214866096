/** Documents of the `repo` verbs that choose among snapshots: forget, tag, stats, diff, find, versions. */
import { z } from 'zod';
import { LsEntry } from './ls.ts';
import { Problem } from './problem.ts';
import { RepoSnapshot } from './repo.ts';
import { RepoPruneDocument } from './repo-upkeep.ts';
import { Bytes, Count, Time, list } from './scalars.ts';
import { TaskState } from './task.ts';

const KeepRule = z.enum([
  'last',
  'hourly',
  'daily',
  'weekly',
  'monthly',
  'yearly',
  'within',
  'within-hourly',
  'within-daily',
  'within-weekly',
  'within-monthly',
  'within-yearly',
  'tag',
  'pin',
]);

/** What the snapshots of a group have in common; null is what they were not grouped by. */
const GroupKeys = {
  host: z.string().nullable(),
  paths: list(z.string()).nullable(),
  tags: list(z.string()).nullable(),
};

const ForgetGroup = z
  .object({
    ...GroupKeys,
    /** Newest first, as `remove`. */
    keep: list(
      z
        .object({
          snapshot: RepoSnapshot,
          /** `text` is for people; restic's, where restic has the rule. */
          reasons: list(z.object({ rule: KeepRule, text: z.string() }).readonly()),
        })
        .readonly(),
    ),
    remove: list(RepoSnapshot),
  })
  .readonly();

const ForgetCalendar = z
  .object({
    ...GroupKeys,
    /** Those that keep anything. */
    rules: list(KeepRule),
    /** Days that have snapshots, newest first. */
    days: list(
      z
        .object({
          day: z.iso.date(),
          kept: list(z.object({ time: Time, rules: list(KeepRule) }).readonly()),
          /** How many snapshots of this day go. */
          removed: Count,
        })
        .readonly(),
    ),
  })
  .readonly();

/** `salvor repo forget --json`. With named snapshots there are no groups. */
export const RepoForgetDocument = z
  .object({
    state: TaskState,
    /** Whether nothing was removed, because only a preview was asked for. */
    dryRun: z.boolean(),
    groups: list(ForgetGroup),
    /** Ids of the snapshots that were removed, or would be. */
    removed: list(z.string().min(1)),
    /** With `--calendar` and `--simulate`, one per group; else null. */
    calendars: list(ForgetCalendar).nullable(),
    /** What `--prune` did; null where it was not asked for or nothing was removed. */
    pruned: RepoPruneDocument.nullable(),
    problems: list(Problem),
  })
  .readonly();
export type RepoForgetDocument = z.infer<typeof RepoForgetDocument>;

/** `salvor repo tag --json`: a snapshot whose tags change gets a new id. */
export const RepoTagDocument = z
  .object({
    state: TaskState,
    changed: list(z.object({ old: z.string().min(1), new: z.string().min(1), tags: list(z.string()) }).readonly()),
    problems: list(Problem),
  })
  .readonly();
export type RepoTagDocument = z.infer<typeof RepoTagDocument>;

/** `salvor repo stats --json` */
export const RepoStatsDocument = z
  .object({
    mode: z.enum(['restore-size', 'files-by-contents', 'raw-data', 'blobs-per-file']),
    snapshots: Count,
    /** Of files; with `raw-data` of blobs as stored. */
    bytes: Bytes,
    /** With `raw-data` of the blobs before compression; else as `bytes`. */
    plainBytes: Bytes,
    /** 0 with `raw-data`. */
    files: Count,
    /** 0 but with `raw-data` and `blobs-per-file`. */
    blobs: Count,
    problems: list(Problem),
  })
  .readonly();
export type RepoStatsDocument = z.infer<typeof RepoStatsDocument>;

/** What one side has and the other has not; bytes are of blobs before compression. */
const DiffCounts = z
  .object({ files: Count, directories: Count, others: Count, dataBlobs: Count, treeBlobs: Count, bytes: Bytes })
  .readonly();

/** `salvor repo diff --json` */
export const RepoDiffDocument = z
  .object({
    from: z.string().min(1),
    to: z.string().min(1),
    /**
     * `+` only in the second, `-` only in the first, or any of `T` type, `M` content, `U` metadata; `M?`: other content
     * under the same metadata. Directories end in `/`.
     */
    changes: list(z.object({ path: z.string(), modifier: z.string().regex(/^(?:[+-]|T?M\??|T?U?)$/) }).readonly()),
    changedFiles: Count,
    added: DiffCounts,
    removed: DiffCounts,
  })
  .readonly();
export type RepoDiffDocument = z.infer<typeof RepoDiffDocument>;

const InSnapshot = { snapshot: z.string().min(1), time: Time };

/** `salvor repo find --json`: `entries` where names were looked for, `blobs` with `--blob`, `--tree`, `--pack`. */
export const RepoFindDocument = z
  .object({
    entries: list(z.object({ ...InSnapshot, ...LsEntry.unwrap().shape }).readonly()),
    blobs: list(
      z
        .object({
          ...InSnapshot,
          path: z.string(),
          type: z.enum(['data', 'tree']),
          id: z.string().min(1),
          /** The listing that names it; null for the root of the snapshot. */
          parentTree: z.string().nullable(),
        })
        .readonly(),
    ),
    problems: list(Problem),
  })
  .readonly();
export type RepoFindDocument = z.infer<typeof RepoFindDocument>;

/** `salvor repo versions --json`: the one that was seen last first. */
export const RepoVersionsDocument = z
  .object({
    path: z.string(),
    versions: list(
      z
        .object({
          /** Equal for equal contents. */
          content: z.string().min(1),
          type: LsEntry.unwrap().shape.type,
          bytes: Bytes,
          mode: LsEntry.unwrap().shape.mode,
          mtime: Time,
          firstSeen: z.object(InSnapshot).readonly(),
          lastSeen: z.object(InSnapshot).readonly(),
          /** Oldest first. */
          snapshots: list(z.string().min(1)),
        })
        .readonly(),
    ),
    problems: list(Problem),
  })
  .readonly();
export type RepoVersionsDocument = z.infer<typeof RepoVersionsDocument>;
