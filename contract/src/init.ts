import { z } from 'zod';
import { Problem } from './problem.ts';
import { list } from './scalars.ts';
import { SiteDocument } from './sites.ts';

/** `salvor init --json` */
export const InitDocument = z
  .object({
    /** The configuration file, and whether this run wrote it or found it as wanted. */
    config: z.string().startsWith('/'),
    written: z.boolean(),
    stateDirectory: z.string().startsWith('/'),
    accounts: list(
      z
        .object({
          name: z.string().min(1),
          home: z.string().startsWith('/'),
          repository: z.object({ url: z.string(), id: z.string(), created: z.boolean() }).readonly(),
          keyFile: z.string().startsWith('/'),
        })
        .readonly(),
    ),
    sites: list(SiteDocument),
    problems: list(Problem),
  })
  .readonly();
export type InitDocument = z.infer<typeof InitDocument>;
