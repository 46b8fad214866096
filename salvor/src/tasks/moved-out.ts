/**
 * Directories of a site that its hoster has moved out of it, with a link in their place (`files` into
 * `static/files/<site>.files`), as far as they are the site's: `sites/moved-out.ts` says whose they are now, and what a
 * point names is asked anew before it is replaced.
 */
import type { Problem } from '@salvor/contract';
import { homesOf } from '../sites/account.ts';
import { isBeneath } from '../sites/read-beneath.ts';
import { type Site, siteKey } from '../sites/site.ts';

/** A directory that belongs to a site and lies outside of its own. */
export type MovedDirectory = {
  /** The link, relative to the site's directory. */
  readonly link: string;
  /** Where it leads: absolute, without links. */
  readonly target: string;
  /** The home of the account in which that lies. */
  readonly home: string;
};

/** What is followed, and the links whose content is in no point: they are kept as links. */
export function sortMovedOut(site: Site): {
  readonly followed: readonly MovedDirectory[];
  readonly left: readonly Problem[];
} {
  const found: MovedDirectory[] = [];
  const left: Problem[] = [];
  for (const { path, target, type, reason } of site.movedOut) {
    // It leads nowhere: there is nothing to be left out.
    if (target === null) continue;
    const home = findHome(site, target);
    const link = path.slice(site.path.length + 1);
    if (reason === null && type === 'directory' && home !== null) found.push({ link, target, home });
    else left.push(nameLeft(path, target, reason ?? 'it is no directory'));
  }
  return { followed: found.filter(({ target }, index) => !isCovered(target, index, found)), left };
}

/** Why a restore may not replace a directory that a point names; null where it may. */
export function whyNotReplaced(
  target: string,
  site: Site,
  sites: readonly Site[],
): { readonly code: string; readonly why: string } | null {
  if (findHome(site, target) === null || homesOf(site.account).includes(target))
    return { code: 'directory-moved-out', why: `${target} is no directory in the account's homes` };
  const places = [site, ...sites].flatMap((one) => [one.path, one.platform.root]);
  const above = places.find((path) => isBeneath(path, target));
  if (above !== undefined) return { code: 'directory-moved-out', why: `${above} lies in ${target}` };
  const overlaps = (path: string | null): boolean =>
    path !== null && (isBeneath(path, target) || isBeneath(target, path));
  const sharer = sites.find(
    (other) =>
      other.path !== site.path && (overlaps(other.path) || other.movedOut.some((link) => overlaps(link.target))),
  );
  return sharer === undefined ? null : { code: 'directory-shared', why: `${siteKey(sharer)} has ${target} too` };
}

/** The home that a path lies in. */
export function findHome(site: Pick<Site, 'account'>, path: string): string | null {
  return homesOf(site.account).find((home) => isBeneath(path, home)) ?? null;
}

/** What lies in a directory that is followed itself is in the point already. */
function isCovered(target: string, index: number, found: readonly MovedDirectory[]): boolean {
  return found.some(
    (other, at) => at !== index && isBeneath(target, other.target) && (target !== other.target || at < index),
  );
}

function nameLeft(path: string, target: string, why: string): Problem {
  const message = `${path} is a link to ${target}, which is not in the point: ${why}`;
  return { code: 'directory-moved-out', path, message };
}
