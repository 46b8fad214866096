import type { AllSitesDocument, SiteDocument } from '@salvor/contract';
import type { Config } from '../config.ts';
import { isKnownAccount } from '../points/repositories.ts';
import { showServer } from '../sites/database-address.ts';
import { type FoundSites, findSites } from '../sites/find-sites.ts';
import type { Site } from '../sites/site.ts';

/** What the host carries just now, as disk and configuration say. Nothing of it is remembered. */
export async function readHost(config: Config, signal: AbortSignal | undefined): Promise<FoundSites> {
  return await findSites({
    homes: config.homes.length > 0 ? config.homes : null,
    isRemembered: (account) => isKnownAccount(config, account),
    overrides: new Map(Object.entries(config.sites)),
    defaultSocket: config.mariadb.socket ?? undefined,
    signal,
  });
}

export function documentOfHost({ accounts, sites, notSites, problems }: FoundSites): AllSitesDocument {
  return { accounts, sites: sites.map(documentOfSite), notSites, problems };
}

export function documentOfSite(site: Site): SiteDocument {
  const { uri, account, platform, path, cms, version, settings, aliases, enabled, isNetwork, movedOut, holds } = site;
  return {
    uri,
    account: account.name,
    platform: platform.name,
    path,
    cms,
    version,
    settings,
    aliases,
    enabled,
    network: isNetwork,
    databases: site.databases.map(({ engine, name, login, prefix, sharedWith }) => ({
      engine,
      name,
      server: engine === 'sqlite' ? null : showServer(login.address),
      tls: 'tls' in login.address && login.address.tls !== undefined,
      prefix,
      sharedWith: sharedWith.map(({ site: other }) => other),
    })),
    movedOut,
    holds,
    problems: site.problems.map((problem) => ({ ...problem, path })),
  };
}
