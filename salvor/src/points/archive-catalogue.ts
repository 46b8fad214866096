/**
 * What the archives of an account are, each looked at once: a row in the store for each file, which is looked at again
 * when its size or its time changes.
 */
import { hash } from 'node:crypto';
import { lstatSync, readSync, realpathSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Problem } from '@salvor/contract';
import { type ArchiveLook, type InspectedFile, inspectArchive } from '../archives/inspect-archive.ts';
import type { WrittenArchive } from '../archives/write-archive.ts';
import { SalvorError } from '../errors.ts';
import { openFileAt } from '../lib/beneath/read-file.ts';
import { openSpot } from '../lib/beneath/spot.ts';
import { errnoOf } from '../lib/errno.ts';
import { readHostZone } from '../lib/host-zone.ts';
import type { Account } from '../sites/account.ts';
import type { Site } from '../sites/site.ts';
import type { Store } from '../store/open-store.ts';
import { type FoundFile, findArchiveFiles } from './find-archives.ts';

/** An archive or a dump, as a point that a site can be brought back to. */
export type FoundArchive = {
  /** Of one that we wrote its point's; else made of path, size and time, so that it stays the same. */
  readonly id: string;
  readonly account: string;
  readonly uri: string | null;
  readonly time: string;
  readonly origin: 'archive' | 'dump';
  readonly file: FoundFile;
  readonly look: FoundLook;
};

/** `ArchiveLook` as it lies in the store. */
export type FoundLook = Omit<ArchiveLook, 'time' | 'compression'> & { readonly time: string | null };

const MAX_INFO_BYTES = 64 * 1024;

/** All of an account's, newest first. */
export async function listArchives(
  account: Account,
  sites: readonly Site[],
  store: Store,
): Promise<readonly FoundArchive[]> {
  const files = findArchiveFiles(account, sites);
  const rows = await store.selectFrom('archives').selectAll().where('account', '=', account.name).execute();
  const known = new Map(rows.map((row) => [row.path, row]));
  const zone = readHostZone();
  const found: FoundArchive[] = [];
  for (const file of files) {
    const row = known.get(file.path);
    known.delete(file.path);
    const isKnown = row?.bytes === file.bytes && row.mtime_ns === String(file.mtimeNs);
    const look = isKnown ? (JSON.parse(row.look) as FoundLook) : await lookAtFile(file, zone);
    if (!isKnown) await remember(store, account.name, file, look, null);
    const archive = toArchive(account.name, file, look, sites);
    if (archive !== null) found.push(archive);
  }
  for (const path of known.keys()) await store.deleteFrom('archives').where('path', '=', path).execute();
  return found.toSorted((one, other) => (one.time < other.time ? 1 : one.time > other.time ? -1 : 0));
}

/** Takes a new archive of a task into the catalogue, with its manifest. */
export async function rememberArchive(
  store: Store,
  account: string,
  file: FoundFile,
  { manifest }: WrittenArchive,
): Promise<void> {
  const { about, problems } = manifest;
  const look: FoundLook = {
    kind: 'site-archive',
    uri: about.uri,
    time: about.time,
    holds: { files: true, databases: about.databases.length > 0 },
    platform: { name: about.platform.name, root: about.platform.root },
    description: about.reason,
    about,
    problems: problems.map(({ code, message, path }) => ({ code, message, path })),
  };
  await remember(store, account, file, look, JSON.stringify(manifest));
}

/**
 * Where the archives lie that tasks of this host wrote, as they wrote them: what is in them is in the points beside. A file that
 * came into the place of one is not among them.
 */
export async function findOwnArchives(store: Store, account: string): Promise<readonly string[]> {
  const rows = await store
    .selectFrom('archives')
    .selectAll()
    .where('account', '=', account)
    .where('manifest', 'is not', null)
    .execute();
  return rows
    .filter(({ path, bytes, mtime_ns: mtimeNs }) => {
      const stat = lstatSync(path, { bigint: true, throwIfNoEntry: false });
      return stat?.isFile() === true && stat.size === BigInt(bytes) && String(stat.mtimeNs) === mtimeNs;
    })
    .map(({ path }) => path);
}

/**
 * Where the list of what tasks wrote was lost: an archive that names the point that it was written of is a task's again, if that
 * point is in the catalogue as one of the same site. How many.
 */
export async function adoptArchives(store: Store, account: string): Promise<number> {
  const rows = await store
    .selectFrom('archives')
    .select(['path', 'look'])
    .where('account', '=', account)
    .where('manifest', 'is', null)
    .execute();
  let adopted = 0;
  for (const { path, look } of rows) {
    const { about } = JSON.parse(look) as FoundLook;
    if (about === null) continue;
    const point = await store
      .selectFrom('points')
      .select('id')
      .where('id', '=', about.point)
      .where('account', '=', account)
      .where('uri', '=', about.uri)
      .executeTakeFirst();
    if (point === undefined) continue;
    const manifest = JSON.stringify({ about });
    await store.updateTable('archives').set({ manifest }).where('path', '=', path).execute();
    adopted += 1;
  }
  return adopted;
}

async function remember(
  store: Store,
  account: string,
  { path, bytes, mtimeNs }: FoundFile,
  look: FoundLook,
  manifest: string | null,
): Promise<void> {
  const row = { account, bytes, mtime_ns: String(mtimeNs), look: JSON.stringify(look), manifest };
  await store
    .insertInto('archives')
    .values({ path, ...row })
    .onConflict((conflict) => conflict.column('path').doUpdateSet(row))
    .execute();
}

/**
 * One file anywhere on the host, which whoever runs this names: what it is, and of which site. Throws `archive-unknown`
 * where it is not there, or no archive.
 */
export async function lookAtArchive(account: string, named: string): Promise<FoundArchive> {
  const refuse = (why: string): never => {
    throw new SalvorError('archive-unknown', { archive: named, why });
  };
  let path = named;
  try {
    path = realpathSync(named);
  } catch (error) {
    refuse(errnoOf(error) === 'ENOENT' ? 'there is no such file' : String(errnoOf(error)));
  }
  const stat = lstatSync(path, { bigint: true });
  if (!stat.isFile()) refuse('it is no file');
  const file: FoundFile = {
    path,
    home: dirname(path),
    type: 'file',
    bytes: Number(stat.size),
    mtimeNs: stat.mtimeNs,
    uri: null,
  };
  const archive = toArchive(account, file, await lookAtFile(file, readHostZone()), []);
  if (archive === null) return refuse('it is neither a tar file nor a dump');
  // Never the id of the point that it was written of: that one may be here, and has what the archive lacks, its passwords.
  return { ...archive, id: idOf(file) };
}

/** Null for what is neither an archive nor a dump, such as the notes that people keep beside them. */
function toArchive(account: string, file: FoundFile, look: FoundLook, sites: readonly Site[]): FoundArchive | null {
  if (look.kind === 'unknown' && look.uri === null) return null;
  const own = look.about?.point ?? null;
  const uri = file.uri ?? look.uri ?? uriByName(basename(file.path), account, sites);
  return {
    id: own !== null && /^[0-9a-f]{32}$/.test(own) ? own : idOf(file),
    account,
    uri,
    time: look.time ?? new Date(Number(file.mtimeNs / 1_000_000n)).toISOString(),
    origin: look.kind === 'dump' || look.kind === 'mydumper' ? 'dump' : 'archive',
    file,
    look,
  };
}

/** A plain dump says nothing of its site: one that is called after it, or after its database, is taken for its. */
function uriByName(name: string, account: string, sites: readonly Site[]): string | null {
  const isCalled = (word: string): boolean =>
    word !== '' && name.startsWith(word) && /^[^A-Za-z0-9]/.test(name.slice(word.length));
  const found = sites
    .filter((site) => site.account.name === account)
    .flatMap((site) => [site.uri, ...site.databases.map((database) => database.name)].map((word) => ({ site, word })))
    .filter(({ word }) => isCalled(word))
    .toSorted((one, other) => other.word.length - one.word.length);
  return found[0]?.site.uri ?? null;
}

function idOf({ path, bytes, mtimeNs }: FoundFile): string {
  return hash('sha256', `${path}\0${bytes}\0${mtimeNs}`).slice(0, 32);
}

async function lookAtFile(file: FoundFile, zone: string): Promise<FoundLook> {
  if (file.type === 'directory') return lookAtDirectory(file);
  const name = basename(file.path);
  try {
    using spot = openSpot(file.home, file.path);
    using opened = openFileAt(spot);
    if (opened === null) throw new Error('it is gone');
    const { fd } = opened;
    const inspected: InspectedFile = {
      name,
      bytes: file.bytes,
      read: (offset, length) => Promise.resolve(readAt(fd, offset, length)),
    };
    const { time, compression: _, ...look } = await inspectArchive(inspected, { zone, info: readInfo(file) });
    return { ...look, time: time?.toISOString() ?? null };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { ...NOTHING, problems: [{ code: 'archive-unreadable', message, path: file.path }] };
  }
}

const NOTHING: FoundLook = {
  kind: 'unknown',
  uri: null,
  time: null,
  holds: { files: null, databases: null },
  platform: null,
  description: null,
  about: null,
  problems: [],
};

/** BOA's directories of mydumper's pieces are called after their site; others are none of ours. */
function lookAtDirectory(file: FoundFile): FoundLook {
  const uri = /^(.+)_sql_dump_(?:backup|deploy|rollback)_/.exec(basename(file.path))?.[1] ?? null;
  if (uri === null) return NOTHING;
  const problem: Problem = {
    code: 'archive-unsupported',
    message: 'it is a database in mydumper’s pieces: load it with myloader, or ask for a plain dump',
    path: file.path,
  };
  return { ...NOTHING, kind: 'mydumper', uri, holds: { files: false, databases: true }, problems: [problem] };
}

function readAt(fd: number, offset: number, length: number): Buffer {
  const buffer = Buffer.allocUnsafe(length);
  let filled = 0;
  while (filled < length) {
    const count = readSync(fd, buffer, filled, length - filled, offset + filled);
    if (count === 0) break;
    filled += count;
  }
  return buffer.subarray(0, filled);
}

/** Backup and Migrate's notes beside a dump. */
function readInfo({ home, path }: FoundFile): string | null {
  try {
    using spot = openSpot(home, `${path}.info`);
    using opened = openFileAt(spot);
    return opened === null || opened.stat.nlink > 1n ? null : readAt(opened.fd, 0, MAX_INFO_BYTES).toString('utf8');
  } catch {
    return null;
  }
}
