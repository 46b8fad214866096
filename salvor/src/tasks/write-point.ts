import { lstatSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Problem } from '@salvor/contract';
import { restore } from '@salvor/engine';
import { SalvorError } from '../errors.ts';
import { sitePathOf } from '../points/moved-places.ts';
import { dumpPathOf, type ManifestDatabase } from '../points/manifest.ts';
import type { OpenPoint } from '../points/open-point.ts';
import type { Account } from '../sites/account.ts';
import { type Rates, estimateSeconds } from './estimate-restore.ts';
import { knownOwners, usersOfAccount } from './known-owners.ts';
import type { PlanOfPoint } from './read-copy.ts';
import { type RestoreScope, isInScope } from './restore-scope.ts';
import { type TargetPlace, locateTarget } from './target-place.ts';
import type { TaskProgress } from './task-run.ts';
import { writeInHome } from './write-in-home.ts';

/** What `--to DIR` is going to write. Throws `target-not-empty` and `target-unsafe`. */
export async function planWrite(
  point: OpenPoint,
  scope: RestoreScope,
  target: string,
  { account, rates }: { readonly account: Account; readonly rates: Rates },
): Promise<PlanOfPoint> {
  const directory = resolve(target);
  requireEmpty(locateTarget(target, usersOfAccount(account)));
  let files = 0;
  let bytes = 0;
  let tables = 0;
  for await (const { path, entry } of point.view.walk('/')) {
    if (!isWritten(scope, point, path)) continue;
    if (sitePathOf(point.manifest, path) !== null && path !== '/site') files += 1;
    if (path.startsWith('/databases/') && isTable(point, path)) tables += 1;
    bytes += entry.type === 'file' ? entry.size : 0;
  }
  const { manifest } = point;
  const hasFiles = scope.files === 'all' || scope.files.length > 0;
  const hasTables = scope.databases.length > 0;
  return {
    account: manifest.account.name,
    uri: manifest.site.uri,
    point: manifest.point,
    pointTime: manifest.time,
    target: directory,
    into: null,
    files: hasFiles ? { new: files, changed: 0, deleted: 0, kept: 0 } : null,
    tables: hasTables ? { restored: tables, deleted: 0, kept: 0 } : null,
    bytes,
    deletes: { files: [], tables: [] },
    bytesKept: 0,
    seconds: estimateSeconds(rates, { safety: 0, files: bytes, tables: 0 }),
    switch: { files: hasFiles ? 'write' : 'none', databases: hasTables ? 'write' : 'none' },
    around: { maintenance: null, reloadPhp: null, preRestore: null, postRestore: null, page: null },
    hooks: [],
    obstacles: [],
    notes: [],
  };
}

/**
 * Writes the point's layout (`manifest.json`, `site/`, `databases/<name>/`) into an empty or missing directory, and
 * reads every file back. Owners are those that manifest and account both know. Where the directory lies in what is the
 * account's, it is the account's user that writes.
 */
export async function writePoint(
  point: OpenPoint,
  scope: RestoreScope,
  target: string,
  account: Account,
  options: { readonly signal: AbortSignal; readonly onProgress: (progress: TaskProgress) => void },
): Promise<readonly Problem[]> {
  const place = locateTarget(target, usersOfAccount(account));
  requireEmpty(place);
  const owners = knownOwners(account, point.manifest);
  const onProgress = ({ files, bytes }: { readonly files: number; readonly bytes: number }): void =>
    options.onProgress({ step: 'write', files, bytes, filesTotal: null, bytesTotal: null, current: '' });
  const isWanted = (path: string): boolean => isWritten(scope, point, path);
  if (place.by === 'account')
    return await writeInHome(point, place, { owners, isWritten: isWanted, signal: options.signal, onProgress });
  const { problems } = await restore({
    repository: point.repository,
    snapshot: point.snapshot,
    target: place.directory,
    include: isWanted,
    // Dumps and manifest were made by us, as who we are.
    owners: {
      uids: [...owners.uids, process.getuid?.() ?? 0],
      gids: [...owners.gids, process.getgid?.() ?? 0],
      fallback: { uid: account.uid, gid: account.gid },
      acl: owners.acl,
    },
    dropSpecial: true,
    verify: true,
    sync: true,
    signal: options.signal,
    onProgress,
  });
  return problems.map(({ code, message, path }) => ({ code, message, path }));
}

/** Takes away again what a write that failed has left: it began in an empty directory. A helper has done so by itself. */
export function clearWritten(target: string, account: Account): void {
  const place = locateTarget(target, usersOfAccount(account));
  if (place.by === 'account' || lstatSync(place.directory, { throwIfNoEntry: false }) === undefined) return;
  for (const name of readdirSync(place.directory)) rmSync(join(place.directory, name), { recursive: true });
}

function isWritten(scope: RestoreScope, point: OpenPoint, path: string): boolean {
  if (path === '/manifest.json') return true;
  const [, top, name, file] = path.split('/');
  const inSite = sitePathOf(point.manifest, path);
  if (inSite !== null) return isInScope(scope, inSite);
  if (top === 'moved') return point.manifest.moved.some(({ link }) => isInScope(scope, link));
  if (top !== 'databases') return false;
  if (name === undefined) return scope.databases.length > 0;
  const stored = databaseAt(point, name);
  const wanted = scope.databases.find((database) => database.name === stored?.name);
  if (wanted === undefined || file === undefined) return wanted !== undefined;
  const table = stored?.files.find((candidate) => candidate.name === file)?.table ?? null;
  return wanted.tables === 'all' || table === null || wanted.tables.includes(table);
}

function isTable(point: OpenPoint, path: string): boolean {
  const [, , name, file] = path.split('/');
  const stored = databaseAt(point, name);
  return stored?.files.some((candidate) => candidate.name === file && candidate.kind === 'table') ?? false;
}

function databaseAt(point: OpenPoint, directory: string | undefined): ManifestDatabase | undefined {
  return point.manifest.databases.find((database) => dumpPathOf(database) === `/databases/${directory}`);
}

/**
 * A directory of ours to be, or one with nothing in it; its parent must be there, so that a slip of the pen makes no
 * tree. In what is the account's this is for the helper to find.
 */
function requireEmpty(place: TargetPlace): void {
  if (place.by === 'account') return;
  const { directory } = place;
  const stat = lstatSync(directory, { throwIfNoEntry: false });
  if (stat === undefined) {
    if (lstatSync(dirname(directory), { throwIfNoEntry: false })?.isDirectory() === true) return;
    throw new SalvorError('target-not-empty', { target: directory, why: `${dirname(directory)} is not a directory` });
  }
  if (!stat.isDirectory() || readdirSync(directory).length > 0)
    throw new SalvorError('target-not-empty', { target: directory, why: 'it is not an empty directory' });
}
