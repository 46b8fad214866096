/**
 * Finds what a host carries: accounts by their homes, platforms in them, sites in those, and each site's databases from
 * its own settings. Reads only, runs nothing, and follows no link out of a home. Knows no server and no repository: whether
 * a log-in works is for others to try.
 *
 *   homes → for each: contexts → walk → platforms → what lies in `sites/` and docroots → judged by all evidence
 *         → twins settled → moved-out directories and shared databases told
 *
 * What looks like a site and is none is named with the reason; what a site's settings do not tell is a problem of the
 * site; what could not be searched is a problem of the host.
 */
import { realpathSync } from 'node:fs';
import { type Account } from './account.ts';
import { findHomes, type HomePlaces } from './find-homes.ts';
import { type HostTables, readHostTables } from './host-tables.ts';
import type { NotSite } from './not-site.ts';
import { nameByHome, readAccount } from './read-account.ts';
import { filesBeneath, isBeneath } from './read-beneath.ts';
import { readVhosts, type VirtualHost } from './read-vhosts.ts';
import { searchAccount } from './search-account.ts';
import { tellShared } from './shared-databases.ts';
import type { SiteOverride } from './site-database.ts';
import type { Platform, Site } from './site.ts';

export type FindSitesOptions = {
  /** Absolute; null where they are to be found. */
  readonly homes: readonly string[] | null;
  /** Where homes are looked for. */
  readonly places?: HomePlaces | undefined;
  /** A home that is looked for and holds no site is an account all the same where there are backups under its name. */
  readonly isRemembered?: ((account: string) => boolean) | undefined;
  /** By URI, or by ACCOUNT/URI where two accounts carry the same; the longer name wins. */
  readonly overrides: ReadonlyMap<string, SiteOverride>;
  /** What `localhost` means; Debian's socket where it is left out. */
  readonly defaultSocket?: string | undefined;
  readonly tables?: HostTables | undefined;
  /** Directories with the host's own virtual hosts, by the root that links in them may lead below. */
  readonly webServers?: ReadonlyMap<string, readonly string[]> | undefined;
  readonly maxDirectories?: number | undefined;
  readonly signal?: AbortSignal | undefined;
};

export type FoundNotSite = NotSite & {
  /** In whose homes it lies. */
  readonly account: string;
};

/** What keeps sites from being found. */
export type SearchProblem = {
  readonly code: 'home-refused' | 'search-cut' | 'context-unreadable';
  readonly path: string;
  readonly message: string;
};

export type FoundSites = {
  readonly accounts: readonly Account[];
  readonly platforms: readonly Platform[];
  /** By account, then URI. */
  readonly sites: readonly Site[];
  readonly notSites: readonly FoundNotSite[];
  readonly problems: readonly SearchProblem[];
};

const WEB_SERVERS: ReadonlyMap<string, readonly string[]> = new Map([
  ['/etc/nginx', ['/etc/nginx/sites-enabled', '/etc/nginx/conf.d']],
  ['/etc/apache2', ['/etc/apache2/sites-enabled']],
  ['/etc/httpd', ['/etc/httpd/conf.d']],
]);

export async function findSites(options: FindSitesOptions): Promise<FoundSites> {
  const tables = options.tables ?? readHostTables();
  const candidates = options.homes ?? findHomes(tables, options.places);
  const { accounts, problems } = readAccounts(candidates, tables, options.homes !== null);
  const virtualHosts = readHostVhosts(options.webServers ?? WEB_SERVERS);
  const found: (Awaited<ReturnType<typeof searchAccount>> & { readonly account: Account })[] = [];
  const claimed = new Set(options.homes === null ? [] : accounts.map(({ home }) => home));
  // Homes in homes first: what lies in them is theirs, and not of the one around them.
  for (const account of accounts.toSorted((a, b) => b.home.length - a.home.length)) {
    options.signal?.throwIfAborted();
    const others = new Set([...claimed].filter((home) => home !== account.home));
    const searched = await searchAccount(account, { ...options, tables, others, virtualHosts });
    const isAccount = options.homes !== null || searched.isOfAegir || searched.sites.length > 0;
    if (!isAccount && options.isRemembered?.(account.name) !== true) continue;
    claimed.add(account.home);
    found.push({ ...searched, account: searched.account });
  }
  const inOrder = accounts.flatMap(({ home }) => found.filter(({ account }) => account.home === home));
  return {
    accounts: inOrder.map(({ account }) => account),
    platforms: inOrder.flatMap(({ platforms }) => platforms),
    sites: tellShared(
      inOrder.flatMap(({ sites }) => sites),
      options.defaultSocket,
    ),
    notSites: inOrder.flatMap(({ account, notSites }) => notSites.map((one) => ({ ...one, account: account.name }))),
    problems: [...problems, ...inOrder.flatMap((one) => one.problems)],
  };
}

function readAccounts(
  paths: readonly string[],
  tables: HostTables,
  isNamed: boolean,
): { readonly accounts: readonly Account[]; readonly problems: readonly SearchProblem[] } {
  const accounts: Account[] = [];
  const problems: SearchProblem[] = [];
  const refuse = (path: string, message: string): void => {
    // Nobody named it: it is only no home.
    if (isNamed) problems.push({ code: 'home-refused', path, message: `${path} is no account’s home: ${message}` });
  };
  const homes = paths.map((path) => real(path) ?? path);
  for (const path of paths) {
    const account = readAccount(path, { tables, homes, webGroup: null });
    if ('refused' in account) {
      refuse(path, account.refused);
      continue;
    }
    const twin = accounts.find(({ name, home }) => name === account.name || home === account.home);
    if (twin === undefined) accounts.push(account);
    else if (twin.home === account.home) continue;
    else if (isNamed) refuse(path, `its account would have the same name as that of ${twin.home}`);
    else accounts.push({ ...account, name: nameByHome(account.home) });
  }
  return { accounts, problems };
}

function real(path: string): string | null {
  try {
    return realpathSync(path);
  } catch {
    return null;
  }
}

/** Only root writes there, and what is linked in from elsewhere is not read. */
function readHostVhosts(places: ReadonlyMap<string, readonly string[]>): VirtualHost[] {
  return [...places].flatMap(([root, directories]) =>
    readVhosts(
      directories.filter((directory) => isBeneath(directory, root)),
      filesBeneath([root]),
    ),
  );
}
