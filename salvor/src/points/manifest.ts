/**
 * `/manifest.json` of a point: what it holds and where it came from, enough to bring the site back on a host that
 * never heard of it. The shape on disk; a reader refuses a version that it does not know.
 */
import { CMS_NAMES } from '@salvor/contract';
import { z } from 'zod';

const Count = z.int().nonnegative();

/** One file under `/databases/<name>/`. Head, tables and tail in name order are one plain dump. */
const ManifestFile = z
  .object({
    name: z.string().min(1),
    kind: z.enum(['head', 'table', 'tail']),
    /** The table that the file holds; null for head and tail. */
    table: z.string().nullable(),
    /** Rows as they were written, counted in the dump; null for head and tail, and where they can't be counted. */
    rows: Count.nullable(),
    bytes: Count,
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
  })
  .readonly();
export type ManifestFile = z.infer<typeof ManifestFile>;

const ManifestDatabase = z
  .object({
    engine: z.enum(['mariadb', 'postgres', 'sqlite']),
    name: z.string().min(1),
    /** The directory of the point below `/databases` that holds its files; where there is none it is the name itself. */
    directory: z
      .string()
      .regex(/^(?!\.+$)[A-Za-z0-9_.%~-]{1,220}$/)
      .optional(),
    /** The site's own user of it, for a host where it has to be made again. Never its password. */
    user: z.string(),
    prefix: z.string(),
    /** Prefixes of other sites that used the database then: what begins so is not in the dump. */
    others: z.array(z.string()).readonly().optional(),
    charset: z.string(),
    collation: z.string(),
    server: z.string(),
    /** When the consistent view of all its tables was opened. */
    time: z.string(),
    views: z.array(z.string()).readonly(),
    files: z.array(ManifestFile).readonly(),
  })
  .readonly();
export type ManifestDatabase = z.infer<typeof ManifestDatabase>;

/** A directory of the site that lies outside of its own, where a link in it leads. */
const ManifestMoved = z
  .object({
    /** The link, relative to the site's directory. */
    link: z.string().min(1),
    /** Where it led: absolute, without links. */
    target: z.string().startsWith('/'),
    /** The directory of the point that holds what lay there. */
    place: z.string().startsWith('/moved/'),
    /** False where the site had no such link: the task that took the point replaces that directory all the same. */
    linked: z.boolean(),
  })
  .readonly();
export type ManifestMoved = z.infer<typeof ManifestMoved>;

const Owner = z.object({ id: Count, name: z.string().nullable() }).readonly();

export const Manifest = z
  .object({
    format: z.literal('salvor-point'),
    version: z.literal(1),
    point: z.string().regex(/^[0-9a-f]{32}$/),
    time: z.string(),
    origin: z.enum(['task', 'daily', 'owner', 'archive', 'dump']),
    reason: z.string().nullable(),
    /** Taken of what a destructive task was about to replace; no rule removes it before it is confirmed. */
    safety: z.boolean(),
    task: z.string().nullable(),
    host: z.string(),
    account: z.object({ name: z.string(), home: z.string(), uid: Count, gid: Count }).readonly(),
    site: z
      .object({
        uri: z.string(),
        path: z.string(),
        cms: z.enum(CMS_NAMES),
        version: z.string().nullable(),
        /** The last update that the database had; null where it has no such number, and in points of before it was asked. */
        schema: z.int().nullable().default(null),
      })
      .readonly(),
    platform: z.object({ name: z.string(), root: z.string(), version: z.string().nullable() }).readonly(),
    /** Null where the point holds no files; those of moved-out directories count. */
    files: z.object({ count: Count, bytes: Count }).readonly().nullable(),
    /** In points of before there were any it is not there. */
    moved: z.array(ManifestMoved).readonly().default([]),
    databases: z.array(ManifestDatabase).readonly(),
    /** Between the oldest database's view and the reading of the last file. */
    seconds: z.number().nonnegative(),
    /** Every owner and group that a file of the site had. */
    owners: z.object({ users: z.array(Owner).readonly(), groups: z.array(Owner).readonly() }).readonly(),
    tools: z.record(z.string(), z.string()).readonly(),
    /** False where something of the site could not be taken: such a point is restored only when it is named. */
    complete: z.boolean(),
    /** What a rule left out because the site makes it again by itself: paths relative to its directory, tables without their rows. */
    leftOut: z
      .object({ files: z.array(z.string()).readonly(), rows: z.array(z.string()).readonly() })
      .readonly()
      .default({ files: [], rows: [] }),
    /** What could not be taken, or not at one instant, each named. */
    problems: z
      .array(z.object({ code: z.string(), message: z.string(), path: z.string().nullable() }).readonly())
      .readonly(),
  })
  .readonly();
export type Manifest = z.infer<typeof Manifest>;

/** A manifest lists tables, not files: 100,000 tables take 20 MB. */
export const MAX_MANIFEST_BYTES = 64 * 1024 * 1024;

export function serialiseManifest(manifest: Manifest): Uint8Array {
  return Buffer.from(`${JSON.stringify(manifest, null, 1)}\n`);
}

/** Null where the bytes are not a manifest of a version that this program knows; `why` says what is wrong. */
export function parseManifest(
  bytes: Uint8Array,
): { readonly manifest: Manifest } | { readonly manifest: null; readonly why: string } {
  return parseJsonOf(Manifest, bytes);
}

/** A manifest of any kind from its bytes. */
export function parseJsonOf<T>(
  schema: z.ZodType<T>,
  bytes: Uint8Array,
): { readonly manifest: T } | { readonly manifest: null; readonly why: string } {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return { manifest: null, why: 'its manifest is not JSON' };
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return { manifest: parsed.data };
  const issue = parsed.error.issues[0];
  return {
    manifest: null,
    why: `its manifest is not of a version known here: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`,
  };
}

/** Where a point holds a database's dump. */
export function dumpPathOf({ name, directory }: Pick<ManifestDatabase, 'name' | 'directory'>): string {
  return `/databases/${directory ?? name}`;
}

/** Of files and dumps, as they were read. */
export function bytesOfManifest(manifest: Manifest): number {
  const dumps = manifest.databases.flatMap((database) => database.files);
  return (manifest.files?.bytes ?? 0) + dumps.reduce((sum, file) => sum + file.bytes, 0);
}
