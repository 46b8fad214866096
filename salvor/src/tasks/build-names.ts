/**
 * What names a site outside of its directory, as parts of the switch of a clone, a rename or a migration: contexts, aliases
 * and links (`plan-names.ts`), and its virtual host (`virtual-host.ts`). Each is made in staging and takes its place with the
 * rest, so that it is taken back with the rest.
 */
import { lstatSync } from 'node:fs';
import type { IdentityPlan, Problem } from '@salvor/contract';
import { SalvorError } from '../errors.ts';
import type { Policy } from '../policies/settings.ts';
import { renameAliases } from '../sites/set-context.ts';
import { type Site, siteKey } from '../sites/site.ts';
import { planMove } from './move-site.ts';
import { type NamesPlan, planNames } from './plan-names.ts';
import { locateNames, stageNames } from './stage-names.ts';
import { makeStaging } from './staging.ts';
import type { Switch } from './switch-site.ts';
import type { TaskRun } from './task-run.ts';
import {
  type ServedSite,
  type VirtualHostPlan,
  buildVirtualHosts,
  planVirtualHost,
  stagingsOf as stagingsOfHosts,
} from './virtual-host.ts';

export type IdentityOperation = 'clone' | 'rename' | 'migrate';

export type OutsidePlan = {
  readonly names: NamesPlan;
  readonly virtualHost: VirtualHostPlan | null;
  readonly shown: IdentityPlan['names'];
  readonly obstacles: readonly Problem[];
  readonly notes: readonly Problem[];
};

type Place = Pick<Site, 'uri' | 'path' | 'platform'>;

/** Reads only, but for the web server's own test. */
export async function planOutside(
  site: Site,
  to: Place,
  operation: IdentityOperation,
  policy: Policy,
  say: (line: string) => void,
): Promise<OutsidePlan> {
  const names = planNames(site, { operation, to });
  const served = servedAs(site, to, operation, site.databases);
  const virtualHost = await planVirtualHost(served, policy, { site, isCopy: operation === 'clone' }, say);
  const files = (virtualHost?.files ?? []).map(({ path, text }) => ({ path, change: kindOf(path, text) }));
  return {
    names,
    virtualHost,
    shown: [...names.names, ...files],
    obstacles: [...names.obstacles, ...(virtualHost?.obstacles ?? [])],
    notes: [...names.notes, ...(virtualHost?.notes ?? nameUnserved(site))],
  };
}

/** Whoever serves it has to be told, where we are not told who that is. */
function nameUnserved({ virtualHosts }: Site): readonly Problem[] {
  return virtualHosts.map((path) => ({
    code: 'virtual-host-unchanged',
    message:
      'is left as it is, because salvor.yaml names no web server (webServer:): make one for the new name yourself',
    path,
  }));
}

/** Where they are made: for the journal, before anything is. */
export function stagingsOf(
  { names, virtualHost }: OutsidePlan,
  of: { readonly account: string; readonly staging: string | null },
  task: string,
): readonly string[] {
  const places = locateNames(names.changes, { account: of.account, task, configured: of.staging });
  return [...new Set([...places.map(({ staging }) => staging), ...stagingsOfHosts(virtualHost, of, task)])];
}

/**
 * Makes them, as late as can be: others may write there meanwhile. `site` is as it was, `after` as it is going to be, with
 * the log-in that it has then. Throws `file-changed`, and `identity-obstructed` where a virtual host can't be made any more.
 */
export async function buildOutside(
  { names }: OutsidePlan,
  sites: { readonly site: Site; readonly after: Site },
  operation: IdentityOperation,
  tools: { readonly policy: Policy; readonly staging: string | null },
  run: TaskRun,
): Promise<Pick<Switch, 'names' | 'virtualHosts'>> {
  const { site, after } = sites;
  const account = site.account.name;
  const places = locateNames(names.changes, { account, task: run.id, configured: tools.staging });
  for (const { staging } of places)
    if (lstatSync(staging, { throwIfNoEntry: false }) === undefined) await makeStaging(staging);
  stageNames(names.changes, places, site.account);
  const served = servedAs(site, after, operation, after.databases);
  const host = await planVirtualHost(served, tools.policy, { site, isCopy: operation === 'clone' }, (line) =>
    run.say(line),
  );
  if (host !== null && host.obstacles.length > 0)
    throw new SalvorError('identity-obstructed', {
      site: siteKey(site),
      operation,
      obstacles: host.obstacles.map(({ message }) => message),
    });
  const virtualHosts = await buildVirtualHosts(host, { account, staging: tools.staging }, run);
  return {
    ...(places.length === 0 ? {} : { names: places.map((place) => planMove(place)) }),
    ...(virtualHosts === undefined ? {} : { virtualHosts }),
  };
}

/** A copy has none of its origin's further names. */
function servedAs(
  site: Site,
  { uri, path, platform }: Place,
  operation: IdentityOperation,
  databases: Site['databases'],
): ServedSite {
  const aliases = operation === 'clone' ? [] : renameAliases(site.aliases, site.uri, uri);
  return { uri, path, platform, aliases, account: site.account, databases, virtualHosts: [] };
}

function kindOf(path: string, text: string | null): 'made' | 'changed' | 'removed' {
  if (text === null) return 'removed';
  return lstatSync(path, { throwIfNoEntry: false }) === undefined ? 'made' : 'changed';
}
