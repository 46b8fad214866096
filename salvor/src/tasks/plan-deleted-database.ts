/**
 * What becomes of one database of a site that is deleted. It goes along where the site's settings, the server's grants and
 * the other sites agree that it is the site's alone, and where it can be saved before. One that can't be judged or
 * saved stops the delete; where the person has said so, the site goes without it, and it stays on its server as it is.
 */
import type { Problem } from '@salvor/contract';
import { type DatabaseLogin, type ServerAddress, openConnection } from '../databases/mariadb/connect.ts';
import { probeDatabase } from '../databases/mariadb/probe.ts';
import { readTies } from '../databases/mariadb/ties.ts';
import { SalvorError } from '../errors.ts';
import { isBeneath } from '../sites/read-beneath.ts';
import { type Site, type SiteDatabase, siteKey } from '../sites/site.ts';

export type DeletedDatabaseTools = {
  readonly administratorOf: (server: ServerAddress, home: string) => Promise<DatabaseLogin>;
  /** The other sites of the host. */
  readonly others: readonly Site[];
  /** Whether a database that can't be judged or saved is left behind; null where nobody can ask for that. */
  readonly withoutBackup: boolean | null;
  readonly signal: AbortSignal;
};

export type DatabaseFate =
  /** Its tables leave. */
  | { readonly kind: 'taken'; readonly tables: number }
  /** There is none of that name. */
  | { readonly kind: 'missing'; readonly note: Problem }
  | { readonly kind: 'stays'; readonly note: Problem }
  | { readonly kind: 'obstructed'; readonly obstacles: readonly Problem[] };

/** Throws `cancelled` alone: what the server says is a part of the answer. */
export async function planDeletedDatabase(
  site: Site,
  database: SiteDatabase,
  tools: DeletedDatabaseTools,
): Promise<DatabaseFate> {
  const look = await lookAt(site, database, tools);
  if (look.bar !== null && tools.withoutBackup === true)
    return { kind: 'stays', note: nameStaying(site, database, look.bar.message) };
  const obstacles = [
    ...(look.bar === null ? [] : [tools.withoutBackup === null ? look.bar : withWayOut(look.bar)]),
    ...look.foreign,
  ];
  if (obstacles.length > 0) return { kind: 'obstructed', obstacles };
  return look.tables === null ? { kind: 'missing', note: look.missing } : { kind: 'taken', tables: look.tables };
}

function withWayOut(bar: Problem): Problem {
  return { ...bar, message: `${bar.message} (delete --without-backup leaves it behind)` };
}

/** Of a database that no backup was taken of, and that nothing is done with: what can't be had back, and what is left to do. */
export function nameStaying(site: Site, { engine, name, login }: SiteDatabase, why: string): Problem {
  const staying =
    engine !== 'sqlite'
      ? `it stays on its server as it is, with its user ${login.user}, until somebody drops it by hand`
      : isBeneath(name, site.path)
        ? 'its file leaves with the directory of the site, copied as it lies there'
        : 'its file stays where it is, until somebody removes it by hand';
  const message = `${why}; nothing of it is dumped into the safety point, which brings files alone back: ${staying}`;
  return { code: 'database-stays', message, path: name };
}

type Look = {
  /** Why it can't be judged or saved. */
  readonly bar: Problem | null;
  /** What of it is somebody else's. */
  readonly foreign: readonly Problem[];
} & ({ readonly tables: number } | { readonly tables: null; readonly missing: Problem });

async function lookAt(site: Site, database: SiteDatabase, tools: DeletedDatabaseTools): Promise<Look> {
  const { name, login, engine, sharedWith } = database;
  const nameIt = (code: string, message: string): Problem => ({ code, message, path: name });
  const foreign: Problem[] = [];
  const found = (code: string, message: string): void => void foreign.push(nameIt(code, message));
  const barredBy = (code: string, message: string): Look => ({ bar: nameIt(code, message), foreign, tables: 0 });
  if (engine !== 'mariadb')
    return barredBy('database-unsupported', `it is kept by ${engine}, which this version neither saves nor deletes`);
  if (sharedWith.length > 0)
    found('database-shared', `${sharedWith.map(({ site: other }) => other).join(', ')} uses it too`);
  const users = tools.others.filter((other) => other.databases.some((theirs) => isSameLogin(theirs.login, login)));
  for (const other of users) found('user-shared', `${siteKey(other)} logs in as ${login.user} too`);
  try {
    const admin = await tools.administratorOf(login.address, site.account.home);
    await using connection = await openConnection(admin, { signal: tools.signal });
    const ties = await readTies(connection, name, login.user);
    for (const grantee of ties.others) found('grant-from-outside', `${grantee} has rights on it too`);
    if (ties.elsewhere.length > 0)
      found('user-has-more', `its user ${login.user} has rights on ${ties.elsewhere.slice(0, 5).join(', ')} too`);
    // Who can't see grants can't say that there are none; and a name in settings alone makes nothing the site's own.
    if (!ties.isUsers) return barredBy('grants-unseen', `no rights of its user ${login.user} on it can be seen`);
    const { tables } = await probeDatabase(admin, name, { signal: tools.signal });
    // It is dumped as its own user.
    await (await openConnection(login, { database: name, signal: tools.signal }))[Symbol.asyncDispose]();
    return { bar: null, foreign, tables: tables.length };
  } catch (error) {
    tools.signal.throwIfAborted();
    if (!(error instanceof SalvorError)) throw error;
    if (error.code !== 'database-missing') return barredBy(error.code, withoutStop(error.message));
    return { bar: null, foreign, tables: null, missing: nameIt(error.code, error.message) };
  }
}

function isSameLogin(one: DatabaseLogin, other: DatabaseLogin): boolean {
  return one.user === other.user && JSON.stringify(one.address) === JSON.stringify(other.address);
}

/** What goes on behind it is no sentence of its own. */
function withoutStop(message: string): string {
  return message.replace(/\.$/, '');
}
