/** What lies in a site's tree and is not the site's: it is in no point, and no restore touches it. */
import { mountsWithin, readMountPoints } from '../lib/mounts.ts';

/** Where tasks build and keep things, at the top of each mount. */
export const STAGING_NAME = '.salvor';
/** At the top of a file system: our staging place, and the system's own. */
const NAMES_OF_MOUNTS = [STAGING_NAME, 'lost+found'];

/** Absolute paths at and below `path` that are left out. */
export function leftOutWithin(path: string, mounts: readonly string[] = readMountPoints()): readonly string[] {
  return [...new Set(mountsWithin(path, mounts))].flatMap((mount) => NAMES_OF_MOUNTS.map((name) => `${mount}/${name}`));
}

/** The names in a directory that keep their place when all else in it is replaced: left out, mounts, and what leads to one. */
export function stayingNames(directory: string, mounts: readonly string[] = readMountPoints()): readonly string[] {
  const below = [...mountsWithin(directory, mounts), ...leftOutWithin(directory, mounts)]
    .filter((path) => path !== directory)
    .map((path) => path.slice(directory.length + 1).split('/')[0] ?? '');
  return [...new Set(below)];
}
