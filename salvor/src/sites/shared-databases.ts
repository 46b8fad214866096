import { identifyServer } from './database-address.ts';
import { siteKey } from './site.ts';
import type { SharingSite, Site, SiteDatabase } from './site.ts';

/** Says of each database which other sites use it: apart by prefixes, or the very same tables. */
export function tellShared(sites: readonly Site[], defaultSocket?: string): Site[] {
  const identify = ({ engine, name, login }: SiteDatabase): string =>
    `${engine} ${engine === 'sqlite' ? '' : identifyServer(login.address, defaultSocket)} ${name}`;
  const users = Map.groupBy(
    sites.flatMap((site) => site.databases.map((database) => ({ site, database, key: identify(database) }))),
    ({ key }) => key,
  );
  return sites.map((site) => ({
    ...site,
    databases: site.databases.map((database) => {
      const others = (users.get(identify(database)) ?? []).filter((user) => user.site !== site);
      const sharedWith = others.map((user): SharingSite => ({
        site: siteKey(user.site),
        prefixes: prefixesOf(user.database),
        isNetwork: user.site.isNetwork,
        login: user.database.login,
      }));
      return { ...database, sharedWith };
    }),
  }));
}

/** All that its tables may begin with; one with a dot is another database. */
export function prefixesOf({ prefix, otherPrefixes }: Pick<SiteDatabase, 'prefix' | 'otherPrefixes'>): string[] {
  return [...new Set([prefix, ...otherPrefixes.filter((other) => !other.includes('.'))])];
}
