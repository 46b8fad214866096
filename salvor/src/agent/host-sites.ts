import type { Config } from '../config.ts';
import type { SiteDocument } from '@salvor/contract';
import { findHomes } from '../sites/find-homes.ts';
import { type FoundSites, findSites } from '../sites/find-sites.ts';
import type { Site } from '../sites/site.ts';

/** What the host carries just now, as disk and configuration say. Nothing of it is remembered. */
export async function readHost(config: Config, signal: AbortSignal | undefined): Promise<FoundSites> {
  return await findSites({
    homes: config.homes.length > 0 ? config.homes : findHomes(),
    overrides: new Map(Object.entries(config.sites)),
    defaultSocket: config.mariadb.socket ?? undefined,
    signal,
  });
}

export function documentOfSite(site: Site): SiteDocument {
  return {
    uri: site.uri,
    account: site.account.name,
    platform: site.platform.name,
    path: site.path,
    cms: site.cms,
    version: site.version,
    databases: site.databases.map(({ engine, name }) => ({ engine, name })),
    problems: site.problems.map((problem) => ({ ...problem, path: site.path })),
  };
}
