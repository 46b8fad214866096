import { z } from 'zod';
import { PlannedHook } from './hook.ts';
import { Problem } from './problem.ts';
import { Count, Time, list } from './scalars.ts';
import { TaskState } from './task.ts';

/** What an undo is going to switch back, found by looking. */
export const UndoPlan = z
  .object({
    account: z.string().min(1),
    /** Of the site as it is now, and as it will be called: null where it goes, as a clone and an imported site do. */
    uri: z.string().min(1),
    newUri: z.string().min(1).nullable(),
    /** The task that is taken back, and what it was. */
    task: z.string().min(1),
    operation: z.string().min(1),
    /** When it has switched; null where it has not ended. */
    since: Time.nullable(),
    /** Until when what it replaced is kept; null where nothing is. */
    undoUntil: Time.nullable(),
    databases: list(
      z
        .object({
          name: z.string().min(1),
          /** Tables that come back, that are there now and were not before it, and that stay as they are. */
          restored: Count,
          deleted: Count,
          kept: Count,
        })
        .readonly(),
    ),
    /** Directories and files of the site: absolute. */
    places: list(
      z
        .object({
          path: z.string().min(1),
          /** `replaced` by what was there before, `restored` where nothing is now, `deleted` where nothing was, `moved` back. */
          change: z.enum(['replaced', 'restored', 'deleted', 'moved']),
          /** Of what is moved, where it comes to. */
          newPath: z.string().min(1).nullable(),
        })
        .readonly(),
    ),
    /** Files beside it that name it, and its virtual hosts. */
    names: list(
      z
        .object({
          path: z.string().min(1),
          change: z.enum(['made', 'changed', 'removed']),
          kind: z.enum(['name', 'virtual-host']),
        })
        .readonly(),
    ),
    /**
     * What was written since the switch, also by the site itself, and leaves with what leaves: it is kept, and another undo
     * brings it back. `names` are the first of them: files relative to the site's directory, `DATABASE.TABLE`. A server that
     * was started since does not know all of its tables.
     */
    written: z.object({ files: Count, tables: Count, names: list(z.string()) }).readonly(),
    /** Around its steps, in their order. */
    hooks: list(PlannedHook),
    /** What has to be put right first. With any of these nothing is done. */
    obstacles: list(Problem),
    notes: list(Problem),
  })
  .readonly();
export type UndoPlan = z.infer<typeof UndoPlan>;

/** `salvor undo TASK --json` */
export const UndoDocument = z
  .object({
    /** The undo's own task; null with `--dry-run`. */
    task: z.string().min(1).nullable(),
    state: TaskState,
    /** With `--dry-run`; null where it was done. */
    plan: UndoPlan.nullable(),
    /** PHP files whose content the switch changed, relative to the site's directory: they carry the time of the switch. */
    refreshed: list(z.string()),
    problems: list(Problem),
  })
  .readonly();
export type UndoDocument = z.infer<typeof UndoDocument>;
