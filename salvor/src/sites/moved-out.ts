/**
 * Directories of a site that lie elsewhere, behind a symbolic link: what grows is moved to another disk, as BOA does
 * with `static/files/<uri>.files`. Inside of the account's homes they are the site's; of the others it is said why not.
 */
import { type Dirent, readdirSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { errnoOf } from '../lib/errno.ts';
import type { Account } from './account.ts';
import { homesOf } from './account.ts';
import { isBeneath } from './read-beneath.ts';
import type { MovedOut, Site } from './site.ts';

/** Where links to what was moved out are looked for: the site's directory itself and these in it. */
const PLACES = ['', 'files', 'private', 'private/files', 'wp-content'];

/** Names that a site reads by: of them also a link to a file, or to nothing, is worth a word. */
const KNOWN_NAMES = new Set(
  (
    'files private temp config uploads wp-content plugins themes modules libraries vendor settings.php ' +
    'settings.local.php local.settings.php services.yml drushrc.php wp-config.php'
  ).split(' '),
);

/** More links than this in one directory are no moved-out directories but content. */
const MAX_LINKS = 100;

/** The links in the usual places that lead out of the site's directory. Whose they are is settled by `assignMovedOut`. */
export function findMovedOut(path: string, account: Account): MovedOut[] {
  return PLACES.flatMap((place) => linksIn(place === '' ? path : `${path}/${place}`)).flatMap((link) => {
    const found = follow(link, account);
    const isContent = found.type !== 'directory' && !KNOWN_NAMES.has(link.slice(link.lastIndexOf('/') + 1));
    return isContent || (found.target !== null && isBeneath(found.target, path)) ? [] : [found];
  });
}

function linksIn(directory: string): string[] {
  let entries: Dirent[];
  try {
    // A link in place of the directory is an entry of the one above, and not looked into.
    if (realpathSync(directory) !== directory) return [];
    entries = readdirSync(directory, { withFileTypes: true });
  } catch {
    return [];
  }
  const links = entries.filter((entry) => entry.isSymbolicLink() && !entry.name.includes('\ufffd'));
  return links.slice(0, MAX_LINKS).map((entry) => `${directory}/${entry.name}`);
}

function follow(path: string, account: Account): MovedOut {
  let target: string;
  try {
    target = realpathSync(path);
  } catch (error) {
    const why = errnoOf(error) === 'ELOOP' ? 'it leads in a circle' : `it leads to nothing (${shownTarget(path)})`;
    return { path, target: null, type: null, reason: why };
  }
  const stat = statSync(target, { throwIfNoEntry: false });
  const type = stat?.isDirectory() === true ? 'directory' : stat?.isFile() === true ? 'file' : null;
  const isInside = homesOf(account).some((home) => target !== home && isBeneath(target, home));
  if (!isInside) return { path, target, type, reason: "it leads out of the account's homes" };
  if (type === null) return { path, target, type, reason: 'what it leads to is neither a directory nor a file' };
  return { path, target, type, reason: null };
}

function shownTarget(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return 'unreadable';
  }
}

/**
 * Settles what each moved-out directory belongs to, over all sites of an account: not to a site that is linked to
 * another one's directory, and of two that are linked to one place only to that whose name the place carries.
 */
export function assignMovedOut(sites: readonly Site[]): Site[] {
  return sites.map((site) => ({
    ...site,
    movedOut: site.movedOut.map((moved) =>
      moved.reason === null ? { ...moved, reason: whyNotOf(site, moved, sites) } : moved,
    ),
  }));
}

function whyNotOf(site: Site, moved: MovedOut, sites: readonly Site[]): string | null {
  const { target } = moved;
  if (target === null) return null;
  if (isBeneath(site.path, target)) return 'what it leads to holds the site itself';
  const [inside] = sites.filter(
    (other) => other !== site && (isBeneath(target, other.path) || isBeneath(other.path, target)),
  );
  if (inside !== undefined) return `what it leads to is a part of ${inside.uri}, or holds it`;
  const root = sites.find((other) => isBeneath(other.platform.root, target));
  if (root !== undefined) return `what it leads to holds the platform ${root.platform.name}`;
  const sharers = sites.filter((other) =>
    other.movedOut.some(
      (link) => link.target !== null && (isBeneath(link.target, target) || isBeneath(target, link.target)),
    ),
  );
  if (sharers.length <= 1) return null;
  const name = target.slice(target.lastIndexOf('/') + 1);
  const owner = sharers.find(({ uri }) => name === uri || name.startsWith(`${uri}.`)) ?? sharers[0];
  return owner === site ? null : `${owner?.uri ?? ''} is linked to it too, and it counts as that one's`;
}
