/**
 * Where a site is going to lie, and what it is going to be called there: by salvor, by its directory, and by visitors. In
 * `sites/<uri>` these are one; a site in `sites/default` or in its docroot is called by its path.
 *
 *            sites/URI                    sites/default                           WordPress in its docroot
 *   clone    sites/NEWURI                 sites/NEWURI                            the directory that is named, code and all
 *   rename   sites/NEWURI                 stays; its address is another           stays; its address is another
 *   migrate  sites/URI of the other code  sites/default there where it is free,   has no other code
 *                                         else sites/URI
 */
import { lstatSync, readdirSync, realpathSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import type { Problem } from '@salvor/contract';
import { mountPointOf } from '../lib/mounts.ts';
import { isThere } from '../lib/is-there.ts';
import { homeAround } from '../sites/account.ts';
import { isBeneath } from '../sites/read-beneath.ts';
import type { Naming } from '../sites/rename-in-text.ts';
import { directoryOf, layoutOf } from '../sites/site-directory.ts';
import { isUri, nameByPath } from '../sites/site-name.ts';
import type { Platform, Site } from '../sites/site.ts';
import { findHolders, whyNoUri } from './new-uri.ts';
import { findContexts } from './plan-names.ts';
import type { Renaming } from './rewrite-value.ts';

export type NewPlace = {
  /** What salvor calls it there. */
  readonly uri: string;
  readonly path: string;
  readonly platform: Platform;
  readonly address: Address;
  /** A directory of the code that lies where the site comes to, with nothing of a site in it: it goes first. */
  readonly clears: string | null;
};

/** By which it is visited: all that it was, the main one first, and the one that it is. */
export type Address = { readonly from: readonly string[]; readonly to: string };

export type PlaceWish = {
  readonly operation: 'clone' | 'rename' | 'migrate';
  readonly newUri: string | null;
  /** Name or root of another code base; of a WordPress in its docroot the directory of its copy. */
  readonly platform: string | null;
};

export type PlaceTools = { readonly sites: readonly Site[]; readonly platforms: readonly Platform[] };

/** Looks only. What stands in the way is added to the obstacles. */
export function locateNew(
  site: Site,
  wish: PlaceWish,
  addresses: readonly string[],
  tools: PlaceTools,
  obstacles: Problem[],
): NewPlace {
  const layout = layoutOf(site);
  const to = wish.newUri ?? addresses[0] ?? site.uri;
  const address = { from: addresses, to };
  const stays: NewPlace = { uri: site.uri, path: site.path, platform: site.platform, address, clears: null };
  const refuse = (message: string): NewPlace => {
    obstacles.push({ code: 'site-in-docroot', message, path: site.path });
    return stays;
  };
  if (layout === 'other')
    return refuse(
      'its settings do not lie in a directory of its own in sites/, nor beside a WordPress that is all its own',
    );
  if (!checkName(site, wish, layout === 'named', tools.sites, obstacles)) return stays;
  if (wish.operation === 'rename' && layout !== 'named') {
    if (addresses.length === 1 && addresses[0] === to)
      obstacles.push({ code: 'uri-taken', message: 'the site has that name already', path: site.path });
    return stays;
  }
  if (layout === 'docroot') {
    if (wish.operation === 'migrate')
      return refuse('its code lies in its own directory: clone it into another one, then delete it here');
    if (wish.platform === null || !wish.platform.startsWith('/'))
      return refuse('its code is its own: name the directory that its copy gets, an absolute path (--platform)');
    return ofDirectory(site, normalize(wish.platform).replace(/\/+$/, ''), stays, tools.sites, obstacles);
  }
  const platform = findPlatform(site, wish, tools.platforms, obstacles);
  const isDefault = layout === 'default' && wish.operation === 'migrate' && wish.newUri === null;
  const ofDefault = isDefault ? join(platform.root, 'sites/default') : null;
  if (ofDefault !== null && isFree(ofDefault)) {
    const clears = isThere(ofDefault) ? ofDefault : null;
    const uri = nameByPath(platform.root, site.account.home);
    requireNobodys(site, uri, tools.sites, obstacles);
    requireSites(platform, obstacles);
    return { uri, path: ofDefault, platform, address, clears };
  }
  const path = join(platform.root, 'sites', to);
  if (path === site.path) {
    obstacles.push({ code: 'uri-taken', message: 'the site has that name already', path });
    return stays;
  }
  if (ofDefault !== null && whyNoUri(to) !== null)
    return refuse(
      `sites/default is taken on ${platform.root}, and its own name can't be one of a directory: give it one`,
    );
  if (isThere(path))
    obstacles.push({ code: 'place-taken', message: 'there is something already where the site would be', path });
  requireSites(platform, obstacles);
  return { uri: to, path, platform, address, clears: null };
}

/** What its settings are rewritten by. `moved`: directories that it has elsewhere, and what they become. */
export function namingTo(site: Site, place: NewPlace, moved: Naming['moved']): Naming {
  const { from, to } = place.address;
  const directory = directoryPair(site, place);
  return {
    uri: { from: from[0] ?? to, to },
    ...(from.length > 1 ? { hosts: from.slice(1) } : {}),
    directory,
    root: { from: site.platform.root, to: place.platform.root },
    path: { from: site.path, to: place.path },
    moved,
    aliases: site.aliases,
    context: findContexts(site, place),
  };
}

/** What values of its databases are rewritten by. */
export function renamingTo(site: Site, place: NewPlace): Renaming {
  const { from, to } = place.address;
  const names = { oldUri: from[0] ?? to, newUri: to, aliases: site.aliases };
  if (layoutOf(site) === 'named') return names;
  return {
    ...names,
    hosts: from.slice(1),
    directory: directoryPair(site, place),
    place: { from: site.path, to: place.path },
  };
}

/** The site with the name that it is visited by: what names it outside of its directory goes by that. */
export function asVisited(site: Site, { from }: Pick<Address, 'from'>): Site {
  const [uri = site.uri] = from;
  if (uri === site.uri) return site;
  const aliases = [...new Set([...from.slice(1), ...site.aliases])].filter((name) => name !== uri);
  return { ...site, uri, aliases };
}

function directoryPair(site: Site, place: NewPlace): { readonly from: string; readonly to: string } | null {
  const from = directoryOf(site);
  const to = directoryOf(place);
  return from === null || to === null ? null : { from, to };
}

/** False for what can be no name. */
function checkName(
  site: Site,
  { operation, newUri }: PlaceWish,
  isNamed: boolean,
  sites: readonly Site[],
  obstacles: Problem[],
): boolean {
  const isSame = isNamed && (newUri ?? site.uri) === site.uri;
  const why = newUri === null || isSame ? null : whyNoUri(newUri);
  if (why !== null) {
    const message = `${newUri} can't be the name of a site: ${why}`;
    obstacles.push({ code: 'uri-refused', message, path: newUri });
    return false;
  }
  if (newUri === null && !isNamed) return true;
  // One of the names that it has may become its main one.
  const isOwn = operation === 'rename' && !isNamed && site.aliases.includes(newUri ?? '');
  obstacles.push(...findHolders(newUri ?? site.uri, site, sites, isSame || isOwn));
  return true;
}

function requireNobodys(site: Site, uri: string, sites: readonly Site[], obstacles: Problem[]): void {
  const other = sites.find(
    (one) => one.account.name === site.account.name && one.uri === uri && one.path !== site.path,
  );
  if (other !== undefined)
    obstacles.push({
      code: 'uri-taken',
      message: `it would be called ${uri} by its path, as is ${other.path}`,
      path: other.path,
    });
}

function requireSites({ root }: Platform, obstacles: Problem[]): void {
  const parent = join(root, 'sites');
  if (lstatSync(parent, { throwIfNoEntry: false })?.isDirectory() !== true)
    obstacles.push({ code: 'site-parent-missing', message: `${parent} is not a directory`, path: parent });
}

/** The site's own where none is named, or none of that name is there. */
function findPlatform(
  site: Site,
  { operation, platform: wanted }: PlaceWish,
  platforms: readonly Platform[],
  obstacles: Problem[],
): Platform {
  const refuse = (code: string, message: string): Platform => {
    obstacles.push({ code, message, path: wanted });
    return site.platform;
  };
  if (wanted === null) return site.platform;
  const own = platforms.filter(({ root }) => homeAround(site.account, root) !== null);
  const found = own.filter(({ name, root }) => name === wanted || root === wanted);
  const [platform] = found;
  if (platform === undefined)
    return refuse(
      'platform-unknown',
      `account ${site.account.name} has no such platform; it has ${own.map(({ name }) => name).join(', ')}`,
    );
  if (found.length > 1)
    return refuse(
      'platform-ambiguous',
      `several are called so: name its root, ${found.map(({ root }) => root).join(' or ')}`,
    );
  if (platform.cms !== site.cms)
    return refuse('platform-other-cms', `it is of ${platform.cms}, and the site of ${site.cms}`);
  if (operation === 'migrate' && platform.root === site.platform.root)
    return refuse('platform-same', 'the site is on this platform already');
  return platform;
}

/** A directory that the copy of a WordPress gets, with its code. */
function ofDirectory(
  site: Site,
  path: string,
  stays: NewPlace,
  sites: readonly Site[],
  obstacles: Problem[],
): NewPlace {
  const { account, platform } = site;
  const refuse = (code: string, message: string): NewPlace => {
    obstacles.push({ code, message, path });
    return stays;
  };
  const around = sites.find((one) => isBeneath(path, one.path) || isBeneath(path, one.platform.root));
  if (around !== undefined) return refuse('place-inside-site', `it would lie in what is ${around.uri}'s`);
  if (!path.startsWith(`${account.home}/`))
    return refuse('site-outside-home', `does not lie in the account's home ${account.home}`);
  const parent = lstatSync(dirname(path), { throwIfNoEntry: false });
  if (parent?.isDirectory() !== true || realpathSync(dirname(path)) !== dirname(path))
    return refuse('site-parent-missing', `${dirname(path)} is not a directory, or a link leads to it`);
  if (!isEmptyPlace(path)) return refuse('place-taken', 'there is something already where the site would be');
  if (mountPointOf(path) === path) return refuse('place-taken', 'it is a mount, which can not change places');
  const uri = nameByPath(path, account.home);
  if (!isUri(uri)) return refuse('uri-refused', `${uri}, the name that it has by its path, can't be a site's`);
  requireNobodys(site, uri, sites, obstacles);
  const root = path + platform.root.slice(site.path.length);
  return { uri, path, platform: { ...platform, name: uri, root }, address: stays.address, clears: null };
}

/** A directory that is missing or empty. */
export function isEmptyPlace(path: string): boolean {
  const there = lstatSync(path, { throwIfNoEntry: false });
  return there === undefined || (there.isDirectory() && readdirSync(path).length === 0);
}

/** What the code of Drupal brings for a site that is to be installed. */
const SCAFFOLD = /^(?:default\..+|example\..+|\.git(?:keep|ignore)|README(?:\.txt|\.md)?)$/;

/** Missing, or with nothing in it but what the code brings. */
function isFree(directory: string): boolean {
  const there = lstatSync(directory, { throwIfNoEntry: false });
  return there === undefined || (there.isDirectory() && readdirSync(directory).every((name) => SCAFFOLD.test(name)));
}
