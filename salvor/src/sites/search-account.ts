/** Finds the platforms and sites of one account, and names what looks like one and is none. */
import { setImmediate } from 'node:timers/promises';
import { type Account, homesOf } from './account.ts';
import { findPlatforms } from './find-platforms.ts';
import type { FindSitesOptions, SearchProblem } from './find-sites.ts';
import type { HostTables } from './host-tables.ts';
import { isRealDirectory } from './is-there.ts';
import { judgeSite, type JudgedSite, ONLY_DEFAULT } from './judge-site.ts';
import { listDirectory } from './list-directory.ts';
import { listSites } from './list-sites.ts';
import { assignMovedOut } from './moved-out.ts';
import { nameLoose } from './name-loose.ts';
import { findNested } from './nested-platforms.ts';
import type { NotSite } from './not-site.ts';
import { type AegirContext, readAliases } from './read-alias.ts';
import { readAccount } from './read-account.ts';
import { filesBeneath, isBeneath } from './read-beneath.ts';
import { readVhosts, type VirtualHost } from './read-vhosts.ts';
import { releaseOf } from './release.ts';
import { remoteServerOf } from './remote-server.ts';
import { settleTwins } from './settle-twins.ts';
import { type SiteContext, siteContextsOf } from './site-contexts.ts';
import { isUri } from './site-name.ts';
import type { Platform, Site } from './site.ts';
import { MAX_DIRECTORIES, walkHomes } from './walk-home.ts';

/** What hosts include into every site: BOA's and Debian's places. */
const SHARED_ROOTS = ['/data/conf', '/etc/drupal', '/etc/wordpress'];

export type SearchOptions = Pick<FindSitesOptions, 'overrides' | 'defaultSocket' | 'maxDirectories' | 'signal'> & {
  readonly tables: HostTables;
  /** Homes of other accounts. */
  readonly others: ReadonlySet<string>;
  /** The host's own. */
  readonly virtualHosts: readonly VirtualHost[];
};

export type SearchedAccount = {
  readonly account: Account;
  readonly platforms: readonly Platform[];
  /** By URI. */
  readonly sites: readonly Site[];
  readonly notSites: readonly NotSite[];
  readonly problems: readonly SearchProblem[];
  /** Whether Aegir keeps contexts here. */
  readonly isOfAegir: boolean;
};

export async function searchAccount(bare: Account, options: SearchOptions): Promise<SearchedAccount> {
  const homes = homesOf(bare);
  const files = filesBeneath(homes, SHARED_ROOTS);
  const { contexts, problems } = readAliases(bare.home, files);
  const account = withWebGroup(bare, contexts, options.tables);
  const walk = await walkHomes(homes, { ...options, files });
  const { platforms, discarded, notSites } = findPlatforms(account, contexts, walk, files);
  const known = siteContextsOf(contexts, homes, files);
  const virtualHosts = [...readVhosts(vhostDirectories(account), files), ...options.virtualHosts];
  const judged: JudgedSite[] = [];
  const refused: NotSite[] = [...notSites];
  for (const platform of platforms) {
    options.signal?.throwIfAborted();
    const release = releaseOf(platform.root, walk.currents);
    const listed = listSites(platform, account, files, release.servedAs);
    refused.push(...listed.notSites);
    const remoteServer = remoteServerOf(platform.context, contexts);
    const ofPlatform: JudgedSite[] = [];
    for (const candidate of listed.candidates) {
      // Settings are parsed in one go; between two sites others get their turn.
      await setImmediate();
      if (release.supersededBy !== null) {
        refused.push({
          code: 'copy',
          path: candidate.path,
          reason: `an older release: ${release.supersededBy} leads to another one`,
        });
        continue;
      }
      const verdict = judgeSite(candidate, {
        account,
        contexts: known,
        virtualHosts,
        siblings: listed.candidates,
        remoteServer,
        files,
        override: overrideOf(options.overrides, account, candidate.uri),
        defaultSocket: options.defaultSocket,
      });
      if ('site' in verdict) ofPlatform.push(verdict);
      else refused.push(verdict.notSite);
    }
    const { sites, defaults } = withoutSharedDefault(ofPlatform);
    judged.push(...sites);
    refused.push(...defaults);
  }
  const settled = settleTwins(judged);
  refused.push(...settled.notSites);
  const sites = tellHeld(assignMovedOut(settled.sites)).toSorted((a, b) =>
    a.uri < b.uri ? -1 : a.uri > b.uri ? 1 : 0,
  );
  refused.push(
    ...nameLoose(walk, discarded, sites, account, files),
    ...findNested(sites, files),
    ...nameGhosts(known, sites, refused),
  );
  return {
    account,
    platforms: platforms.map(({ name, root, cms, version }) => ({ name, root, cms, version })),
    sites,
    notSites: withoutRepeats(refused),
    problems: [
      ...problems.map(({ file, message }) => ({
        code: 'context-unreadable' as const,
        path: file ?? account.home,
        message: `A context of Aegir could not be read: ${message}`,
      })),
      ...(walk.isCut ? [cutProblem(account, options.maxDirectories ?? MAX_DIRECTORIES)] : []),
    ],
    isOfAegir: contexts.length > 0 && hasAegirDirectories(account.home),
  };
}

/** What Aegir's context of its web server calls the group. */
function withWebGroup(account: Account, contexts: readonly AegirContext[], tables: HostTables): Account {
  const server =
    contexts.find(({ name }) => name === 'server_master') ?? contexts.find(({ type }) => type === 'server');
  const read = readAccount(account.home, { tables, homes: [], webGroup: server?.values.get('web_group') ?? null });
  return 'refused' in read ? account : { ...account, webGroup: read.webGroup };
}

/** Contexts make the home; the directories beside them tell it from a home of somebody who uses drush. */
function hasAegirDirectories(home: string): boolean {
  return ['config', 'backups', 'clients', 'platforms', 'distro'].some((name) => isRealDirectory(`${home}/${name}`));
}

function vhostDirectories({ home }: Account): string[] {
  const servers = listDirectory(`${home}/config`);
  return 'refused' in servers
    ? []
    : servers.directories.flatMap((server) =>
        ['nginx', 'apache'].map((kind) => `${home}/config/${server}/${kind}/vhost.d`),
      );
}

/** `sites/default` whose database is a sibling's is what Drupal falls back to, and no site. */
function withoutSharedDefault(judged: readonly JudgedSite[]): { sites: JudgedSite[]; defaults: NotSite[] } {
  const others = judged
    .filter(({ candidate }) => candidate.place === 'directory')
    .flatMap(({ site }) => site.databases);
  const isSibling = ({ site, candidate }: JudgedSite): boolean =>
    candidate.place === 'default' &&
    site.databases.length > 0 &&
    site.databases.every(({ name, engine }) => others.some((other) => other.name === name && other.engine === engine));
  return {
    sites: judged.filter((one) => !isSibling(one)),
    defaults: judged.filter(isSibling).map(({ site }) => ({ code: 'default', path: site.path, reason: ONLY_DEFAULT })),
  };
}

function tellHeld(sites: readonly Site[]): Site[] {
  const inside = (site: Site, other: Site): boolean => other !== site && isBeneath(other.path, site.path);
  return sites.map((site) => ({
    ...site,
    holds: sites.filter((other) => inside(site, other)).map(({ path }) => path),
  }));
}

/** Sites that Aegir knows and that are not there. */
function nameGhosts(contexts: readonly SiteContext[], sites: readonly Site[], refused: readonly NotSite[]): NotSite[] {
  return contexts.flatMap(({ uri, directory, namedRoot, root, file }): NotSite[] => {
    if (!isUri(directory)) return [{ code: 'bad-name', path: file, reason: 'a context whose URI can be no address' }];
    const isFound = sites.some((site) => site.uri === directory && (root === null || site.platform.root === root));
    if (isFound) return [];
    const place = `${root ?? namedRoot ?? ''}/sites/${directory}`;
    const reason =
      root === null
        ? `Aegir knows ${uri}, but its platform ${namedRoot ?? '(none is named)'} is not there`
        : refused.some(({ path }) => path === place)
          ? `Aegir knows ${uri}, but ${place} is no site`
          : `Aegir knows ${uri}, but ${place} is not there`;
    return [{ code: 'ghost-context', path: file, reason }];
  });
}

function withoutRepeats(refused: readonly NotSite[]): NotSite[] {
  return refused.filter(
    (one, index) => refused.findIndex((other) => other.path === one.path && other.code === one.code) === index,
  );
}

function cutProblem({ home }: Account, limit: number): SearchProblem {
  const message = `${home} has more than ${limit} directories outside of its code bases: sites in the deepest of them may be missing.`;
  return { code: 'search-cut', path: home, message };
}

function overrideOf(overrides: SearchOptions['overrides'], account: Account, uri: string) {
  return overrides.get(`${account.name}/${uri}`) ?? overrides.get(uri);
}
