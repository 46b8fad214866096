import { z } from 'zod';
import { PlannedHook } from './hook.ts';
import { Problem } from './problem.ts';
import { Time, list } from './scalars.ts';
import { TaskState } from './task.ts';

/** What switching a site off or on is going to change, found by looking. */
export const AvailabilityPlan = z
  .object({
    account: z.string().min(1),
    uri: z.string().min(1),
    /** Files that change, come or go: its virtual host, its context of Aegir, the file that keeps visitors out. Empty where it is so already. */
    places: list(
      z.object({ path: z.string().min(1), kind: z.enum(['virtual-host', 'context', 'maintenance']) }).readonly(),
    ),
    /** The web server that is tested and reloaded; null where it has nothing to do with it. */
    webServer: z.enum(['nginx', 'apache']).nullable(),
    /** Around its steps, in their order; of a step that it does not come to none runs. */
    hooks: list(PlannedHook),
    /** What has to be put right first. With any of these nothing is done. */
    obstacles: list(Problem),
    notes: list(Problem),
  })
  .readonly();
export type AvailabilityPlan = z.infer<typeof AvailabilityPlan>;

/** `salvor disable SITE --json`, `salvor enable SITE --json` */
export const AvailabilityDocument = z
  .object({
    /** Null with `--dry-run`, and where the site was so already. */
    task: z.string().min(1).nullable(),
    state: TaskState,
    plan: AvailabilityPlan,
    /** Of the page that the policy names: `closed` or `open` after a disable, `well` or `broken` after an enable; null where it was not asked. */
    page: z.enum(['closed', 'open', 'well', 'broken']).nullable(),
    /** Until when `salvor undo` puts back the very files of before. */
    undoUntil: Time.nullable(),
    problems: list(Problem),
  })
  .readonly();
export type AvailabilityDocument = z.infer<typeof AvailabilityDocument>;
