import { z } from 'zod';
import { PlannedHook } from './hook.ts';
import { Problem } from './problem.ts';
import { Bytes, Count, Time, list } from './scalars.ts';
import { TaskState } from './task.ts';

/** What is rewritten in one column of a database. */
export const RewrittenValues = z
  .object({
    database: z.string().min(1),
    table: z.string().min(1),
    column: z.string().min(1),
    /** Values that change, and how many places in them do. */
    values: Count,
    replaced: Count,
    /** Places that look the same, are somebody else's and stay. */
    foreign: Count,
    /** Some of them, around the first change. */
    samples: list(z.object({ before: z.string(), after: z.string() }).readonly()),
  })
  .readonly();
export type RewrittenValues = z.infer<typeof RewrittenValues>;

/** What is rewritten in one file of a site's settings. */
export const RewrittenSettingsFile = z
  .object({
    /** Relative to the site's directory. */
    file: z.string().min(1),
    places: list(
      z
        .object({
          line: Count,
          what: z.enum([
            'name',
            'user',
            'password',
            'host',
            'port',
            'socket',
            'url',
            'secret',
            'name-or-path',
            'option',
          ]),
          /** Null of what holds a password or a secret. */
          before: z.string().nullable(),
          /** Null too of what is made by the task: the name and the user of a clone's database. */
          after: z.string().nullable(),
        })
        .readonly(),
    ),
    /** Lines that hold the old name and stay as they are. */
    left: list(Count),
  })
  .readonly();
export type RewrittenSettingsFile = z.infer<typeof RewrittenSettingsFile>;

/** What a clone, a rename or a migration is going to do, found by looking. */
export const IdentityPlan = z
  .object({
    account: z.string().min(1),
    /** Of the site as it is, and as the new one will be called: the same where it only moves. */
    uri: z.string().min(1),
    newUri: z.string().min(1),
    /** Of a site that is called by its path: the names that it is visited by, and the one that it will be. Else null. */
    address: z
      .object({ from: list(z.string().min(1)), to: z.string().min(1) })
      .readonly()
      .nullable(),
    /** Absolute: the directory that is, and the one that will be. */
    path: z.string().min(1),
    newPath: z.string().min(1),
    /** Roots of the code bases under the one and the other. */
    platform: z.string().min(1),
    newPlatform: z.string().min(1),
    /** What is copied; of a site that moves nothing is. */
    files: z.object({ count: Count, bytes: Bytes }).readonly(),
    databases: list(
      z
        .object({
          name: z.string().min(1),
          /** Whether the site gets another one in its place, with a new user and password. */
          isNew: z.boolean(),
          /** What the new site has; of one that is still to be made, the old name and user. */
          newName: z.string().min(1),
          user: z.string().min(1),
          tables: Count,
          bytes: Bytes,
        })
        .readonly(),
    ),
    rewrites: z
      .object({
        /** Of the files that say who the site is. */
        settings: list(RewrittenSettingsFile),
        /** Null where nobody looked: the task itself counts while it writes. */
        values: list(RewrittenValues).nullable(),
      })
      .readonly(),
    /** What names the site outside of its directory: contexts, aliases, virtual hosts, links. */
    names: list(z.object({ path: z.string().min(1), change: z.enum(['made', 'changed', 'removed']) }).readonly()),
    /** Whether what tells of people is replaced in the copy. */
    masked: z.boolean(),
    /** Around its steps, in their order; of a step that it does not come to none runs. */
    hooks: list(PlannedHook),
    /** What has to be put right first. With any of these nothing is done. */
    obstacles: list(Problem),
    notes: list(Problem),
  })
  .readonly();
export type IdentityPlan = z.infer<typeof IdentityPlan>;

/** `salvor clone --json`, `salvor rename --json`, `salvor migrate --json` */
export const IdentityDocument = z
  .object({
    /** Null with `--dry-run`. */
    task: z.string().min(1).nullable(),
    state: TaskState,
    /** Of the site as it was, pinned; null with `--dry-run`. */
    safetyPoint: z.string().min(1).nullable(),
    /** Of the safety point; null where none was written. */
    archive: z.object({ path: z.string(), bytes: Bytes }).readonly().nullable(),
    plan: IdentityPlan,
    /** What was rewritten in its databases. */
    rewritten: list(RewrittenValues),
    /** What the page of the policy was found to be; null where none is named. */
    page: z.enum(['well', 'broken']).nullable(),
    /** Until when `salvor undo` takes it back. */
    undoUntil: Time.nullable(),
    problems: list(Problem),
  })
  .readonly();
export type IdentityDocument = z.infer<typeof IdentityDocument>;
