/** Homes of accounts on a host where none are named: where Aegir and BOA put them. */
import { readdirSync } from 'node:fs';
import { directoryBeneath } from './read-beneath.ts';

const DEFAULT_PLACES = { single: ['/var/aegir'], parents: ['/data/disk'] };

/** In the order of their paths; none that does not look like an Aegir home. */
export function findHomes(
  places: { readonly single: readonly string[]; readonly parents: readonly string[] } = DEFAULT_PLACES,
): string[] {
  const candidates = [
    ...places.single,
    ...places.parents.flatMap((parent) => namesIn(parent).map((name) => `${parent}/${name}`)),
  ];
  return candidates.filter((path) => isAegirHome(path)).toSorted();
}

// Contexts make the home; the directories beside them tell it from a home of somebody who uses drush.
function isAegirHome(path: string): boolean {
  if ('refused' in directoryBeneath(path, [path])) return false;
  const names = new Set(namesIn(path));
  const hasContexts = namesIn(`${path}/.drush`).some((name) => name.endsWith('.alias.drushrc.php'));
  return hasContexts && ['config', 'backups', 'clients', 'platforms', 'distro'].some((name) => names.has(name));
}

function namesIn(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
