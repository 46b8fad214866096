/**
 * Directories of a site that its hoster has moved out of it, with a link in their place (`files` into
 * `static/files/<site>.files`). They are followed inside the account's homes and nowhere else: everything behind them
 * is the tenant's, and a link is the tenant's word.
 */
import { lstatSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Problem } from '@salvor/contract';
import { isBeneath } from '../sites/read-beneath.ts';
import type { Site } from '../sites/site.ts';

/** A directory that belongs to a site and lies outside of its own. */
export type MovedOut = {
  /** The link, relative to the site's directory. */
  readonly link: string;
  /** Where it leads: absolute, without links. */
  readonly target: string;
  /** The home of the account in which that lies. */
  readonly home: string;
};

/** Where hosters move what grows. */
const MOVABLE = ['files', 'private', 'private/files', 'private/temp', 'wp-content', 'wp-content/uploads'];

/** What is followed, by link; and links that lead where nothing of the site may be: they are kept as links. */
export function findMovedOut(
  site: Site,
  sites: readonly Site[],
): { readonly followed: readonly MovedOut[]; readonly left: readonly Problem[] } {
  const found: MovedOut[] = [];
  const left: Problem[] = [];
  for (const link of MOVABLE) {
    const path = join(site.path, link);
    const target = readLink(path);
    // What leads into the site itself is in it already.
    if (target === null || isBeneath(target, site.path)) continue;
    const home = homesOf(site).find((root) => isBeneath(target, root));
    const why = home === undefined ? `${target} lies outside of the account's homes` : whyNot(target, site, sites);
    if (home !== undefined && why === null) found.push({ link, target, home });
    else
      left.push({
        code: 'directory-moved-out',
        path,
        message: `${path} is a link, and what it leads to is not in the point: ${why}`,
      });
  }
  const followed = found.filter(
    ({ target }, index) =>
      !found.some((other, at) =>
        at < index ? isBeneath(target, other.target) : isStrictlyBeneath(target, other.target),
      ),
  );
  return { followed, left };
}

/** Why a directory in the home can't be one of the site's; null where it can. */
export function whyNot(target: string, site: Site, sites: readonly Site[]): string | null {
  if (homesOf(site).includes(target)) return `${target} is the home itself`;
  const above = [site, ...sites]
    .flatMap((one) => [one.path, one.platform.root])
    .find((path) => isBeneath(path, target));
  return above === undefined ? null : `${above} lies in ${target}`;
}

/** Another site that has the directory too, or a part of it: what one gets back the other one would get as well. */
export function findSharer(target: string, site: Site, sites: readonly Site[]): Site | null {
  const overlaps = (path: string): boolean => isBeneath(path, target) || isBeneath(target, path);
  const others = sites.filter((other) => other.path !== site.path);
  return (
    others.find(
      (other) => overlaps(other.path) || findMovedOut(other, sites).followed.some((one) => overlaps(one.target)),
    ) ?? null
  );
}

/** Directories in which an account may have what is its own. */
export function homesOf(site: Pick<Site, 'account'>): readonly string[] {
  return [site.account.home];
}

/** Where a link leads, if it is one and leads to a directory. */
function readLink(path: string): string | null {
  try {
    if (!lstatSync(path).isSymbolicLink()) return null;
    const target = realpathSync(path);
    return statSync(target).isDirectory() ? target : null;
  } catch {
    return null;
  }
}

function isStrictlyBeneath(path: string, root: string): boolean {
  return path !== root && isBeneath(path, root);
}
