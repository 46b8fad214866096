/**
 * Directories of a site that lie elsewhere, behind a symbolic link: what grows is moved to another disk, as BOA does
 * with `static/files/<uri>.files`. Inside of the account's homes they are the site's; of the others it is said why not.
 */
import { type Dirent, readdirSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { errnoOf } from '../lib/errno.ts';
import type { Account } from './account.ts';
import { homeAround } from './account.ts';
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
  if (homeAround(account, target) === null)
    return { path, target, type, reason: "it leads out of the account's homes" };
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
  if (moved.target === null) return null;
  const place = judgePlace(moved.target, site, sites);
  switch (place.kind) {
    case 'own':
      return null;
    case 'outside':
      return "it leads out of the account's homes";
    case 'holds-site':
      return 'what it leads to holds the site itself';
    case 'of-other':
      return `what it leads to is a part of ${place.other.uri}, or holds it`;
    case 'holds-platform':
      return `what it leads to holds the platform ${place.platform.name}`;
    case 'shared':
      return place.owner === null ? null : `${place.owner.uri} is linked to it too, and it counts as that one's`;
    default:
      return place satisfies never;
  }
}

/** Whose a directory outside of a site's own is. */
export type PlaceJudgement =
  | { readonly kind: 'own' }
  /** It lies in none of the account's homes. */
  | { readonly kind: 'outside' }
  | { readonly kind: 'holds-site' }
  | { readonly kind: 'of-other'; readonly other: Site }
  | { readonly kind: 'holds-platform'; readonly platform: Site['platform'] }
  /** Others are linked to it, to a part of it or to what holds it. `owner` is the one that it counts as; null for this site. */
  | { readonly kind: 'shared'; readonly others: readonly Site[]; readonly owner: Site | null };

/**
 * The one rule for what a backup follows and what a restore replaces: `target` is absolute and without links, and need
 * not be there; `site` is known by its path among `sites`.
 */
export function judgePlace(target: string, site: Site, sites: readonly Site[]): PlaceJudgement {
  if (homeAround(site.account, target) === null) return { kind: 'outside' };
  const overlaps = (path: string | null): boolean =>
    path !== null && (isBeneath(path, target) || isBeneath(target, path));
  if (isBeneath(site.path, target)) return { kind: 'holds-site' };
  const strangers = sites.filter((other) => other.path !== site.path);
  const inside = strangers.find((other) => overlaps(other.path));
  if (inside !== undefined) return { kind: 'of-other', other: inside };
  const platform = [site, ...strangers].find((other) => isBeneath(other.platform.root, target))?.platform;
  if (platform !== undefined) return { kind: 'holds-platform', platform };
  const others = strangers.filter((other) => other.movedOut.some((link) => overlaps(link.target)));
  if (others.length === 0) return { kind: 'own' };
  const name = target.slice(target.lastIndexOf('/') + 1);
  const sharers = sites.filter((other) => other.path === site.path || others.includes(other));
  const owner = sharers.find(({ uri }) => name === uri || name.startsWith(`${uri}.`)) ?? sharers[0];
  return { kind: 'shared', others, owner: owner === undefined || owner.path === site.path ? null : owner };
}
