/** What a restore is going to do to one database of a site, and what stands in its way: found by looking. */
import type { Problem } from '@salvor/contract';
import { type DatabaseConnection, type DatabaseLogin, openConnection } from '../databases/mariadb/connect.ts';
import { readServerProduct } from '../databases/mariadb/judge-server.ts';
import { readSwapFacts } from '../databases/mariadb/inspect-swap.ts';
import { isOwnName, type NamePrefixes } from '../databases/mariadb/own-names.ts';
import { type DatabaseFacts, probeDatabase, readRights } from '../databases/mariadb/probe.ts';
import { SalvorError } from '../errors.ts';
import type { ManifestDatabase } from '../points/manifest.ts';
import type { OpenPoint } from '../points/open-point.ts';
import { prefixesOf } from '../sites/shared-databases.ts';
import type { Site, SiteDatabase } from '../sites/site.ts';
import { readDataDirectory } from './data-directory.ts';
import { findNamedTables } from './empty-tables.ts';
import { databaseFor } from './into-site.ts';
import { findOutsiders } from './outsiders.ts';
import { findOwnNames } from './own-names.ts';
import type { PlanFindings, PlanTools } from './plan-restore.ts';
import { findStrayDatabases } from './strays.ts';
import type { RestoreScope } from './restore-scope.ts';

export type PlannedDatabase = {
  readonly stored: ManifestDatabase;
  /** The site's database of that name, with the site's own log-in. */
  readonly database: SiteDatabase;
  /** What is there now; null where the database is gone. */
  readonly facts: DatabaseFacts | null;
  /** Tables that come, and tables that are there now and leave: the ones they replace and those the point lacks. */
  readonly incoming: readonly string[];
  readonly outgoing: readonly string[];
  /** Views of the point and of now; both empty where only some tables are restored. */
  readonly isWhole: boolean;
  /** What is the site's in a database that others use too; null where it has it to itself. */
  readonly names: NamePrefixes | null;
  /** Of those that come, the ones that come without their rows. */
  readonly emptied: readonly string[];
};

/** What the point's dump of the tables in scope takes. */
export function bytesOfDump({ stored, incoming }: PlannedDatabase): number {
  const coming = new Set(incoming);
  const files = stored.files.filter(({ table }) => table === null || coming.has(table));
  return files.reduce((sum, file) => sum + file.bytes, 0);
}

/**
 * Also what was another site's when the point was made: one whose settings are gone is not found now, and its tables are
 * there all the same.
 */
function joinNames(now: NamePrefixes | null, database: SiteDatabase, then: ManifestDatabase): NamePrefixes | null {
  const own = prefixesOf(database);
  const remembered = (then.others ?? []).filter((prefix) => !own.includes(prefix));
  if (now === null && remembered.length === 0) return null;
  return { own, others: [...new Set([...(now?.others ?? []), ...remembered])] };
}

/** All that a dump holds: one of before the database was shared may hold more than is the site's now. */
export function tablesOf({ files }: ManifestDatabase): readonly string[] {
  return files.flatMap(({ table }) => (table === null ? [] : [table]));
}

/** Null where the site's settings name no such database. */
export async function planDatabase(
  site: Site,
  point: OpenPoint,
  wanted: RestoreScope['databases'][number],
  tools: PlanTools,
  findings: PlanFindings,
): Promise<PlannedDatabase | null> {
  const stored = point.manifest.databases.find(({ name }) => name === wanted.name);
  if (stored === undefined)
    throw new SalvorError('point-incomplete', { point: point.manifest.point, problem: `it lacks ${wanted.name}` });
  const refuse = (code: string, message: string): void => {
    findings.obstacles.push({ code, message, path: wanted.name });
  };
  const database = tools.replaced?.get(wanted.name) ?? databaseFor(site, point, wanted.name);
  if (database === undefined) {
    refuse(
      'database-not-of-site',
      `the site's settings name no database ${wanted.name}; where they are broken, restore them first with --only files`,
    );
    return null;
  }
  const own = await findOwnNames(site, database, tools.signal);
  const names = joinNames(own.names, database, stored);
  for (const { code, message } of own.obstacles) refuse(code, message);
  findings.notes.push(...own.notes);
  if (stored.prefix !== database.prefix)
    refuse(
      'prefix-differs',
      `the point's tables begin with '${stored.prefix}', and those of ${database.name} with '${database.prefix}'`,
    );
  const administrator = await tools.administratorOf(database.login.address, site.account.home);
  const facts = await probeIfThere(administrator, database.name, names, tools.signal);
  const isOwn = (table: string): boolean => names === null || isOwnName(table, names);
  const all = tablesOf(stored).filter(isOwn);
  const foreign = wanted.tables === 'all' ? [] : wanted.tables.filter((table) => !isOwn(table));
  if (foreign.length > 0) refuse('table-of-other-site', `${foreign.join(', ')} is another site's by its name`);
  const incoming = wanted.tables === 'all' ? all : wanted.tables;
  const isWhole = wanted.tables === 'all';
  const now = facts?.tables.map(({ name }) => name) ?? [];
  const coming = new Set(incoming);
  const outgoing = isWhole ? now : now.filter((name) => coming.has(name));
  await using connection = await openConnection(administrator, { signal: tools.signal });
  const server = await readServerProduct(connection);
  if (!server.isWritable)
    refuse('server-untested', `${server.name} holds ${database.name}, and this version was never tested with it`);
  else if (!server.isTried) findings.notes.push(nameUntried(server.name, database.name));
  findings.needs.push(...(await findSpaceNeed(connection, stored, coming)));
  findings.notes.push(
    ...(await findOutsiders(connection, database)),
    ...(await findStrayDatabases(connection, tools.known)),
  );
  await refuseRights(database, refuse, tools.signal);
  if (facts !== null)
    await refuseForeignKeys(administrator, database.name, { outgoing, incoming }, refuse, tools.signal);
  // A table that is asked for by its name is wanted as it was.
  const emptied = isWhole ? findNamedTables(incoming, database.prefix, tools.policy.emptiedTables) : [];
  if (emptied.length > 0) findings.notes.push(nameEmptied(database.name, emptied));
  return { stored, database, facts, incoming, outgoing, isWhole, names, emptied };
}

/** The promise of RENAME TABLE is its family's; that it is kept was seen of one version only. */
export function nameUntried(server: string, path: string): Problem {
  const message = `${server} holds ${path}: it is written to as MariaDB 10.11 is, which is the version that was tried`;
  return { code: 'server-untried', message, path };
}

/** What a plan shows and nobody may have looked at stands in the log too. */
export function sayUntried(
  notes: readonly { readonly code: string; readonly message: string }[],
  { say }: { readonly say: (line: string) => void },
): void {
  for (const { code, message } of notes) if (code === 'server-untried') say(message);
}

function nameEmptied(path: string, tables: readonly string[]): Problem {
  const more = tables.length > MAX_NAMED ? ` and ${tables.length - MAX_NAMED} more` : '';
  const message = `${tables.slice(0, MAX_NAMED).join(', ')}${more} come back without their rows, as the policy says`;
  return { code: 'tables-emptied', message, path };
}

/** More names than a person reads. */
const MAX_NAMED = 10;

async function probeIfThere(
  login: DatabaseLogin,
  name: string,
  names: NamePrefixes | null,
  signal: AbortSignal,
): Promise<DatabaseFacts | null> {
  try {
    return await probeDatabase(login, name, { signal, names: names ?? undefined });
  } catch (error) {
    if (error instanceof SalvorError && error.code === 'database-missing') return null;
    throw error;
  }
}

/** What a user needs to have of a database that is his. */
const OWN_RIGHTS = ['CREATE', 'DROP', 'INSERT', 'DELETE'];

/**
 * The administrator will move the tables, so the server must agree that they are the site's: settings that name a
 * stranger's database, which the site's user may only read or not even that, move nothing.
 */
async function refuseRights(
  database: SiteDatabase,
  refuse: (code: string, message: string) => void,
  signal: AbortSignal,
): Promise<void> {
  await using connection = await openConnection(database.login, { signal });
  const held = await readRights(connection, database.name, 'account');
  const missing = OWN_RIGHTS.filter((right) => !held.has(right));
  if (missing.length > 0)
    refuse(
      'database-not-of-site',
      `${database.login.user} has no right ${missing.join(', ')} on ${database.name}: it may be another site's`,
    );
}

/** A key between a table that leaves and one that stays would tie the site to what was taken away from it. */
async function refuseForeignKeys(
  administrator: DatabaseLogin,
  name: string,
  tables: { readonly outgoing: readonly string[]; readonly incoming: readonly string[] },
  refuse: (code: string, message: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const outgoing = new Set(tables.outgoing);
  const incoming = new Set(tables.incoming);
  const { foreignKeys, liveTables } = await readSwapFacts(administrator, { live: name, scratch: name }, { signal });
  const here = new Set(liveTables);
  for (const key of foreignKeys) {
    const from = key.database === name && outgoing.has(key.table);
    // A key from elsewhere whose table is gone waits for one of that name, and would take the one that comes.
    const isAwaited = key.database !== name && incoming.has(key.refersToTable);
    const to = key.refersToDatabase === name && (outgoing.has(key.refersToTable) || isAwaited);
    if (from === to) continue;
    const what = `${key.database}.${key.table} refers to ${key.refersToDatabase}.${key.refersToTable} (${key.name})`;
    // Such a key takes hold of the table that comes: the site could not drop it any more.
    const isGone = key.refersToDatabase === name && !here.has(key.refersToTable);
    const why = isGone
      ? 'which is gone: drop the key, or the table that has it'
      : 'and only one of the two would be replaced';
    refuse('foreign-key', `${what}, ${why}`);
  }
}

/** Of a server on this machine: what the tables will take. */
async function findSpaceNeed(
  connection: DatabaseConnection,
  stored: ManifestDatabase,
  coming: ReadonlySet<string>,
): Promise<PlanFindings['needs']> {
  const path = await readDataDirectory(connection);
  if (path === null) return [];
  const bytes = stored.files.reduce(
    (sum, { table, bytes: size }) => (table !== null && coming.has(table) ? sum + size : sum),
    0,
  );
  return [{ path, bytes, files: 0 }];
}
