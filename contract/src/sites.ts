import { z } from 'zod';
import { Problem } from './problem.ts';
import { list } from './scalars.ts';

export const DATABASE_ENGINES = ['mariadb', 'postgres', 'sqlite'] as const;

export const SiteDocument = z
  .object({
    uri: z.string().min(1),
    account: z.string().min(1),
    /** The platform's name. */
    platform: z.string().min(1),
    /** The site's directory, absolute. */
    path: z.string().startsWith('/'),
    cms: z.enum(['drupal', 'wordpress']),
    /** Of the core; null where its files do not state it. */
    version: z.string().nullable(),
    databases: list(z.object({ engine: z.enum(DATABASE_ENGINES), name: z.string() }).readonly()),
    problems: list(Problem),
  })
  .readonly();
export type SiteDocument = z.infer<typeof SiteDocument>;

/** `salvor sites --json` */
export const SitesDocument = list(SiteDocument);
export type SitesDocument = z.infer<typeof SitesDocument>;
