/**
 * Finds what a host carries: accounts by their homes, platforms in them, sites in those, and each
 * site's databases from its own settings. Reads only, runs nothing, and follows no link out of a home.
 * Knows no server and no repository: whether a log-in works is for others to try.
 *
 *   for each home: contexts → platforms → directories in `sites/` → settings
 *
 * What looks like a site and is none is named with the reason; what a site's settings do not tell is a
 * problem of the site.
 */
import { lstatSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { findPlatforms } from './find-platforms.ts';
import type { NotSite } from './find-platforms.ts';
import { readAliases } from './read-alias.ts';
import type { AegirContext } from './read-alias.ts';
import { filesBeneath } from './read-beneath.ts';
import { readDrupal } from './read-drupal.ts';
import { readWordpress } from './read-wordpress.ts';
import type { SiteOverride } from './site-database.ts';
import type { Account, Cms, Platform, Site } from './site.ts';

/** What hosts include into every site: BOA's and Debian's places. */
const SHARED_ROOTS = ['/data/conf', '/etc/drupal', '/etc/wordpress'];

export type FindSitesOptions = {
  /** Absolute. */
  readonly homes: readonly string[];
  /** By URI, or by ACCOUNT/URI where two accounts carry the same; the longer name wins. */
  readonly overrides: ReadonlyMap<string, SiteOverride>;
  /** What `localhost` means; Debian's socket where it is left out. */
  readonly defaultSocket?: string | undefined;
  readonly signal?: AbortSignal | undefined;
};

export type FoundSites = {
  readonly accounts: readonly Account[];
  readonly platforms: readonly Platform[];
  /** By account, then URI. */
  readonly sites: readonly Site[];
  readonly notSites: readonly NotSite[];
};

export async function findSites(options: FindSitesOptions): Promise<FoundSites> {
  const accounts: Account[] = [];
  const platforms: Platform[] = [];
  const sites: Site[] = [];
  const notSites: NotSite[] = [];
  for (const home of options.homes) {
    options.signal?.throwIfAborted();
    const account = readAccount(home, accounts);
    if ('reason' in account) {
      notSites.push(account);
      continue;
    }
    accounts.push(account);
    const found = await findInAccount(account, options);
    platforms.push(...found.platforms);
    sites.push(...found.sites);
    notSites.push(...found.notSites);
  }
  return { accounts, platforms, sites, notSites };
}

function readAccount(path: string, others: readonly Account[]): Account | NotSite {
  try {
    const home = realpathSync(path);
    const stat = statSync(home);
    const name = home.slice(home.lastIndexOf('/') + 1);
    if (!stat.isDirectory() || name === '') return { path, reason: 'a home that is not a directory' };
    const twin = others.find((other) => other.name === name);
    if (twin !== undefined) return { path, reason: `a home whose account has the same name as that of ${twin.home}` };
    return { name, home, uid: stat.uid, gid: stat.gid };
  } catch {
    return { path, reason: 'a home that can not be read or does not exist' };
  }
}

async function findInAccount(account: Account, options: FindSitesOptions): Promise<Omit<FoundSites, 'accounts'>> {
  const files = filesBeneath([account.home], SHARED_ROOTS);
  const { contexts, problems } = readAliases(account.home, files);
  const { platforms, notSites } = findPlatforms(account, contexts, files);
  const refused = [
    ...problems.map(({ file, message }) => ({ path: file ?? account.home, reason: message })),
    ...notSites,
  ];
  const sites: Site[] = [];
  for (const platform of platforms) {
    for (const entry of listSites(platform, contexts)) {
      options.signal?.throwIfAborted();
      if ('reason' in entry) refused.push(entry);
      else sites.push(readSite(entry.uri, entry.cms, account, platform, options));
      // Settings are parsed in one go; between two sites others get their turn.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  const byUri = sites.toSorted((a, b) => (a.uri < b.uri ? -1 : a.uri > b.uri ? 1 : 0));
  return { platforms, sites: byUri, notSites: refused };
}

function listSites(platform: Platform, contexts: readonly AegirContext[]): ({ uri: string; cms: Cms } | NotSite)[] {
  const directory = `${platform.root}/sites`;
  // A link here would lead the whole list elsewhere.
  if (lstatSync(directory, { throwIfNoEntry: false })?.isDirectory() !== true) return [];
  const found: ({ uri: string; cms: Cms } | NotSite)[] = [];
  for (const entry of readdirSync(directory, { withFileTypes: true }).toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = `${directory}/${entry.name}`;
    if (entry.isSymbolicLink()) found.push({ path, reason: 'a symbolic link' });
    if (!entry.isDirectory() || entry.name === 'all') continue;
    const cms = settingsIn(path, platform.cms);
    if (entry.name === 'default') {
      if (cms !== null) found.push({ path, reason: 'the directory for sites without one of their own' });
    } else if (entry.name.endsWith('.restore')) found.push({ path, reason: 'left over from a restore' });
    else if (cms === null) found.push({ path, reason: 'it has neither settings.php nor wp-config.php' });
    else if (cms !== platform.cms) found.push({ path, reason: `settings of ${cms} on a platform of ${platform.cms}` });
    else if (isPlacedElsewhere(entry.name, platform, contexts))
      found.push({ path, reason: 'the account’s context places this site on another platform' });
    else found.push({ uri: entry.name, cms });
  }
  return found;
}

function settingsIn(path: string, preferred: Cms): Cms | null {
  const has = (name: string): boolean => lstatSync(`${path}/${name}`, { throwIfNoEntry: false }) !== undefined;
  const found: Cms[] = [
    ...(has('settings.php') ? (['drupal'] as const) : []),
    ...(has('wp-config.php') ? (['wordpress'] as const) : []),
  ];
  return found.includes(preferred) ? preferred : (found[0] ?? null);
}

// A site that was migrated may leave its old directory behind; the context says which one is in use.
function isPlacedElsewhere(uri: string, platform: Platform, contexts: readonly AegirContext[]): boolean {
  const context = contexts.find((candidate) => candidate.type === 'site' && candidate.values.get('uri') === uri);
  const root = context?.values.get('root');
  if (root === undefined) return false;
  try {
    const real = realpathSync(root);
    return (
      real !== platform.root && lstatSync(`${real}/sites/${uri}`, { throwIfNoEntry: false })?.isDirectory() === true
    );
  } catch {
    return false;
  }
}

function readSite(uri: string, cms: Cms, account: Account, platform: Platform, options: FindSitesOptions): Site {
  const path = `${platform.root}/sites/${uri}`;
  const override = overrideOf(options.overrides, account, uri);
  const place = {
    platformRoot: platform.root,
    sitePath: path,
    files: filesBeneath([account.home], SHARED_ROOTS),
    override,
    defaultSocket: options.defaultSocket,
  };
  const read = cms === 'wordpress' ? readWordpress(place) : readDrupal(place);
  return {
    uri,
    account,
    platform,
    path,
    cms,
    version: platform.version,
    databases: read.databases,
    problems: read.problems,
  };
}

function overrideOf(overrides: FindSitesOptions['overrides'], account: Account, uri: string): SiteOverride | undefined {
  return overrides.get(`${account.name}/${uri}`) ?? overrides.get(uri);
}
