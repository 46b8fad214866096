import { z } from 'zod';
import { PlannedHook } from './hook.ts';
import { Problem } from './problem.ts';
import { Bytes, Count, Time, list } from './scalars.ts';
import { TaskState } from './task.ts';

/** What a restore is going to do, before anything is touched. */
export const RestorePlan = z
  .object({
    account: z.string(),
    uri: z.string(),
    point: z.string().min(1),
    pointTime: Time,
    /** The repository that it is read from. */
    copy: z.enum(['local', 'remote']),
    /** The directory of `--to`; null where the site itself is restored. */
    target: z.string().nullable(),
    /** ACCOUNT/URI of the site of `--into`; null where the site itself is restored. */
    into: z.string().nullable(),
    /** Compared with what is there now. Null where files are not restored. */
    files: z.object({ new: Count, changed: Count, deleted: Count, kept: Count }).readonly().nullable(),
    /** `deleted`: tables that are there now and not in the point. Null where databases are not restored. */
    tables: z.object({ restored: Count, deleted: Count, kept: Count }).readonly().nullable(),
    /** The first of what is deleted by name: of a directory it alone, of tables with their database. */
    deletes: z.object({ files: list(z.string()), tables: list(z.string()) }).readonly(),
    /** To be read from the repository. */
    bytes: Bytes,
    /** In files that are as they were: taken from what is there, after their content was compared. */
    bytesKept: Bytes,
    /** Expected time; null where nothing was measured yet. */
    seconds: z.number().nonnegative().nullable(),
    /**
     * How each part comes into place: `exchange` of directories, of the `entries` of one that is a mount or has one in
     * it, `rename` of tables, `write` into a directory.
     */
    switch: z
      .object({
        files: z.enum(['exchange', 'entries', 'write', 'none']),
        databases: z.enum(['rename', 'write', 'none']),
      })
      .readonly(),
    /** What the policy has done around the switch: the file that keeps visitors out, commands, the page that is asked. */
    around: z
      .object({
        maintenance: z.string().nullable(),
        reloadPhp: list(z.string()).nullable(),
        preRestore: list(z.string()).nullable(),
        postRestore: list(z.string()).nullable(),
        page: z.object({ url: z.string(), rollsBack: z.boolean() }).readonly().nullable(),
      })
      .readonly(),
    /** Around its steps, in their order; of a step that it does not come to none runs. */
    hooks: list(PlannedHook),
    /** What has to be removed first. With any of these nothing is done. */
    obstacles: list(Problem),
    /** What is well to know before: nothing of it keeps the restore from being done. */
    notes: list(Problem),
  })
  .readonly();
export type RestorePlan = z.infer<typeof RestorePlan>;

/** `salvor restore … --json` */
export const RestoreDocument = z
  .object({
    /** Null with `--dry-run` and `--to`, which switch nothing. */
    task: z.string().min(1).nullable(),
    state: TaskState,
    /** What was there before; null where nothing was replaced. */
    safetyPoint: z.string().min(1).nullable(),
    /** Of the safety point; null where none was made. */
    archive: z.object({ path: z.string(), bytes: Bytes }).readonly().nullable(),
    plan: RestorePlan,
    /** PHP files whose content the switch changed, relative to the site's directory: they carry the time of the switch. */
    refreshed: list(z.string()),
    /** What changed between the safety point and the switch, and was added to the safety point. */
    changedMeanwhile: z.object({ files: Count, tables: Count }).readonly().nullable(),
    /** What the page of the policy was found to be; null where none is named. */
    page: z.enum(['well', 'broken']).nullable(),
    /** The task that switched back what was there, because the page was broken. */
    undoneBy: z.string().min(1).nullable(),
    undoUntil: Time.nullable(),
    problems: list(Problem),
  })
  .readonly();
export type RestoreDocument = z.infer<typeof RestoreDocument>;
