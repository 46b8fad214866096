/**
 * Writes the archive of a point into the account's `backups`: read back out of the repository, so that the archive is the
 * point and is proof that it can be read. It is a convenience copy: whatever keeps it from being written is a problem of
 * the task, and its point stands.
 *
 *   place looked at → helper with the account's user → written without a name → read back → its name
 */
import type { BackupDocument, Problem } from '@salvor/contract';
import type { AboutWanted } from '../archives/archive-manifest.ts';
import { archiveNames } from '../archives/archive-name.ts';
import type { ArchiveSink } from '../archives/archive-sink.ts';
import type { WrittenCompression } from '../archives/compress/compression.ts';
import { openDirectorySink } from '../archives/directory-sink.ts';
import { HomeSink } from '../archives/home-sink.ts';
import { nameUnfinished, removeUnfinished } from '../archives/unfinished.ts';
import { type ArchiveWanted, type WrittenArchive, writeArchive } from '../archives/write-archive.ts';
import type { DrushrcFields } from '../archives/write-drushrc.ts';
import { SalvorError } from '../errors.ts';
import { openHelper } from '../lib/account-helper/open-helper.ts';
import { openRoot } from '../lib/beneath/open-directory.ts';
import { parseSafePath } from '../lib/beneath/safe-path.ts';
import { lookAt, makeDirectoryAt, spotIn } from '../lib/beneath/spot.ts';
import { errnoOf } from '../lib/errno.ts';
import { readHostZone } from '../lib/host-zone.ts';
import { ARCHIVES_DIRECTORY } from '../points/find-archives.ts';
import type { OpenPoint } from '../points/open-point.ts';
import { readPointModules } from '../points/read-point-modules.ts';
import { sourceOfPoint } from '../points/point-source.ts';
import { type HostTables, readHostTables } from '../sites/host-tables.ts';
import type { Account } from '../sites/account.ts';
import { isBeneath } from '../sites/read-beneath.ts';
import type { Policy } from '../policies/settings.ts';
import type { Site, SiteDatabase } from '../sites/site.ts';
import { usersOfAccount } from './known-owners.ts';
import type { TaskRun } from './task-run.ts';

export type ArchiveTools = {
  readonly policy: Pick<Policy, 'archiveFormat' | 'archiveLevel' | 'archivePasswords'>;
  /** All sites of the host: what lies in one of their code bases anybody can download. */
  readonly sites: readonly Site[];
  /** Takes a new archive into the catalogue. */
  readonly remember: (account: Account, path: string, written: WrittenArchive) => Promise<void>;
};

const COMPRESSIONS: Readonly<Record<string, WrittenCompression>> = {
  'tar.gz': 'gzip',
  tar: 'none',
  'tar.bz2': 'bzip2',
  'tar.zst': 'zstd',
};

/** As the policy wants its archives packed; null where it wants none. */
export function compressionOf({ archiveFormat }: Pick<Policy, 'archiveFormat'>): WrittenCompression | null {
  return COMPRESSIONS[archiveFormat] ?? null;
}

/** Null where the policy wants none, and where none could be written, which is then a problem of the run. */
export async function archivePoint(
  site: Site,
  point: OpenPoint,
  tools: ArchiveTools,
  run: TaskRun,
): Promise<BackupDocument['archive']> {
  const compression = compressionOf(tools.policy);
  if (compression === null) return null;
  if (point.manifest.files === null) {
    run.say('no archive is written: the site’s directory is gone, and the point holds databases alone');
    return null;
  }
  const path = `${site.account.home}/${ARCHIVES_DIRECTORY}`;
  try {
    // The point stands, whatever becomes of this: a cancelled run has not failed any more.
    return await run.commit('archive', async () => {
      run.signal.throwIfAborted();
      requireUnserved(path, tools.sites);
      const written = await run.audit('write-archive', path, () => write(site, point, compression, tools, run));
      run.note(...written.problems);
      const archive = { path: `${path}/${written.name}`, bytes: written.bytes };
      await tools.remember(site.account, archive.path, written);
      run.say(`archive ${archive.path} was written and read back`);
      return archive;
    });
  } catch (error) {
    run.note(asProblem(error, path, run.signal));
    return null;
  } finally {
    // Where the helper was killed it is still there.
    removeUnfinishedArchive(site.account.home, run.id);
  }
}

/** What a dead task left of the archive that it wrote; false where there is nothing. */
export function removeUnfinishedArchive(home: string, task: string): boolean {
  return removeUnfinished(home, ARCHIVES_DIRECTORY, task);
}

async function write(
  site: Site,
  point: OpenPoint,
  compression: WrittenCompression,
  { policy }: ArchiveTools,
  run: TaskRun,
): Promise<WrittenArchive> {
  const wanted = {
    ...wantedOf(site, point, policy.archivePasswords === 'left-out' ? 'left-out' : 'replaced'),
    modules: await readPointModules(point),
    compression,
    level: policy.archiveLevel,
    names: archiveNames(point.manifest.site.uri, new Date(point.manifest.time), compression, readHostZone()),
  };
  const tools = {
    scratch: run.scratch,
    signal: run.signal,
    onProgress: ({ files, bytes }: { readonly files: number; readonly bytes: number }) =>
      run.progress({ files, bytes }),
  };
  const into = (sink: ArchiveSink): Promise<WrittenArchive> => writeArchive(sourceOfPoint(point), wanted, sink, tools);
  const { account } = site;
  const isPrivate = !isGroupOfLogIns(account, readHostTables());
  const mode = isPrivate ? 0o600 : 0o640;
  if (account.uid === 0) {
    // Nobody else can put anything in the way.
    makeDirectory(account.home);
    await using sink = await openDirectorySink({
      directory: `${account.home}/${ARCHIVES_DIRECTORY}`,
      unfinished: nameUnfinished(run.id),
      mode,
      owner: account,
    });
    return await into(sink);
  }
  const user = usersOfAccount(account).find(({ uid }) => uid === account.uid) ?? account;
  await using helper = await openHelper(user, account.home, { signal: run.signal });
  const directory = parseSafePath(ARCHIVES_DIRECTORY);
  try {
    await helper.makeDirectory(directory);
    await helper.finish(directory, {
      mode: isPrivate ? 0o700 : 0o750,
      mtimeNs: BigInt(run.clock().getTime()) * 1_000_000n,
    });
  } catch (error) {
    if (!(error instanceof SalvorError) || error.code !== 'path-taken') throw error;
  }
  await using sink = new HomeSink({
    helper,
    user: { uid: account.uid, gid: account.gid },
    root: account.home,
    directory,
    unfinished: nameUnfinished(run.id),
    mode,
    time: run.clock(),
  });
  return await into(sink);
}

/** What an archive of a point says and hides, wherever it is written. `then` is the site as the point has it. */
export function wantedOf(
  site: Site,
  { manifest }: Pick<OpenPoint, 'manifest'>,
  passwords: ArchiveWanted['passwords'],
  then: Site | null = null,
): Omit<ArchiveWanted, 'compression' | 'level' | 'names' | 'modules'> {
  const { uri, cms, version, path } = manifest.site;
  const databases = [...site.databases, ...(then?.databases ?? [])];
  const about: AboutWanted = {
    uri,
    time: manifest.time,
    point: manifest.point,
    task: manifest.task,
    reason: manifest.reason,
    host: manifest.host,
    account: manifest.account.name,
    site: { path, cms, version },
    platform: manifest.platform,
    tools: manifest.tools,
  };
  return {
    about,
    // Of a night's point: what the site makes again by itself.
    excludes: manifest.leftOut.files,
    rowless: manifest.leftOut.rows,
    secrets: {
      passwords: databases.map(({ login }) => login.password),
      open: [uri, site.account.name, ...databases.flatMap(openWords)],
    },
    passwords,
    drushrc: drushrcOf(site, { uri, path, root: manifest.platform.root, platform: manifest.platform.name }),
  };
}

function openWords({ name, login }: SiteDatabase): readonly string[] {
  const { address } = login;
  return [name, login.user, ...('socket' in address ? ['localhost', address.socket] : [address.host])];
}

/** What Aegir reads of a site, as far as it is known here. */
function drushrcOf(
  { aliases, databases }: Site,
  of: { readonly uri: string; readonly path: string; readonly root: string; readonly platform: string },
): DrushrcFields {
  const [database] = databases;
  const server =
    database === undefined
      ? {}
      : {
          db_type: 'mysql',
          db_host: 'host' in database.login.address ? database.login.address.host : 'localhost',
          db_port: String('port' in database.login.address ? database.login.address.port : 3306),
          db_name: database.name,
          db_user: database.login.user,
        };
  return {
    uri: of.uri,
    root: of.root,
    site_path: of.path,
    platform: `@platform_${of.platform}`,
    aliases,
    ...server,
  };
}

/** Whether the account's group holds the account and its log-ins, and neither a client nor anybody else. */
export function isGroupOfLogIns(account: Pick<Account, 'uid' | 'gid' | 'logins'>, tables: HostTables): boolean {
  const allowed = new Set([account.uid, ...account.logins.filter(({ kind }) => kind === 'main').map(({ uid }) => uid)]);
  const names = tables.groups.filter(({ gid }) => gid === account.gid).flatMap(({ members }) => members);
  const members = tables.users.filter(({ name, gid }) => gid === account.gid || names.includes(name));
  return (
    members.length > 0 &&
    members.every(({ uid }) => allowed.has(uid)) &&
    names.every((name) => members.some((member) => member.name === name))
  );
}

/** Throws `archive-place-served`. */
export function requireUnserved(path: string, sites: readonly Site[]): void {
  const served = sites.find((site) => isBeneath(path, site.platform.root) || isBeneath(path, site.path));
  if (served === undefined) return;
  throw new SalvorError('archive-place-served', { place: path, root: served.platform.root });
}

function makeDirectory(home: string): void {
  using root = openRoot(home);
  const spot = spotIn(root, ARCHIVES_DIRECTORY);
  try {
    makeDirectoryAt(spot, 0o700);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST' || lookAt(spot)?.isDirectory() !== true) throw error;
  }
}

function asProblem(error: unknown, path: string, signal: AbortSignal): Problem {
  const told = error instanceof SuppressedError ? (error.suppressed as unknown) : error;
  if (signal.aborted) return { code: 'cancelled', message: 'the archive was not written: it was cancelled', path };
  const why = told instanceof Error ? told.message : String(told);
  return { code: codeOf(told), message: `the archive was not written: ${why}`, path };
}

function codeOf(error: unknown): string {
  const code = errnoOf(error);
  if (code === 'ENOSPC') return 'disk-full';
  if (code === 'EDQUOT') return 'quota-exceeded';
  return code ?? 'archive-failed';
}
