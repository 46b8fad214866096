/**
 * The places where the new is built and the old is kept: `<mount>/.salvor/<account>/<task>`, one on each mount that
 * takes part, root's alone, so that no tenant can look into it or change what is about to become his site.
 */
import { chmodSync, lstatSync, mkdirSync, readdirSync, rmdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimes } from '@salvor/engine/libc';
import { SalvorError } from '../errors.ts';
import { errnoOf } from '../lib/errno.ts';
import type { OpenDirectory } from '../lib/beneath/open-directory.ts';
import { openOwnDirectory } from '../lib/beneath/own-directory.ts';
import { removeTree } from '../lib/beneath/remove-tree.ts';
import { spotIn } from '../lib/beneath/spot.ts';
import { removeSubvolume } from '../lib/file-snapshots/btrfs.ts';
import { mountPointOf } from '../lib/mounts.ts';
import { syncDirectory } from '../lib/write-durably.ts';
import { isThere } from '../lib/is-there.ts';
import { STAGING_NAME } from '../points/left-out.ts';

/**
 * Where a task's staging place for what lies at `path` will be; nothing is made. `configured` is the hoster's choice for
 * all sites, and holds for what lies on its mount: elsewhere nothing could change places with what is there.
 */
export function locateStaging(path: string, account: string, task: string, configured: string | null): string {
  const mount = mountPointOf(path);
  const root = configured !== null && mountPointOf(configured) === mount ? configured : join(mount, STAGING_NAME);
  return join(root, account, task);
}

/** Makes it, empty. Whoever may write in a directory above it could put another in its place: such a place is refused. */
export async function makeStaging(path: string): Promise<void> {
  const missing: string[] = [];
  for (const directory of [dirname(dirname(path)), dirname(path), path]) {
    if (await keepingTime(dirname(directory), () => mkdirIfMissing(directory))) missing.push(directory);
    const stat = lstatSync(directory);
    if (!stat.isDirectory() || stat.uid !== process.getuid?.() || (stat.mode & 0o022) !== 0)
      throw new SalvorError('staging-unsafe', { path: directory });
  }
  for (const directory of missing) syncDirectory(dirname(directory));
}

/**
 * Opens it for writing below `at`, a path that leads through the open directory where somebody else could put another
 * one in its way: at the top of a mount that is a tenant's.
 */
export function openStaging(path: string): OpenDirectory & { readonly at: string } {
  const directory = openOwnDirectory(path);
  return { ...directory, at: isOursAbove(path) ? path : `/proc/self/fd/${directory.fd}` };
}

/**
 * Removes a task's place and the directories above it that are empty then. A tenant's program may still be at work in
 * what was his site: nothing that it does there leads out, and a mount there stops it (`path-leads-out`). Throws where
 * the place's own file system is not mounted.
 */
export async function removeStaging(path: string): Promise<void> {
  const root = dirname(dirname(path));
  if (basename(root) === STAGING_NAME && mountPointOf(root) !== dirname(root))
    throw new SalvorError('system-refused', { reason: `${dirname(root)} is not mounted, and ${path} lies on it` });
  if (isThere(path)) {
    using place = openOwnDirectory(path);
    // All of these names are ours. A snapshot of a file system goes as a whole, and can't go otherwise.
    for (const name of readdirSync(`/proc/self/fd/${place.fd}`))
      if (!(await removeSubvolume(place, name))) await removeTree(spotIn(place, name));
  }
  for (const directory of [path, dirname(path), dirname(dirname(path))]) {
    try {
      await keepingTime(dirname(directory), () => rmdirSync(directory));
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') return;
    }
  }
}

/** For what we make and remove in a directory of the site, such as the top of a mount: no change of its own. */
export async function keepingTime<T>(directory: string, body: () => T | Promise<T>): Promise<T> {
  const before = lstatSync(directory, { bigint: true, throwIfNoEntry: false });
  const result = await body();
  if (before !== undefined) setTimes(directory, before.atimeNs, before.mtimeNs);
  return result;
}

/** Whether nobody else can rename what lies on the way to it. */
function isOursAbove(path: string): boolean {
  for (let at = dirname(path); ; at = dirname(at)) {
    const { uid, mode } = lstatSync(at);
    const isSticky = (mode & 0o1000) !== 0;
    if ((uid !== 0 && uid !== process.getuid?.()) || ((mode & 0o022) !== 0 && !isSticky)) return false;
    if (at === '/') return true;
  }
}

function mkdirIfMissing(directory: string): boolean {
  const made = mkdirSync(directory, { recursive: true, mode: 0o700 });
  if (made === undefined) return false;
  chmodSync(directory, 0o700);
  return true;
}
