/**
 * A home of a lost host, out of a night's snapshot of files, at its place on a machine that has none of it:
 *
 *   beside → the place is written down → renamed
 *
 * A home has its name only when all of it is there, on the disk and compared. What lies at the place already is left alone.
 */
import { chmodSync, chownSync, lstatSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Problem } from '@salvor/contract';
import { type Repository, type Snapshot, openView, restore } from '@salvor/engine';
import { SalvorError } from '../errors.ts';
import { openDirectory, openRoot } from '../lib/beneath/open-directory.ts';
import { parseSafePath } from '../lib/beneath/safe-path.ts';
import { errnoOf } from '../lib/errno.ts';
import { syncDirectory } from '../lib/write-durably.ts';

export type RecoverTreeOptions = {
  readonly repository: Repository;
  /** A night's snapshot of files, at their real paths. */
  readonly snapshot: Snapshot;
  /** Directories that are not made, with all that is in them; absolute. */
  readonly without: ReadonlySet<string>;
  readonly workers: number;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: { readonly files: number; readonly bytes: number }) => void;
  /** Puts on disk that what has this identity is about to get its name. */
  readonly onPlacing: (identity: string) => void;
};

export type RecoveredTree = { readonly files: number; readonly bytes: number; readonly problems: readonly Problem[] };

/** What is at the place of a directory: nothing, an empty directory, or something. */
export function judgePlace(path: string): 'missing' | 'empty' | 'taken' {
  try {
    if (!lstatSync(path).isDirectory()) return 'taken';
    return readdirSync(path).length === 0 ? 'empty' : 'taken';
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 'missing';
    throw error;
  }
}

/** Tells a directory from any other that comes to its place; null where there is none. */
export function identify(path: string): string | null {
  const stat = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? null : `${stat.dev}:${stat.ino}`;
}

/** Throws `place-taken`, and the engine's codes of a restore: then nothing has the home's name. */
export async function recoverHome(home: string, options: RecoverTreeOptions): Promise<RecoveredTree> {
  if (judgePlace(home) === 'taken') throw new SalvorError('place-taken', { path: home });
  await makeParents(dirname(home), options);
  const beside = locateBeside(home);
  const built = await buildTree(home, beside, options);
  options.onPlacing(identify(beside) ?? '');
  place(beside, home);
  syncDirectory(dirname(home));
  return built;
}

/** A directory in a home that was recovered without it. Its parent is the tenant's: no link on the way is followed. */
export async function recoverWithin(home: string, path: string, options: RecoverTreeOptions): Promise<RecoveredTree> {
  if (judgePlace(path) === 'taken') throw new SalvorError('place-taken', { path });
  const beside = locateBeside(home);
  const built = await buildTree(path, beside, options);
  using root = openRoot(home);
  using parent = openDirectory(root, parseSafePath(dirname(path).slice(home.length + 1) || '.'));
  options.onPlacing(identify(beside) ?? '');
  place(beside, `/proc/self/fd/${parent.fd}/${basename(path)}`);
  return built;
}

/** On the same file system, and root's: what is half made there is seen by nobody. */
function locateBeside(home: string): string {
  return join(dirname(home), `.salvor-recovery-${basename(home)}`);
}

async function buildTree(path: string, beside: string, options: RecoverTreeOptions): Promise<RecoveredTree> {
  const { repository, snapshot, without, workers, signal, onProgress } = options;
  // Left by a recovery that was killed.
  rmSync(beside, { recursive: true, force: true });
  const { files, bytes, problems } = await restore({
    repository,
    snapshot,
    target: beside,
    subtree: path,
    include: (inside) => !without.has(inside),
    verify: true,
    sync: true,
    workers,
    signal,
    onProgress,
  });
  return { files, bytes, problems };
}

/** A rename takes the place of an empty directory; of a mount it can't. */
function place(beside: string, path: string): void {
  try {
    renameSync(beside, path);
  } catch (cause) {
    if (errnoOf(cause) === 'EBUSY' || errnoOf(cause) === 'EXDEV')
      throw new SalvorError('place-mounted', { path }, { cause });
    throw cause;
  }
}

/** Directories above the home, as they were. */
async function makeParents(path: string, { repository, snapshot }: RecoverTreeOptions): Promise<void> {
  const view = await openView(repository, snapshot);
  const missing: string[] = [];
  for (let at = path; judgePlace(at) === 'missing'; at = dirname(at)) missing.unshift(at);
  for (const at of missing) {
    const { mode, uid, gid } = await view.stat(at);
    mkdirSync(at, { mode: 0o700 });
    chownSync(at, uid, gid);
    chmodSync(at, mode);
  }
}
