/**
 * What of a shared database is a site's. Another site counts only if the server lets it in with the log-in of its settings:
 * a tenant who writes somebody else's database into his own settings takes nothing out of that one's backups.
 */
import type { Problem } from '@salvor/contract';
import { openConnection, serverErrorNumber } from '../databases/mariadb/connect.ts';
import type { NamePrefixes } from '../databases/mariadb/own-names.ts';
import { SalvorError } from '../errors.ts';
import { prefixesOf } from '../sites/shared-databases.ts';
import type { SharingSite, Site, SiteDatabase } from '../sites/site.ts';

export type OwnNames = {
  /** Null where the site has the database to itself. */
  readonly names: NamePrefixes | null;
  /** Why its tables can't be told from another site's: they are dumped, and not switched. */
  readonly obstacles: readonly Problem[];
  /** What is taken for whose, where a prefix begins like another one. */
  readonly notes: readonly Problem[];
};

/** Throws as `openConnection`, but for a log-in of another site that is refused. */
export async function findOwnNames(
  { isNetwork }: Pick<Site, 'isNetwork'>,
  database: SiteDatabase,
  signal: AbortSignal | undefined,
): Promise<OwnNames> {
  const sharing: SharingSite[] = [];
  for (const other of database.sharedWith) if (await isLetIn(other, database, signal)) sharing.push(other);
  if (sharing.length === 0) return { names: null, obstacles: [], notes: [] };
  const own = prefixesOf(database);
  const obstacles: Problem[] = [];
  const notes: Problem[] = [];
  for (const other of sharing) {
    if (other.prefixes.some((prefix) => own.includes(prefix))) {
      const message = `${other.site} uses the database ${database.name} too, with the same tables`;
      obstacles.push({ code: 'database-shared', message, path: database.name });
      continue;
    }
    for (const [ours, theirs] of pairsOf(own, other.prefixes)) {
      const problem = judgeNested(database.name, other.site, ours, theirs);
      if (problem === null) continue;
      const isOfNetwork = (isNetwork && isBlog(ours, theirs)) || (other.isNetwork && isBlog(theirs, ours));
      if (isOfNetwork) obstacles.push({ ...problem, code: 'prefix-ambiguous' });
      else notes.push(problem);
    }
  }
  return { names: { own, others: sharing.flatMap(({ prefixes }) => prefixes) }, obstacles, notes };
}

/** ER_DBACCESS_DENIED_ERROR */
const NO_ACCESS = 1044;

async function isLetIn(other: SharingSite, { name, login }: SiteDatabase, signal?: AbortSignal): Promise<boolean> {
  if (other.login.user === login.user && other.login.password === login.password) return true;
  try {
    await using connection = await openConnection(other.login, { database: name, signal });
    return connection.id > 0;
  } catch (error) {
    const isRefused =
      error instanceof SalvorError && ['database-login-refused', 'database-missing'].includes(error.code);
    if (isRefused || serverErrorNumber(error) === NO_ACCESS) return false;
    throw error;
  }
}

function pairsOf(own: readonly string[], others: readonly string[]): readonly (readonly [string, string])[] {
  return own.flatMap((ours) => others.map((theirs) => [ours, theirs] as const));
}

function judgeNested(database: string, site: string, ours: string, theirs: string): Problem | null {
  if (!ours.startsWith(theirs) && !theirs.startsWith(ours)) return null;
  const [longer, whose] = ours.length > theirs.length ? [ours, 'this site’s'] : [theirs, `those of ${site}`];
  const message = `the prefixes '${ours}' of this site and '${theirs}' of ${site} in ${database} begin alike: tables that begin with '${longer}' are taken for ${whose}`;
  return { code: 'prefix-nested', message, path: database };
}

/** A network of WordPress has the tables of its second site under `wp_2_`. */
function isBlog(network: string, prefix: string): boolean {
  return prefix.startsWith(network) && /^\d+_$/.test(prefix.slice(network.length));
}
