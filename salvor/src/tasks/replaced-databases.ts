/**
 * A site that has got other databases since a point of it was made, as a migration gives it: names and log-ins stay what
 * they are now, and so do the settings that hold them; what a database held then comes into the one in its place.
 */
import type { Problem } from '@salvor/contract';
import { type DatabaseLogin, type ServerAddress, openConnection } from '../databases/mariadb/connect.ts';
import type { Manifest } from '../points/manifest.ts';
import { type Site, type SiteDatabase, siteKey } from '../sites/site.ts';
import { isOfOther, isSettingsName } from './into-site.ts';
import type { RestoreScope } from './restore-scope.ts';

/** By the name that it had then, the database that a site has in its place; empty where its databases are the same ones. */
export type ReplacedDatabases = ReadonlyMap<string, SiteDatabase>;

/**
 * Only where nothing is left of what it was: a database that still has tables was not replaced, the settings are wrong.
 * Throws what a server says that can't be asked.
 */
export async function findReplaced(
  site: Site,
  manifest: Manifest,
  tools: {
    readonly administratorOf: (server: ServerAddress, home: string) => Promise<DatabaseLogin>;
    readonly signal: AbortSignal;
  },
): Promise<ReplacedDatabases> {
  const now = site.databases.filter(({ engine }) => engine === 'mariadb');
  const then = manifest.databases;
  const gone = then.filter(({ name }) => !now.some((database) => database.name === name));
  const free = now.filter(({ name }) => !then.some((database) => database.name === name));
  if (isOfOther(site, manifest) || gone.length === 0 || gone.length !== free.length) return new Map();
  const replaced = new Map<string, SiteDatabase>();
  for (const [index, { name }] of gone.entries()) {
    const database = free[index];
    if (database === undefined) return new Map();
    const admin = await tools.administratorOf(database.login.address, site.account.home);
    await using connection = await openConnection(admin, { signal: tools.signal });
    const [found] = await connection.query<{ left: number; there: number }>(
      `SELECT (SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = ?) AS \`left\`,
              (SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ?) AS there`,
      [name, database.name],
    );
    if (Number(found?.left) !== 0 || Number(found?.there) !== 1) return new Map();
    replaced.set(name, database);
  }
  return replaced;
}

/** What is told of it, and what can't be given back to a site that keeps its settings. */
export function judgeReplaced(
  site: Site,
  replaced: ReplacedDatabases,
  { files }: RestoreScope,
): { readonly obstacles: readonly Problem[]; readonly notes: readonly Problem[] } {
  if (replaced.size === 0) return { obstacles: [], notes: [] };
  const pairs = [...replaced].map(([then, { name }]) => `${name} in place of ${then}`).join(', ');
  const message = `${siteKey(site)} has ${pairs} since then: it keeps its log-in and its settings`;
  const asked = files === 'all' ? [] : files.filter(isSettingsName);
  return {
    obstacles: asked.map((path) => ({
      code: 'settings-of-then',
      message: `${path} of the point holds the log-in of a database that the site has no more; --to DIR brings it back beside the site`,
      path,
    })),
    notes: [{ code: 'database-replaced', message, path: site.path }],
  };
}
