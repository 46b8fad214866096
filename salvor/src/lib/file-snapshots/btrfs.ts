/** Snapshots of subvolumes of Btrfs: subvolumes themselves, which need no mount and lie in a directory of ours. */
import { lstatSync, statfsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { run } from '../run.ts';

/** `f_type` of statfs(2). */
const BTRFS = 0x9123683e;
/** The inode of the top of each subvolume. */
const SUBVOLUME_INODE = 256n;

/** The subvolume whose snapshot holds all of a directory on Btrfs with no mount inside; null where another one lies in it. */
export async function findSubvolume(directory: string, signal: AbortSignal): Promise<string | null> {
  const top = topOf(directory);
  if (!isSubvolume(top)) return null;
  const inside = await listSubvolumes(top, signal);
  return inside.some((path) => path.startsWith(`${directory}/`)) ? null : top;
}

/** Of `subvolume`, as `name` in the open directory `parent`. Throws `command-failed`, `command-missing`. */
export async function makeSubvolumeSnapshot(
  subvolume: string,
  parent: { readonly fd: number },
  name: string,
  signal: AbortSignal,
): Promise<void> {
  const args = ['subvolume', 'snapshot', '-r', subvolume, `/proc/self/fd/3/${name}`];
  await run('btrfs', { args, descriptors: [parent.fd], signal });
}

/** Removes a snapshot; what is no subvolume is not touched, and false. */
export async function removeSubvolume(parent: { readonly fd: number }, name: string): Promise<boolean> {
  const path = `/proc/self/fd/${parent.fd}/${name}`;
  if (!isSubvolume(path)) return false;
  await run('btrfs', { args: ['subvolume', 'delete', `/proc/self/fd/3/${name}`], descriptors: [parent.fd] });
  return true;
}

function isSubvolume(path: string): boolean {
  const stat = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return stat?.isDirectory() === true && stat.ino === SUBVOLUME_INODE && statfsSync(path).type === BTRFS;
}

/** Each subvolume has a device number of its own. */
function topOf(directory: string): string {
  const { dev } = lstatSync(directory, { bigint: true });
  let top = directory;
  while (top !== '/' && lstatSync(dirname(top), { bigint: true }).dev === dev) top = dirname(top);
  return top;
}

/** Absolute paths of the subvolumes right below one. */
async function listSubvolumes(top: string, signal: AbortSignal): Promise<readonly string[]> {
  const shown = (await run('btrfs', { args: ['subvolume', 'show', top], signal })).toString('utf8');
  // The first line is its path from the top of the file system, `/` for that itself.
  const own = (shown.split('\n')[0] ?? '').replace(/\/$/, '');
  const listed = (await run('btrfs', { args: ['subvolume', 'list', '-o', top], signal })).toString('utf8');
  return listed
    .split('\n')
    .flatMap((line) => / path (.*)$/.exec(line)?.[1] ?? [])
    .map((path) => join(top, own === '' ? path : path.slice(own.length + 1)));
}
