/**
 * What ties a database and its user to others on the server: asked before either is taken for one site's own. Needs the
 * administrator's log-in, who sees all grants.
 */
import { type DatabaseAccount, type DatabaseConnection, quoteAccount, quoteName } from './connect.ts';
import { readTables } from './probe.ts';

export type DatabaseTies = {
  /** `'user'@'host'` of others who have rights on the database or on tables of it. */
  readonly others: readonly string[];
  /** What else the user may: other databases, or `*` for the whole server. */
  readonly elsewhere: readonly string[];
  /** Whether the user itself has rights on the database by its name: without, nothing but settings says that it is the user's. */
  readonly isUsers: boolean;
  /** The user's accounts, one for each host that it may come from. */
  readonly accounts: readonly DatabaseAccount[];
};

export async function readTies(connection: DatabaseConnection, database: string, user: string): Promise<DatabaseTies> {
  const rows = await connection.query<{ grantee: string; base: string }>(
    `SELECT GRANTEE AS grantee, TABLE_SCHEMA AS base FROM information_schema.SCHEMA_PRIVILEGES
     UNION SELECT GRANTEE, TABLE_SCHEMA FROM information_schema.TABLE_PRIVILEGES
     UNION SELECT GRANTEE, TABLE_SCHEMA FROM information_schema.COLUMN_PRIVILEGES
     UNION SELECT GRANTEE, IF(PRIVILEGE_TYPE = 'USAGE', '', '*') FROM information_schema.USER_PRIVILEGES`,
  );
  const isUsers = (grantee: string): boolean => parseGrantee(grantee)?.user === user;
  // In a grant `_` and `%` stand for others unless they are escaped; one that names this database as it is means it.
  const isThis = (base: string): boolean => base === database || base.replaceAll(/\\([_%])/g, '$1') === database;
  const others = rows.filter(({ grantee, base }) => isThis(base) && !isUsers(grantee)).map(({ grantee }) => grantee);
  const elsewhere = rows
    .filter(({ grantee, base }) => isUsers(grantee) && base !== '' && !isThis(base))
    .map(({ base }) => base);
  const accounts = rows.filter(({ grantee }) => isUsers(grantee)).map(({ grantee }) => grantee);
  return {
    others: [...new Set(others)],
    elsewhere: [...new Set(elsewhere)],
    isUsers: rows.some(({ grantee, base }) => isThis(base) && isUsers(grantee)),
    accounts: [...new Set(accounts)].flatMap((grantee) => parseGrantee(grantee) ?? []),
  };
}

/** Whether nothing is in it: no table, view, routine or event. One that is not there holds nothing either. */
export async function isEmptyDatabase(connection: DatabaseConnection, database: string): Promise<boolean> {
  if ((await readTables(connection, database)).length > 0) return false;
  const [left] = await connection.query<{ name: string }>(
    `SELECT TABLE_NAME AS name FROM information_schema.TABLES WHERE TABLE_SCHEMA = ?
     UNION SELECT ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = ?
     UNION SELECT EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA = ? LIMIT 1`,
    [database, database, database],
  );
  return left === undefined;
}

/** Drops a database that is empty and the accounts of the user who had it. The caller has asked whose they are. */
export async function dropEmptied(
  connection: DatabaseConnection,
  database: string,
  accounts: readonly DatabaseAccount[],
): Promise<void> {
  for (const account of accounts) await connection.execute(`DROP USER IF EXISTS ${quoteAccount(account)}`);
  await connection.execute(`DROP DATABASE IF EXISTS ${quoteName(database)}`);
}

function parseGrantee(grantee: string): DatabaseAccount | null {
  const match = /^'([^]*)'@'([^]*)'$/.exec(grantee);
  return match === null ? null : { user: match[1] ?? '', host: match[2] ?? '' };
}
