import { z } from 'zod';
import { PlannedHook } from './hook.ts';
import { Problem } from './problem.ts';
import { Bytes, Count, Time, list } from './scalars.ts';
import { TaskState } from './task.ts';

/** What a delete is going to take away, found by looking. */
export const DeletePlan = z
  .object({
    account: z.string().min(1),
    uri: z.string().min(1),
    /** Directories, files and links that leave: absolute. */
    places: list(
      z
        .object({
          path: z.string().min(1),
          /** The site's directory, one that was moved out of it, and what names it: a link, an Aegir context, a virtual host. */
          kind: z.enum(['site', 'moved-out', 'link', 'context', 'virtual-host']),
        })
        .readonly(),
    ),
    /** Files beside it that name it among others, or alone: what of them is its own goes. */
    names: list(z.object({ path: z.string().min(1), change: z.enum(['made', 'changed', 'removed']) }).readonly()),
    /** Databases whose tables leave; where nothing of somebody else's is in them they are dropped in the end, with their user. */
    databases: list(z.object({ name: z.string().min(1), user: z.string().min(1), tables: Count }).readonly()),
    /** Around its steps, in their order; of a step that it does not come to none runs. */
    hooks: list(PlannedHook),
    /** What has to be put right first. With any of these nothing is done. */
    obstacles: list(Problem),
    notes: list(Problem),
  })
  .readonly();
export type DeletePlan = z.infer<typeof DeletePlan>;

/** `salvor delete SITE --json` */
export const DeleteDocument = z
  .object({
    /** Null with `--dry-run`. */
    task: z.string().min(1).nullable(),
    state: TaskState,
    /** What was there, pinned; null with `--dry-run`. */
    safetyPoint: z.string().min(1).nullable(),
    /** Of the safety point; null where none was written. */
    archive: z.object({ path: z.string(), bytes: Bytes }).readonly().nullable(),
    plan: DeletePlan,
    /** Until when `salvor undo` brings it back as it was; then it goes for good. */
    undoUntil: Time.nullable(),
    problems: list(Problem),
  })
  .readonly();
export type DeleteDocument = z.infer<typeof DeleteDocument>;
