/**
 * The place on a site's own mount where the new is built and the old is kept: `<mount>/.salvor/<account>/<task>`,
 * root's alone, so that no tenant can look into it or change what is about to become his site.
 */
import { chmodSync, existsSync, lstatSync, mkdirSync, rmdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { SalvorError } from '../errors.ts';
import { removeTree } from '../lib/beneath/remove-tree.ts';
import { openSpot } from '../lib/beneath/spot.ts';
import { syncDirectory } from '../lib/write-durably.ts';
import { mountPointOf } from '../lib/mounts.ts';

/** Where a task's staging place will be; nothing is made. `configured` is the hoster's choice for all sites. */
export function locateStaging(
  site: { readonly key: string; readonly account: string; readonly path: string },
  task: string,
  configured: string | null,
): string {
  const mount = mountPointOf(site.path);
  const root = configured ?? join(mount, '.salvor');
  if (mountPointOf(root) !== mount) {
    const why = `its files lie on ${mount} and the staging directory ${root} does not, so that they can't change places in one step`;
    throw new SalvorError('site-unsupported', { site: site.key, why });
  }
  return join(root, site.account, task);
}

/** Makes it, empty. Whoever may write in a directory above it could put another in its place: such a place is refused. */
export function makeStaging(path: string): void {
  const missing: string[] = [];
  for (const directory of [dirname(dirname(path)), dirname(path), path]) {
    if (mkdirIfMissing(directory)) missing.push(directory);
    const stat = lstatSync(directory);
    if (!stat.isDirectory() || stat.uid !== process.getuid?.() || (stat.mode & 0o022) !== 0)
      throw new SalvorError('staging-unsafe', { path: directory });
  }
  for (const directory of missing) syncDirectory(dirname(directory));
}

/**
 * Removes a task's place and the directories above it that are empty then. A tenant's program may still be at work in
 * what was his site: nothing that it does there leads out, and a mount there stops it (`path-leads-out`).
 */
export async function removeStaging(path: string): Promise<void> {
  if (existsSync(dirname(path))) {
    using spot = openSpot(dirname(path), path);
    await removeTree(spot);
  }
  for (const directory of [dirname(path), dirname(dirname(path))]) {
    try {
      rmdirSync(directory);
    } catch {
      return;
    }
  }
}

function mkdirIfMissing(path: string): boolean {
  const made = mkdirSync(path, { recursive: true, mode: 0o700 });
  if (made === undefined) return false;
  chmodSync(path, 0o700);
  return true;
}
