import { z } from 'zod';
import { Problem } from './problem.ts';
import { list } from './scalars.ts';
import { NotSiteDocument, SiteDocument } from './sites.ts';

const MadeRepository = z.object({ url: z.string(), id: z.string(), created: z.boolean() }).readonly();

/** `salvor init --json` */
export const InitDocument = z
  .object({
    /** The configuration file, and whether this run wrote it or found it as wanted. */
    config: z.string().startsWith('/'),
    written: z.boolean(),
    stateDirectory: z.string().startsWith('/'),
    /** The page to print: a file that root alone can read. Null where it could not be written. */
    recoveryKit: z.string().startsWith('/').nullable(),
    accounts: list(
      z
        .object({
          name: z.string().min(1),
          home: z.string().startsWith('/'),
          /** In the local place. */
          repository: MadeRepository,
          /** In the remote place; null where none is configured, or it could not be reached. */
          remote: MadeRepository.nullable(),
          keyFile: z.string().startsWith('/'),
        })
        .readonly(),
    ),
    sites: list(SiteDocument),
    /** What looks like a site and is none. */
    notSites: list(NotSiteDocument),
    problems: list(Problem),
  })
  .readonly();
export type InitDocument = z.infer<typeof InitDocument>;
