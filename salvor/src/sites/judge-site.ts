/**
 * Whether a candidate is a site, by all that is known of it: Aegir's contexts, what lies in the directory, what its
 * settings say. When in doubt it is one: a site that is listed with a problem is seen, one that is left out is lost. What
 * tells a site from debris are the rules of Aegir's own users: `drushrc.php`, `files`, `private`, a context that knows it.
 */
import { realpathSync } from 'node:fs';
import { type Account, homesOf } from './account.ts';
import { isRealDirectory, isThere } from './is-there.ts';
import type { SiteCandidate } from './list-sites.ts';
import { findMovedOut } from './moved-out.ts';
import { isKeptClosed } from './kept-closed.ts';
import type { NotSite, NotSiteCode } from './not-site.ts';
import { filesBeneath } from './read-beneath.ts';
import { readDrupal } from './read-drupal.ts';
import { readDrushrc } from './read-drushrc.ts';
import { credentialsOf, type VirtualHost } from './read-vhosts.ts';
import { type ReadWordpress, readWordpress } from './read-wordpress.ts';
import type { SettingsPlace } from './settings-place.ts';
import type { SiteContext } from './site-contexts.ts';
import type { ReadSettings, SiteOverride } from './site-database.ts';
import type { Site, SiteProblem } from './site.ts';

export type Evidence = {
  readonly account: Account;
  /** Of the account's sites. */
  readonly contexts: readonly SiteContext[];
  readonly virtualHosts: readonly VirtualHost[];
  /** All candidates of the platform. */
  readonly siblings: readonly SiteCandidate[];
  /** What Aegir's context of the platform names as its web server, where that is another machine. */
  readonly remoteServer: string | null;
  readonly files: ReturnType<typeof filesBeneath>;
  readonly override: SiteOverride | undefined;
  readonly defaultSocket: string | undefined;
};

export type Verdict = JudgedSite | { readonly notSite: NotSite };

/** A site, and what tells it from another directory that claims the same address. */
export type JudgedSite = {
  readonly site: Site;
  readonly candidate: SiteCandidate;
  /** Aegir's contexts or the configuration place it here. */
  readonly isKnown: boolean;
  /** A virtual host has its docroot. */
  readonly isServed: boolean;
  readonly hasMarks: boolean;
};

export function judgeSite(candidate: SiteCandidate, evidence: Evidence): Verdict {
  const { path, place, platform } = candidate;
  const { contexts } = evidence;
  const refuse = (code: NotSiteCode, reason: string): Verdict => ({ notSite: { code, path, reason } });
  const named = contexts.filter(({ directory }) => place === 'directory' && directory === candidate.uri);
  const context = named.find(({ root }) => root === platform.root) ?? named.find(({ root }) => root === null) ?? null;
  const elsewhere = named.find(
    ({ root }) => root !== platform.root && root !== null && isRealDirectory(`${root}/sites/${candidate.uri}`),
  );
  if (elsewhere !== undefined && context?.root !== platform.root)
    return refuse('elsewhere', 'the account’s context places this site on another platform');
  if (place === 'default' && contexts.length > 0) return refuse('default', ONLY_DEFAULT);

  const marks = readMarks(candidate, evidence);
  const isKnown = context !== null || evidence.override !== undefined;
  if (!isKnown && marks.original !== null)
    return refuse('copy', `a copy of ${marks.original}: its drushrc.php was written for that one`);
  const isOfDrupal = candidate.cms !== 'wordpress';
  if (!isKnown && contexts.length > 0 && isOfDrupal && place === 'directory' && !marks.hasAny)
    return refuse('ghost-directory', 'Aegir does not know it, and it has neither drushrc.php nor files nor private');

  const hosts = hostsOf(candidate, evidence);
  const read = readSettings(candidate, hosts, evidence);
  if (!isKnown && !marks.hasAny && read.says === 'unreadable')
    return refuse('settings-unreadable', read.problems[0]?.message ?? 'its settings can not be read');
  if (!isKnown && !marks.hasAny && read.says === 'none') return refuse('no-database', 'its settings name no database');
  const isShared =
    evidence.siblings.some((other) => other.place === 'directory') ||
    // WordPress itself has none: there are no sites in it now.
    (candidate.cms === 'wordpress' && isRealDirectory(`${platform.root}/sites`));
  if (!isKnown && place !== 'directory' && read.says !== 'named' && isShared)
    return place === 'default'
      ? refuse('default', ONLY_DEFAULT)
      : refuse('no-database', 'its settings name no database: they pick those of a directory in sites');
  const site = makeSite(candidate, context, hosts, read, evidence);
  return { site, candidate, isKnown, isServed: hosts.length > 0, hasMarks: marks.hasAny };
}

export const ONLY_DEFAULT = 'the directory for sites without one of their own';

function makeSite(
  candidate: SiteCandidate,
  context: SiteContext | null,
  hosts: readonly VirtualHost[],
  read: ReadSettings & Partial<ReadWordpress>,
  { account, siblings, remoteServer }: Evidence,
): Site {
  const { uri, path, settings, cms, platform } = candidate;
  const ofOthers = new Set(
    siblings.filter((other) => other !== candidate).flatMap((other) => [other.uri, ...other.aliases]),
  );
  const names = [
    ...candidate.aliases,
    ...(context?.aliases ?? []),
    ...(context !== null && context.uri !== uri ? [context.uri] : []),
    ...(read.addresses ?? []),
    ...hosts.flatMap((host) => host.names).filter((name) => !ofOthers.has(name)),
  ];
  const { name, root, version } = platform;
  return {
    uri,
    account,
    platform: { name, root, cms: platform.cms, version },
    path,
    cms,
    version,
    settings,
    aliases: [...new Set(names)].filter((alias) => alias !== uri && alias !== ''),
    enabled: isSwitchedOff(path, hosts) ? false : (context?.enabled ?? null),
    virtualHosts: [...new Set(hosts.map(({ file }) => file))],
    isNetwork: read.isNetwork ?? false,
    movedOut: findMovedOut(path, account),
    holds: [],
    databases: read.databases,
    problems: [...(remoteServer === null ? [] : [remoteProblem(remoteServer)]), ...read.problems],
  };
}

/** By `salvor disable`, in one of the two ways that it has. */
function isSwitchedOff(path: string, hosts: readonly VirtualHost[]): boolean {
  return (hosts.length > 0 && hosts.every((host) => host.isSwitchedOff)) || isKeptClosed(path);
}

function remoteProblem(server: string): SiteProblem {
  return {
    code: 'web-server-remote',
    message: `Aegir serves this site from another machine (${server}), where its files are: remote web servers are not supported.`,
  };
}

type Marks = {
  /** `drushrc.php`, `files`, `private`, or WordPress' `uploads`. */
  readonly hasAny: boolean;
  /** The site that `drushrc.php` was written for, where that is another one beside it. */
  readonly original: string | null;
};

function readMarks({ uri, path, place }: SiteCandidate, { files, siblings, contexts }: Evidence): Marks {
  const hasAny = ['drushrc.php', 'files', 'private', 'wp-content/uploads'].some((name) => isThere(`${path}/${name}`));
  if (place !== 'directory' || !isThere(`${path}/drushrc.php`)) return { hasAny, original: null };
  const written = readDrushrc(path, files).uri?.replaceAll('/', '.') ?? null;
  const isOther =
    written !== null &&
    written !== uri &&
    (siblings.some((other) => other.uri === written) || contexts.some(({ directory }) => directory === written));
  return { hasAny, original: isOther ? written : null };
}

/** The virtual hosts that serve the candidate: of its docroot, and of its name where the docroot serves several sites. */
function hostsOf(candidate: SiteCandidate, { virtualHosts, account }: Evidence): VirtualHost[] {
  const homes = homesOf(account);
  return virtualHosts.filter(({ root, names, file }) => {
    if (root === null || !leadsTo(root, candidate.platform.root, homes)) return false;
    if (candidate.place !== 'directory') return true;
    const isOfFile = file.endsWith(`/${candidate.uri}`);
    return isOfFile || [candidate.uri, ...candidate.aliases].some((name) => names.includes(name));
  });
}

/** A docroot may be named by way of a link, as `current` of a release. */
function leadsTo(named: string, root: string, homes: readonly string[]): boolean {
  if (named.replace(/\/+$/, '') === root) return true;
  if (!homes.some((home) => named.startsWith(`${home}/`))) return false;
  try {
    return realpathSync(named) === root;
  } catch {
    return false;
  }
}

function readSettings(
  candidate: SiteCandidate,
  hosts: readonly VirtualHost[],
  { account, files, override, defaultSocket }: Evidence,
): ReadSettings & Partial<ReadWordpress> {
  const { platform, path, settings, cms } = candidate;
  const environment = new Map<string, string>();
  for (const host of hosts) {
    const withoutLogin = [...host.environment].filter(([name]) => !name.startsWith('db_'));
    for (const [name, value] of [...withoutLogin, ...(credentialsOf(host) ?? [])])
      if (!environment.has(name)) environment.set(name, value);
  }
  const place: SettingsPlace = {
    account,
    platformRoot: platform.root,
    sitePath: path,
    settings,
    files,
    environment,
    override,
    defaultSocket,
  };
  return cms === 'wordpress' ? readWordpress(place) : readDrupal(place);
}
