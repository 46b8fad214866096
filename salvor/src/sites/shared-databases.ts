import { identifyServer } from './database-address.ts';
import { siteKey } from './site.ts';
import type { Site, SiteDatabase } from './site.ts';

/** Says of each database which other sites use it: apart by prefixes, or the very same tables. */
export function tellShared(sites: readonly Site[], defaultSocket?: string): Site[] {
  const identify = ({ engine, name, login }: SiteDatabase): string =>
    `${engine} ${engine === 'sqlite' ? '' : identifyServer(login.address, defaultSocket)} ${name}`;
  const users = Map.groupBy(
    sites.flatMap((site) => site.databases.map((database) => ({ site, key: identify(database) }))),
    ({ key }) => key,
  );
  return sites.map((site) => ({
    ...site,
    databases: site.databases.map((database) => {
      const others = (users.get(identify(database)) ?? []).filter((user) => user.site !== site);
      return { ...database, sharedWith: [...new Set(others.map((user) => siteKey(user.site)))] };
    }),
  }));
}
