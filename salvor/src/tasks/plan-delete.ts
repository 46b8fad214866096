/**
 * What a delete is going to take away, as a value: found by looking, before anything is touched. Whatever of it may be
 * somebody else's as well is an obstacle: a database, a user, an alias, a directory that another site needs is not
 * the site's to take along.
 */
import { lstatSync, readdirSync, readlinkSync, realpathSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { DeletePlan, Problem } from '@salvor/contract';
import { mountsWithin } from '../lib/mounts.ts';
import type { Policy } from '../policies/settings.ts';
import { listHooks } from '../policies/task-steps.ts';
import { homeAround } from '../sites/account.ts';
import { isBeneath } from '../sites/read-beneath.ts';
import { type Site, type SiteDatabase, siteKey } from '../sites/site.ts';
import { sortMovedOut, whyNotReplaced } from './moved-out.ts';
import { type DeletedDatabaseTools, planDeletedDatabase } from './plan-deleted-database.ts';
import { type NameChange, planNames } from './plan-names.ts';
import { type VirtualHostPlan, planWithoutVirtualHost } from './virtual-host.ts';

export type DeleteTools = Pick<DeletedDatabaseTools, 'administratorOf' | 'withoutBackup' | 'signal'> & {
  /** All sites of the host. */
  readonly sites: readonly Site[];
  /** Tasks of this site that could be neither finished nor undone. */
  readonly unfinished: readonly string[];
  readonly policy: Policy;
};

export type DeletePlace = DeletePlan['places'][number] & { readonly home: string };

export type DeletePlanned = {
  readonly document: DeletePlan;
  readonly places: readonly DeletePlace[];
  /** What of files beside it goes or changes: they are others' too, or no part of Aegir's layout. */
  readonly names: readonly NameChange[];
  /** Where the policy names the web server: it takes leave of them itself. Null where it does not, or there is none. */
  readonly virtualHost: VirtualHostPlan | null;
  readonly databases: readonly SiteDatabase[];
  /** Databases that are left behind as they are, and what is said of each. */
  readonly staying: readonly StayingDatabase[];
};

export type StayingDatabase = { readonly database: SiteDatabase; readonly note: Problem };

/** Reads only, but for the web server's own test. */
export async function planDelete(site: Site, tools: DeleteTools, say: (line: string) => void): Promise<DeletePlanned> {
  const obstacles: Problem[] = tools.unfinished.map((task) => ({
    code: 'task-unfinished',
    message: `task ${task} of this site could be neither finished nor undone; salvor status says more`,
    path: site.path,
  }));
  const notes: Problem[] = [...sortMovedOut(site).left];
  const others = tools.sites.filter((other) => siteKey(other) !== siteKey(site));
  obstacles.push(...findSharers(site, others));
  for (const { code, message } of site.problems) notes.push({ code, message, path: site.path });
  const virtualHost = await planWithoutVirtualHost(site, tools.policy, say);
  obstacles.push(...(virtualHost?.obstacles ?? []));
  const served = new Set(virtualHost?.files.map(({ path }) => path));
  const places = findPlaces(site, tools.sites, { obstacles }).filter(({ path }) => !served.has(path));
  if (places.some(({ kind }) => kind === 'virtual-host'))
    notes.push({
      code: 'web-server',
      message: 'its virtual host leaves too: reload the web server when it is done, until then it goes on answering',
      path: null,
    });
  const named = planNames(site, { operation: 'delete' });
  obstacles.push(...named.obstacles);
  notes.push(...named.notes);
  const leaves = new Set(places.map(({ path }) => path));
  const names = named.changes.filter(({ path }) => !leaves.has(path));
  const databases: SiteDatabase[] = [];
  const shown: DeletePlan['databases'][number][] = [];
  const staying: StayingDatabase[] = [];
  for (const database of site.databases) {
    const fate = await planDeletedDatabase(site, database, { ...tools, others });
    if (fate.kind === 'obstructed') obstacles.push(...fate.obstacles);
    if (fate.kind === 'missing' || fate.kind === 'stays') notes.push(fate.note);
    if (fate.kind === 'stays') staying.push({ database, note: fate.note });
    if (fate.kind !== 'taken') continue;
    databases.push(database);
    shown.push({ name: database.name, user: database.login.user, tables: fate.tables });
  }
  const document: DeletePlan = {
    account: site.account.name,
    uri: site.uri,
    places: [
      ...places.map(({ path, kind }) => ({ path, kind })),
      ...[...served].map((path) => ({ path, kind: 'virtual-host' as const })),
    ],
    names: named.names.filter(({ path }) => !leaves.has(path)),
    databases: shown,
    hooks: listHooks(tools.policy, 'delete'),
    obstacles,
    notes,
  };
  return { document, places, names, virtualHost, databases, staying };
}

/** Other sites that would be without something of theirs. */
function findSharers(site: Site, others: readonly Site[]): readonly Problem[] {
  const found: Problem[] = [];
  for (const path of site.holds)
    found.push({ code: 'site-inside', message: `another site lies in it: ${path}`, path: site.path });
  const names = new Set([site.uri, ...site.aliases]);
  for (const other of others) {
    const key = siteKey(other);
    const shared = [other.uri, ...other.aliases].filter((name) => names.has(name));
    if (shared.length > 0 && other.account.name === site.account.name)
      found.push({ code: 'alias-shared', message: `${key} answers to ${shared.join(', ')} too`, path: site.path });
    const needs = [other.path, other.platform.root, ...other.movedOut.map(({ target }) => target)];
    const inside = needs.find((path) => path !== null && isBeneath(path, site.path));
    if (inside !== undefined && inside !== null && !site.holds.includes(inside))
      found.push({ code: 'directory-shared', message: `${key} needs ${inside}, which lies in it`, path: site.path });
  }
  return found;
}

function findPlaces(
  site: Site,
  sites: readonly Site[],
  { obstacles }: { readonly obstacles: Problem[] },
): readonly DeletePlace[] {
  const places: DeletePlace[] = [];
  const take = (path: string, kind: DeletePlace['kind']): void => {
    const home = homeAround(site.account, path);
    if (home === null || home === path)
      obstacles.push({ code: 'site-outside', message: `${path} is no directory in the account's homes`, path });
    else places.push({ path, kind, home });
  };
  const mounts = mountsWithin(site.path);
  for (const path of mounts)
    obstacles.push({ code: 'mount-inside', message: `${path} is a mount, which can't leave`, path: site.path });
  take(site.path, 'site');
  for (const { target } of sortMovedOut(site).followed) {
    const refused = whyNotReplaced(target, site, sites);
    if (refused !== null) obstacles.push({ code: refused.code, message: refused.why, path: target });
    else take(target, 'moved-out');
  }
  for (const { path, kind } of findNames(site)) take(path, kind);
  return places;
}

/** What Aegir's layout has beside a site that names it: its context, its virtual host, its client's link and those of its aliases. */
function findNames(site: Site): readonly { readonly path: string; readonly kind: DeletePlace['kind'] }[] {
  const { home } = site.account;
  const found: { path: string; kind: DeletePlace['kind'] }[] = [];
  const context = join(home, '.drush', `${site.uri}.alias.drushrc.php`);
  if (isFile(context)) found.push({ path: context, kind: 'context' });
  for (const server of listNames(join(home, 'config')).filter((name) => name.startsWith('server_')))
    for (const kind of ['nginx', 'apache']) {
      const path = join(home, 'config', server, kind, 'vhost.d', site.uri);
      if (isFile(path)) found.push({ path, kind: 'virtual-host' });
    }
  const links = [
    ...listNames(join(home, 'clients')).map((client) => join(home, 'clients', client, site.uri)),
    ...listNames(dirname(site.path)).map((name) => join(dirname(site.path), name)),
  ];
  for (const path of links) if (leadsTo(path, site.path)) found.push({ path, kind: 'link' });
  return found;
}

function isFile(path: string): boolean {
  try {
    return lstatSync(path).isFile() && realpathSync(dirname(path)) === dirname(path);
  } catch {
    return false;
  }
}

/** A name that is no directory, or that may not be read, holds nothing of ours. */
function listNames(directory: string): readonly string[] {
  try {
    return readdirSync(directory).slice(0, MAX_NAMES);
  } catch {
    return [];
  }
}

/** A platform has some hundreds of sites; a tenant may make any number of names. */
const MAX_NAMES = 10_000;

/** Where a link of the tenant's is on the way to it, it is not ours to move. */
function leadsTo(path: string, target: string): boolean {
  try {
    const isLink = lstatSync(path).isSymbolicLink() && realpathSync(dirname(path)) === dirname(path);
    return isLink && resolve(dirname(path), readlinkSync(path)) === target;
  } catch {
    return false;
  }
}
