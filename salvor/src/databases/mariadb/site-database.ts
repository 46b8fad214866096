/**
 * The database of a site that a task makes, with a user who has this one and nothing else. Unlike a scratch database it has
 * a name of the site's, so what tells ours from anybody's is on the server itself: the database carries the task in its
 * comment from the statement on that makes it. Dropped again only while it is marked so and empty.
 */
import {
  type DatabaseConnection,
  type DatabaseLogin,
  openConnection,
  quoteAccount,
  quoteName,
  quoteText,
  serverErrorNumber,
} from './connect.ts';
import { SalvorError } from '../../errors.ts';
import { requireWritableServer } from './judge-server.ts';
import { dropEmptied, isEmptyDatabase, readTies } from './ties.ts';

export type SiteDatabaseWish = {
  /** Of the database and of its user. */
  readonly name: string;
  readonly password: string;
  /** Where the user may come from: one account for each. */
  readonly hosts: readonly string[];
  /** What its accounts must show to be let in, as `REQUIRE` has it; null for nothing. */
  readonly requires: 'SSL' | 'X509' | null;
  readonly charset: string;
  readonly collation: string;
  readonly task: string;
};

const ER_DB_CREATE_EXISTS = 1007;

/**
 * Makes database, user and grant, in this order: a crash in between leaves what `dropSiteDatabase` takes away.
 * Throws 'database-exists' and 'database-server-untested', or as a statement does.
 */
export async function createSiteDatabase(connection: DatabaseConnection, wish: SiteDatabaseWish): Promise<void> {
  await requireWritableServer(connection);
  await connection.make(() => create(connection, wish));
}

async function create(connection: DatabaseConnection, wish: SiteDatabaseWish): Promise<void> {
  const { name, charset, collation } = wish;
  try {
    await connection.execute(
      `CREATE DATABASE ${quoteName(name)} CHARACTER SET ${quoteName(charset)} COLLATE ${quoteName(collation)}
       COMMENT ${quoteText(markOf(wish.task))}`,
    );
  } catch (error) {
    if (serverErrorNumber(error) !== ER_DB_CREATE_EXISTS) throw error;
    throw new SalvorError('database-exists', { database: name }, { cause: error });
  }
  // In a grant `_` stands for any character: unescaped, the user would get databases with similar names.
  const pattern = quoteName(name.replaceAll('_', String.raw`\_`));
  const requires = wish.requires === null ? '' : ` REQUIRE ${wish.requires}`;
  for (const host of wish.hosts) {
    const account = quoteAccount({ user: name, host });
    await connection.execute(`CREATE USER ${account} IDENTIFIED BY ${quoteText(wish.password)}${requires}`);
    await connection.execute(`GRANT ALL PRIVILEGES ON ${pattern}.* TO ${account}`);
  }
}

/**
 * Takes back what `createSiteDatabase` made for this task. What is not marked as its own was never made by it, and stays.
 * Throws where something is in it, or where its user has rights elsewhere: that is somebody's by now.
 */
export async function dropSiteDatabase(
  admin: DatabaseLogin,
  { name, task }: { readonly name: string; readonly task: string },
): Promise<void> {
  await using connection = await openConnection(admin);
  const [found] = await connection.query<{ comment: string }>(
    'SELECT SCHEMA_COMMENT AS comment FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ?',
    [name],
  );
  if (found?.comment !== markOf(task)) return;
  if (!(await isEmptyDatabase(connection, name)))
    throw new Error(`there is something in ${name}, which was made empty`);
  const { others, elsewhere, accounts } = await readTies(connection, name, name);
  const taken = [...others, ...elsewhere.map((base) => `its user on ${base}`)];
  if (taken.length > 0) throw new Error(`${name} has got rights that nobody gave it here: ${taken.join(', ')}`);
  await dropEmptied(connection, name, accounts);
}

/**
 * Why a database and a user can't have this name; null where they can. Also a right that somebody has on a database of
 * this name before there is one: it would be his at once.
 */
export async function whyNameTaken(connection: DatabaseConnection, name: string): Promise<string | null> {
  const [database] = await connection.query<{ name: string }>(
    'SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA WHERE LOWER(SCHEMA_NAME) = LOWER(?)',
    [name],
  );
  if (database !== undefined) return `there is a database ${database.name}`;
  const grants = await connection.query<{ grantee: string }>(
    `SELECT GRANTEE AS grantee FROM information_schema.SCHEMA_PRIVILEGES
       WHERE CONVERT(? USING utf8mb3) LIKE TABLE_SCHEMA COLLATE utf8mb3_general_ci
     UNION SELECT GRANTEE FROM information_schema.TABLE_PRIVILEGES WHERE LOWER(TABLE_SCHEMA) = LOWER(?) LIMIT 1`,
    [name, name],
  );
  if (grants[0] !== undefined) return `${grants[0].grantee} would have rights on a database of that name`;
  const { accounts } = await readTies(connection, name, name);
  return accounts.length > 0 ? `there is a user ${name}` : null;
}

/** Where a user's accounts come from, and what they must show; the hosts are empty where they can't be seen. */
export async function readLoginRules(
  connection: DatabaseConnection,
  database: string,
  user: string,
): Promise<Pick<SiteDatabaseWish, 'hosts' | 'requires'>> {
  const { accounts } = await readTies(connection, database, user);
  const rules = await Promise.all(
    accounts.map(async (account) => {
      const [row] = await connection.query<Record<string, string>>(`SHOW CREATE USER ${quoteAccount(account)}`);
      return / REQUIRE (SSL|X509)\b/.exec(Object.values(row ?? {})[0] ?? '')?.[1] ?? null;
    }),
  );
  const requires = rules.includes('X509') ? 'X509' : rules.includes('SSL') ? 'SSL' : null;
  return { hosts: accounts.map(({ host }) => host), requires };
}

function markOf(task: string): string {
  return `made by salvor task ${task}`;
}
