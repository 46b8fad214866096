import { chmodSync, chownSync, lstatSync, mkdirSync, statSync, utimesSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Problem } from '@salvor/contract';
import { restore } from '@salvor/engine';
import { type OpenDirectory, openDirectory, openRoot } from '../lib/beneath/open-directory.ts';
import { parseSafePath } from '../lib/beneath/safe-path.ts';
import { mountsWithin } from '../lib/mounts.ts';
import { isThere } from '../lib/is-there.ts';
import { stayingNames } from '../points/left-out.ts';
import type { OpenPoint } from '../points/open-point.ts';
import type { Account } from '../sites/account.ts';
import { type FilePart, isInPart, isWantedWhole, pathInSite } from './file-parts.ts';
import { keepOwn } from './keep-own.ts';
import { knownOwners } from './known-owners.ts';
import { planEntriesMove } from './move-entries.ts';
import { type Move, type MovePlaces, planMove } from './move-site.ts';
import { keepingTime, openStaging } from './staging.ts';
import type { TaskRun } from './task-run.ts';

/** A part and where it was built: a directory in the task's staging place on its own mount. */
export type BuiltPart = { readonly part: FilePart; readonly staging: string; readonly root: string };

/** What all parts have in common. */
export type FileSource = { readonly point: OpenPoint; readonly account: Account };

/** Where a part is built. What it lies in is built with it where that is gone from the disk. */
export function locateBuilt(part: FilePart, staging: string, number: number): BuiltPart {
  const top = join(staging, number === 0 ? 'site' : `part-${number}`);
  const missing = findTop(part);
  return { part, staging, root: top + part.live.slice(missing.length) };
}

/**
 * Writes what the point holds of a part into its place in staging and reads every file of it back. Owners are those that
 * the manifest and the account both know; devices and set-user-id bits stay out, because whoever could write the
 * point's source could have planted them.
 */
export async function buildFiles(
  { part, staging, root }: BuiltPart,
  { point, account }: FileSource,
  run: TaskRun,
  onProgress: (done: { readonly files: number; readonly bytes: number }) => void,
): Promise<readonly Problem[]> {
  using place = openStaging(staging);
  const target = place.at + root.slice(staging.length);
  makeAbove(target, place.at, account);
  const { stored } = part;
  if (stored === null) {
    copyDirectory(part.live, target);
    return [
      {
        code: 'mount-emptied',
        path: part.path,
        message: `${part.live} is a mount, and the point holds nothing of it: it is emptied and stays`,
      },
    ];
  }
  const problems = await run.audit('restore-files', root, async () => {
    const wanted = { point, account, run, onProgress, home: part.home };
    const include = (path: string): boolean => isInPart(part, path);
    const own = await restoreTree(stored, target, { ...wanted, live: part.like ?? part.live, include });
    for (const graft of part.grafts.filter(({ at }) => isWantedWhole(part, at))) {
      const at = join(target, graft.at);
      // The point's own time of the directory that it is put into.
      own.push(
        ...(await keepingTime(dirname(at), () =>
          restoreTree(graft.stored, at, { ...wanted, live: join(part.live, graft.at) }),
        )),
      );
    }
    return own;
  });
  keepOwn({ part, staging, root });
  return problems.map(({ code, message, path }) => ({
    code,
    message,
    path: pathInSite(part, path.slice(target.length + 1)),
  }));
}

/** One directory of the point, with what is in it: what the live one has of it is taken from there. */
async function restoreTree(
  stored: string,
  target: string,
  { point, account, run, onProgress, home, live, include = () => true }: FileSource & RestoreOf,
): Promise<{ code: string; message: string; path: string }[]> {
  using existing = openExisting(home, live);
  const { problems, bytes, bytesRead, reused } = await restore({
    repository: point.repository,
    snapshot: point.snapshot,
    target,
    subtree: stored,
    include: (path) => include(path.slice(stored.length + 1)),
    owners: { ...knownOwners(account, point.manifest), fallback: { uid: account.uid, gid: account.gid } },
    dropSpecial: true,
    ...(existing === null ? {} : { existing: `/proc/self/fd/${existing.fd}` }),
    verify: true,
    sync: true,
    signal: run.signal,
    onProgress,
  });
  run.say(
    `of ${bytes} bytes ${reused.bytes} were there already, in ${reused.files} files; ${bytesRead} were read from the repository`,
  );
  return problems.map(({ code, message, path }) => ({ code, message, path }));
}

/** Null where it is gone, or something else is in its place. */
function openExisting(home: string, live: string): OpenDirectory | null {
  try {
    using root = openRoot(home);
    return openDirectory(root, parseSafePath(live.slice(home.length + 1)));
  } catch {
    return null;
  }
}

type RestoreOf = {
  readonly run: TaskRun;
  /** The live directory, and the home that it lies in. */
  readonly live: string;
  readonly home: string;
  readonly onProgress: (done: { readonly files: number; readonly bytes: number }) => void;
  /** Asked for paths relative to the directory. */
  readonly include?: (path: string) => boolean;
};

/** What changes places with what: a whole directory, or each path. Where a path's parent is gone, the parent comes. */
export function planMoves({ part, staging, root }: BuiltPart): readonly Move[] {
  using place = openStaging(staging);
  const places = { home: part.home, staging, at: place.at };
  if (part.wanted === 'all' || lstatSync(part.live, { throwIfNoEntry: false }) === undefined) {
    const top = findTop(part);
    const staged = root.slice(0, root.length - (part.live.length - top.length));
    return planDirectory({ ...places, live: top, staged, path: part.path });
  }
  const paths = new Set(part.wanted.map((path) => highestMissing(part.live, path)));
  return [...paths].flatMap((path) =>
    planDirectory({ ...places, live: join(part.live, path), staged: join(root, path), path: pathInSite(part, path) }),
  );
}

/** One exchange; or, where a mount is in the way, what lies in the directory, and so on below for what leads to one. */
function planDirectory({
  at,
  ...places
}: MovePlaces & { readonly path: string; readonly at: string }): readonly Move[] {
  const { live, staged, staging, path } = places;
  const mounts = mountsWithin(live);
  if (mounts.length === 0) return [planMove(places)];
  const deeper = stayingNames(live).filter((name) => {
    const directory = join(live, name);
    return !mounts.includes(directory) && mounts.some((mount) => mount.startsWith(`${directory}/`));
  });
  // Before anything is added to the staged one, whose time it takes.
  const own = planEntriesMove(places);
  const inner = deeper.flatMap((name) => {
    const next = { ...places, at, live: join(live, name), staged: join(staged, name), path: join(path, name) };
    // The point has nothing there: what leads to the mount stays as it is.
    const built = at + next.staged.slice(staging.length);
    if (lstatSync(built, { throwIfNoEntry: false }) === undefined) copyDirectory(next.live, built);
    return planDirectory(next);
  });
  return [own, ...inner];
}

/** What has to be put in place for the part to be there: itself, or the highest directory above it that is missing. */
function findTop({ live, home }: FilePart): string {
  let top = live;
  for (let above = dirname(live); above.startsWith(`${home}/`); above = dirname(above))
    if (lstatSync(above, { throwIfNoEntry: false }) === undefined) top = above;
  return top;
}

function makeAbove(target: string, root: string, account: Account): void {
  for (const above of [...parentsOf(target, root)].toReversed()) {
    if (isThere(above)) continue;
    mkdirSync(above, { mode: 0o755 });
    if (process.getuid?.() === 0) chownSync(above, account.uid, account.gid);
  }
}

function* parentsOf(path: string, root: string): Generator<string> {
  for (let at = dirname(path); at.startsWith(`${root}/`); at = dirname(at)) yield at;
}

/** An empty directory with owner, mode and time of another. */
function copyDirectory(from: string, to: string): void {
  const { uid, gid, mode, atime, mtime } = statSync(from);
  mkdirSync(to);
  if (process.getuid?.() === 0) chownSync(to, uid, gid);
  chmodSync(to, mode & 0o7777);
  utimesSync(to, atime, mtime);
}

/** The first part of the path that is not there as a directory, or the path itself. */
function highestMissing(root: string, path: string): string {
  const parts = path.split('/');
  for (let length = 1; length < parts.length; length++) {
    const parent = parts.slice(0, length).join('/');
    if (lstatSync(join(root, parent), { throwIfNoEntry: false })?.isDirectory() !== true) return parent;
  }
  return path;
}
