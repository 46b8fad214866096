import { z } from 'zod';
import { Problem } from './problem.ts';
import { list } from './scalars.ts';

export const DATABASE_ENGINES = ['mariadb', 'postgres', 'sqlite'] as const;
export const CMS_NAMES = ['drupal', 'backdrop', 'wordpress'] as const;

export const SiteDatabaseDocument = z
  .object({
    engine: z.enum(DATABASE_ENGINES),
    /** Of SQLite the path of its file. */
    name: z.string(),
    /** Where the server listens: a socket, or `host:port`; of SQLite null. */
    server: z.string().nullable(),
    /** Whether the site's settings ask for an encrypted connection. */
    tls: z.boolean(),
    prefix: z.string(),
    /** ACCOUNT/URI of the other sites that use this database. */
    sharedWith: list(z.string()),
  })
  .readonly();

/** A symbolic link in a site's directory that leads out of it. */
export const MovedOutDocument = z
  .object({
    /** The link. */
    path: z.string().startsWith('/'),
    /** Where it leads; null where it leads nowhere. */
    target: z.string().nullable(),
    type: z.enum(['directory', 'file']).nullable(),
    /** Null where what is there is this site's; else why it is not. */
    reason: z.string().nullable(),
  })
  .readonly();

export const SiteDocument = z
  .object({
    uri: z.string().min(1),
    account: z.string().min(1),
    /** The platform's name. */
    platform: z.string().min(1),
    /** The site's directory, absolute. */
    path: z.string().startsWith('/'),
    cms: z.enum(CMS_NAMES),
    /** Of the core; null where its files do not state it. */
    version: z.string().nullable(),
    /** The file that its settings are read from first. */
    settings: z.string().startsWith('/'),
    /** Other names that it answers to, as far as files tell. */
    aliases: list(z.string()),
    /** False where it is switched off, by Aegir or by `salvor disable`; null where nobody says. */
    enabled: z.boolean().nullable(),
    /** Several sites of WordPress in one database, backed up and restored as one. */
    network: z.boolean(),
    databases: list(SiteDatabaseDocument),
    movedOut: list(MovedOutDocument),
    /** Directories of other sites inside of its own. */
    holds: list(z.string()),
    problems: list(Problem),
  })
  .readonly();
export type SiteDocument = z.infer<typeof SiteDocument>;

/** `salvor sites --json` */
export const SitesDocument = list(SiteDocument);
export type SitesDocument = z.infer<typeof SitesDocument>;

/** Why something that looks like a site is none. A code keeps its meaning for ever. */
export const NOT_SITE_CODES = [
  'bad-name',
  'copy',
  'default',
  'discarded',
  'elsewhere',
  'ghost-context',
  'ghost-directory',
  'ghost-platform',
  'nested-platform',
  'no-database',
  'no-platform',
  'no-settings',
  'not-searched',
  'other-cms',
  'outside-home',
  'restore-debris',
  'settings-unreadable',
  'symlink',
] as const;

export const NotSiteDocument = z
  .object({
    code: z.enum(NOT_SITE_CODES),
    account: z.string().min(1),
    /** What is not UTF-8 in it shows as `\xHH`. */
    path: z.string().startsWith('/'),
    /** For people. */
    reason: z.string().min(1),
  })
  .readonly();
export type NotSiteDocument = z.infer<typeof NotSiteDocument>;

export const AccountDocument = z
  .object({
    name: z.string().min(1),
    home: z.string().startsWith('/'),
    uid: z.int().nonnegative(),
    gid: z.int().nonnegative(),
    logins: list(
      z
        .object({
          name: z.string().min(1),
          uid: z.int().nonnegative(),
          home: z.string().nullable(),
          kind: z.enum(['main', 'client']),
        })
        .readonly(),
    ),
    /** The group that the web server reads the sites by. */
    webGroup: z.object({ name: z.string(), gid: z.int().nonnegative() }).readonly().nullable(),
  })
  .readonly();
export type AccountDocument = z.infer<typeof AccountDocument>;

/** `salvor sites --all --json` */
export const AllSitesDocument = z
  .object({
    accounts: list(AccountDocument),
    sites: SitesDocument,
    notSites: list(NotSiteDocument),
    /** What kept sites from being found. */
    problems: list(Problem),
  })
  .readonly();
export type AllSitesDocument = z.infer<typeof AllSitesDocument>;
