/**
 * Directories of a site that its hoster has moved out of it, with a link in their place (`files` into
 * `static/files/<site>.files`), as far as they are the site's: whose they are says `sites/moved-out.ts`, of what a link
 * leads to now and of what a point names, before it is replaced.
 */
import type { Problem } from '@salvor/contract';
import { homeAround } from '../sites/account.ts';
import { judgePlace } from '../sites/moved-out.ts';
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
    const home = homeAround(site.account, target);
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
  const place = judgePlace(target, site, sites);
  switch (place.kind) {
    case 'own':
      return null;
    case 'outside':
      return { code: 'directory-moved-out', why: `${target} is no directory in the account's homes` };
    case 'holds-site':
      return { code: 'directory-moved-out', why: `${site.path} lies in ${target}` };
    case 'holds-platform':
      return { code: 'directory-moved-out', why: `${place.platform.root} lies in ${target}` };
    case 'of-other':
      return { code: 'directory-shared', why: `${siteKey(place.other)} has ${target} too` };
    case 'shared':
      // Also where it counts as this one's: it would change under the others.
      return { code: 'directory-shared', why: `${place.others.map(siteKey).join(', ')} has ${target} too` };
    default:
      return place satisfies never;
  }
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
