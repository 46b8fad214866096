import { z } from 'zod';
import { Problem } from './problem.ts';
import { Bytes, Count, Time, list } from './scalars.ts';
import { TaskState } from './task.ts';

/** `planned`: with --dry-run, or where another part alone was asked for. */
const RecoveredState = z.enum(['planned', 'succeeded', 'warned', 'failed']);

const RecoverSite = z
  .object({
    uri: z.string().min(1),
    state: RecoveredState,
    /** That were brought back; one that was there is a problem and not among them. */
    databases: list(z.string()),
    tables: Count,
    problems: list(Problem),
  })
  .readonly();

export const RecoverAccount = z
  .object({
    account: z.string().min(1),
    state: RecoveredState,
    /** The night that it is brought back to; null where there is none that could be read. */
    point: z.string().min(1).nullable(),
    time: Time.nullable(),
    /** System users that the machine lacks, or that were made. */
    users: list(z.string()),
    homes: list(
      z
        .object({
          path: z.string().startsWith('/'),
          /** `taken`: something lay there, and was left alone. `recovered`: by this run, or one before it. */
          state: z.enum(['missing', 'taken', 'recovered']),
        })
        .readonly(),
    ),
    files: Count,
    bytes: Bytes,
    sites: list(RecoverSite),
    problems: list(Problem),
  })
  .readonly();
export type RecoverAccount = z.infer<typeof RecoverAccount>;

/** `salvor recover --json` */
export const RecoverDocument = z
  .object({
    state: TaskState,
    dryRun: z.boolean(),
    /** The machine that is lost, as its kit names it. */
    host: z.string(),
    from: z.enum(['local', 'remote']),
    /** The configuration file, and whether this run wrote it or found it. */
    config: z.string().startsWith('/'),
    written: z.boolean(),
    /** When the host last wrote down its configuration and users; null where it never did. */
    recorded: Time.nullable(),
    /** Where the files of the host itself (`/etc`, crontabs) were put, to be looked at; null where they were not. */
    hostFiles: z.string().startsWith('/').nullable(),
    /** Users of database servers that were made. */
    databaseUsers: list(z.string()),
    accounts: list(RecoverAccount),
    /** Points that are in the catalogue now. */
    points: Count,
    problems: list(Problem),
  })
  .readonly();
export type RecoverDocument = z.infer<typeof RecoverDocument>;

/** `salvor recover --only copies --json`: repositories that were gone and are there again. */
export const RecoverCopiesDocument = z
  .object({
    state: TaskState,
    copies: list(
      z
        .object({
          account: z.string().min(1),
          copy: z.enum(['local', 'remote']),
          url: z.string().min(1),
          /** That came out of the other copy. */
          snapshots: Count,
        })
        .readonly(),
    ),
    problems: list(Problem),
  })
  .readonly();
export type RecoverCopiesDocument = z.infer<typeof RecoverCopiesDocument>;

/** `salvor recover --only catalogue --json` */
export const RecoverCatalogueDocument = z
  .object({ state: TaskState, points: Count, archives: Count, problems: list(Problem) })
  .readonly();
export type RecoverCatalogueDocument = z.infer<typeof RecoverCatalogueDocument>;
