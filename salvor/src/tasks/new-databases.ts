/**
 * The databases that a site gets in place of those that it has, each with a user and a password of its own: a clone's, and
 * those of a site that moves where new ones are asked for.
 */
import { type ServerAddress, openConnection } from '../databases/mariadb/connect.ts';
import { createSiteDatabase, readLoginRules, whyNameTaken } from '../databases/mariadb/site-database.ts';
import { SalvorError } from '../errors.ts';
import type { OpenPoint } from '../points/open-point.ts';
import type { ConnectionChange } from '../sites/connection-fields.ts';
import { type Site, type SiteDatabase, siteKey } from '../sites/site.ts';
import type { NewSiteTools } from './build-new-site.ts';
import { namesForDatabase } from './name-database.ts';
import { type PlannedDatabase, tablesOf } from './plan-database.ts';
import type { TaskRun } from './task-run.ts';

/** A database of a site, and the one that it gets in its place. */
export type NewDatabase = {
  readonly from: SiteDatabase;
  readonly made: SiteDatabase;
  readonly hosts: readonly string[];
  readonly requires: 'SSL' | 'X509' | null;
  readonly stored: { readonly charset: string; readonly collation: string };
};

/** A name that nobody has, for each database of the site, and a password that nobody knows. */
export async function nameNewDatabases(
  { site, server }: { readonly site: Site; readonly server: ServerAddress | null },
  newUri: string,
  tools: Pick<NewSiteTools, 'administratorOf' | 'sites'>,
  run: TaskRun,
): Promise<readonly NewDatabase[]> {
  const taken = new Set(
    tools.sites.flatMap(({ databases }) => databases.flatMap(({ name, login }) => [name, login.user])),
  );
  const named: NewDatabase[] = [];
  for (const from of site.databases) {
    const address = server ?? from.login.address;
    const admin = await tools.administratorOf(address, site.account.home);
    await using connection = await openConnection(admin, { signal: run.signal });
    let name: string | null = null;
    let why = '';
    for (const candidate of namesForDatabase(newUri)) {
      if (taken.has(candidate)) continue;
      const inTheWay = await whyNameTaken(connection, candidate);
      why ||= inTheWay ?? '';
      if (inTheWay !== null) continue;
      name = candidate;
      break;
    }
    if (name === null)
      throw new SalvorError('identity-obstructed', {
        site: siteKey(site),
        operation: run.journal.operation,
        obstacles: [`no name is free for its database: ${why === '' ? 'all are of other sites' : why}`],
      });
    taken.add(name);
    // A user of that name on another server than the site's is somebody else.
    const rules =
      server === null ? await readLoginRules(connection, from.name, from.login.user) : { hosts: [], requires: null };
    const password = Buffer.from(run.randomBytes(24)).toString('base64url');
    const [schema] = await connection.query<{ charset: string; collation: string }>(
      `SELECT DEFAULT_CHARACTER_SET_NAME AS charset, DEFAULT_COLLATION_NAME AS collation
       FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ?`,
      [from.name],
    );
    named.push({
      from,
      made: { ...from, name, login: { address, user: name, password }, sharedWith: [] },
      hosts: rules.hosts.length > 0 ? rules.hosts : ['socket' in address ? 'localhost' : '%'],
      requires: rules.requires,
      stored: schema ?? { charset: 'utf8mb4', collation: 'utf8mb4_general_ci' },
    });
  }
  return named;
}

/** Empty, with its user. What a crash leaves of it the journal's `made` names. */
export async function makeNewDatabase(
  { made, hosts, requires, stored }: NewDatabase,
  tools: Pick<NewSiteTools, 'administratorOf'>,
  run: TaskRun,
): Promise<void> {
  const { home } = run.journal.site;
  await using connection = await openConnection(await tools.administratorOf(made.login.address, home), {
    signal: run.signal,
  });
  const { charset, collation } = stored;
  const wish = { name: made.name, password: made.login.password, hosts, requires, charset, collation, task: run.id };
  await run.audit('create-database', `database ${made.name} and its user`, () => createSiteDatabase(connection, wish));
}

/** All that the point holds of a database comes into the new one, where nothing is. */
export function planLoad(point: OpenPoint, from: SiteDatabase, made: SiteDatabase): PlannedDatabase {
  const stored = point.manifest.databases.find(({ name }) => name === from.name);
  if (stored === undefined)
    throw new SalvorError('point-incomplete', { point: point.manifest.point, problem: `it lacks ${from.name}` });
  return {
    stored,
    database: made,
    facts: null,
    incoming: tablesOf(stored),
    outgoing: [],
    isWhole: true,
    names: null,
    emptied: [],
  };
}

export function connectionOf(
  from: SiteDatabase,
  to: SiteDatabase,
  defaultSocket: string | undefined,
): ConnectionChange {
  const fieldsOf = ({ name, login: { user, password, address } }: SiteDatabase): ConnectionChange['from'] => ({
    name,
    user,
    password,
    address,
  });
  return { from: fieldsOf(from), to: fieldsOf(to), defaultSocket };
}
