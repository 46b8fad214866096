/**
 * What an archive says of itself, in two members that Aegir leaves alone: `./.salvor-archive.json` in front, so that a
 * listing reads no further, tells what the archive is of; `./.salvor-manifest.json` at the end tells in addition what
 * was written, with check sums. Both outlive the site. The shape on disk is told in `docs/archives.md`; a reader refuses
 * a version that it does not know.
 */
import { z } from 'zod';

const Count = z.int().nonnegative();
const Sha256 = z.string().regex(/^[0-9a-f]{64}$/);

const Module = z
  .object({
    name: z.string(),
    version: z.string().nullable(),
    /** Number of its newest database update that the site ran; null where none is known. */
    schema: z.int().nullable(),
    enabled: z.boolean(),
  })
  .readonly();
export type Module = z.infer<typeof Module>;

const Link = z.object({ path: z.string(), target: z.string() }).readonly();

/** Known before the first file is read. */
export const ArchiveAbout = z
  .object({
    format: z.literal('salvor-archive'),
    version: z.literal(1),
    uri: z.string(),
    /** Of the point: the instant that files and databases are of. */
    time: z.string(),
    point: z.string().nullable(),
    task: z.string().nullable(),
    reason: z.string().nullable(),
    host: z.string(),
    account: z.string(),
    site: z
      .object({ path: z.string(), cms: z.enum(['drupal', 'backdrop', 'wordpress']), version: z.string().nullable() })
      .readonly(),
    platform: z.object({ name: z.string(), root: z.string(), version: z.string().nullable() }).readonly(),
    databases: z
      .array(
        z
          .object({
            /** The member that holds its dump. */
            member: z.string(),
            name: z.string(),
            bytes: Count,
            server: z.string(),
            charset: z.string(),
            collation: z.string(),
            tables: Count,
          })
          .readonly(),
      )
      .readonly(),
    /** Directories that lie in the archive and were links to elsewhere in the site. */
    moved: z.array(Link).readonly(),
    /** Paths below the site's directory whose content was left out. */
    excludes: z.array(z.string()).readonly(),
    /** Tables whose rows were left out. */
    rowless: z.array(z.string()).readonly().default([]),
    passwords: z.enum(['replaced', 'left-out']),
    tools: z.record(z.string(), z.string()).readonly(),
  })
  .readonly();
export type ArchiveAbout = z.infer<typeof ArchiveAbout>;

export const ArchiveManifest = z
  .object({
    about: ArchiveAbout,
    /** Of all members before this one: their number, and the check sum of what each is (see `member-sum.ts`). */
    members: z.object({ count: Count, sha256: Sha256 }).readonly(),
    /** `./.salvor-sha256`: a line for each file as `sha256sum` writes it. */
    sums: z.object({ lines: Count, bytes: Count, sha256: Sha256 }).readonly(),
    files: z.object({ count: Count, bytes: Count, directories: Count, symlinks: Count, hardlinks: Count }).readonly(),
    dumps: z.array(z.object({ member: z.string(), bytes: Count, sha256: Sha256 }).readonly()).readonly(),
    /** Symbolic links that lead out of the site's directory: what they lead to is not in the archive. */
    links: z.object({ out: z.array(Link).readonly(), more: Count }).readonly(),
    modules: z.array(Module).readonly(),
    /** Files whose passwords were replaced. */
    stripped: z.array(z.object({ path: z.string(), places: Count }).readonly()).readonly(),
    problems: z
      .array(z.object({ code: z.string(), message: z.string(), path: z.string().nullable() }).readonly())
      .readonly(),
  })
  .readonly();
export type ArchiveManifest = z.infer<typeof ArchiveManifest>;

/** Names of our own members, without `./`. */
export const ABOUT_NAME = '.salvor-archive.json';
export const SUMS_NAME = '.salvor-sha256';
export const MANIFEST_NAME = '.salvor-manifest.json';
export const DRUSHRC_NAME = 'drushrc.php';
export const DUMP_NAME = 'database.sql';

/** Lists are cut where they are made: a site with as many modules as Drupal has on offer fits. */
export const MAX_ARCHIVE_MANIFEST_BYTES = 32 * 1024 * 1024;
export const MAX_LISTED_LINKS = 1000;
export const MAX_LISTED_MODULES = 20_000;
export const MAX_LISTED_PROBLEMS = 10_000;

/** What is known of an archive before it is written, but for what its source says. */
export type AboutWanted = Omit<
  ArchiveAbout,
  'format' | 'version' | 'databases' | 'moved' | 'excludes' | 'rowless' | 'passwords'
>;

export function serialiseJson(value: ArchiveAbout | ArchiveManifest): Buffer {
  return Buffer.from(`${JSON.stringify(value, null, 1)}\n`);
}

/** Null where the bytes are none of a version that is known here. */
export function parseAbout(bytes: Uint8Array): ArchiveAbout | null {
  return ArchiveAbout.safeParse(parseJson(bytes)).data ?? null;
}

export function parseArchiveManifest(bytes: Uint8Array): ArchiveManifest | null {
  return ArchiveManifest.safeParse(parseJson(bytes)).data ?? null;
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return null;
  }
}

/** `database.sql` for the first database of a site, `database-<name>.sql` for each other. */
export function dumpName(database: string, index: number): string {
  if (index === 0) return DUMP_NAME;
  return `database-${encodeURIComponent(database).slice(0, MAX_DATABASE_CHARS)}.sql`;
}

/** Of a name of a database in a member's name: 64 characters of four bytes each come to more than a file's name takes. */
const MAX_DATABASE_CHARS = 200;
