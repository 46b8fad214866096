/**
 * Stand-ins for the parents of foreign keys that refer to nothing: somebody dropped a parent with the checks off.
 *
 * The server keeps such a key by its parent's name. Alone in another database the child would go on to refer to the live
 * one, and would hold the parent that comes (tried: MariaDB 10.11.19): the site could not delete from it any more. So an
 * empty table of that name leaves with the child, and takes its place again when the child comes back; then it is
 * dropped with the checks off, which leaves the child as it was found: referring to nothing.
 */
import { type DatabaseConnection, quoteName, quoteText, serverErrorNumber } from './connect.ts';
import { readWantedColumns } from './foreign-keys.ts';
import { isServersTrouble } from './objects.ts';
import type { DatabaseProblem } from './probe.ts';

/** Names of missing parents on either side of a switch; a name may be in both. */
export type SwapStubs = {
  /** Of children that leave: goes with them. */
  readonly leaving: readonly string[];
  /** Of children that come: comes with them, and is dropped. */
  readonly coming: readonly string[];
};

export const NO_STUBS: SwapStubs = { leaving: [], coming: [] };

/** What tells one from a table with content: only what bears this is ever dropped. */
const MARK = 'salvor: stands for a table that is missing';

/**
 * Makes those that are not there yet in `place`, for the keys of the children in `of`. The server takes a table as a
 * parent only with columns and an index that fit, also with the checks off: each has those that its keys want, no more.
 */
export async function createStubs(
  connection: DatabaseConnection,
  { place, of }: { readonly place: string; readonly of: string },
  tables: readonly string[],
): Promise<void> {
  for (const table of tables) {
    const wanted = await readWantedColumns(connection, of, table);
    const columns = new Map(wanted.map(({ name, type }) => [name.toLowerCase(), `${quoteName(name)} ${type}`]));
    const indexes = Map.groupBy(wanted, ({ key }) => key)
      .values()
      .map((key) => `INDEX (${key.map(({ name }) => quoteName(name)).join(', ')})`);
    const body = [...columns.values(), ...new Set(indexes)].join(', ');
    await connection.execute(
      `CREATE TABLE IF NOT EXISTS ${quoteName(place, table)} (${body || 'i INT'}) ENGINE=InnoDB COMMENT=${quoteText(MARK)}`,
    );
  }
}

/** Drops stand-ins, and no table that is none. Idempotent. One that can't be dropped is named. */
export async function dropStubs(
  connection: DatabaseConnection,
  database: string,
  tables: readonly string[],
): Promise<readonly DatabaseProblem[]> {
  const standing = await findStubsIn(connection, [database], tables);
  await connection.execute('SET SESSION foreign_key_checks = 0');
  const problems: DatabaseProblem[] = [];
  for (const { name } of standing) {
    try {
      await connection.execute(`DROP TABLE IF EXISTS ${quoteName(database, name)}`);
    } catch (error) {
      if (isServersTrouble(serverErrorNumber(error))) throw error;
      const words = error instanceof Error ? error.message : '';
      const message = `the empty table ${name}, which stands for one that was missing, was not dropped: ${words}`;
      problems.push({ code: 'stub-not-dropped', name, message });
    }
  }
  return problems;
}

/**
 * Takes stand-ins back out of `place`, where they were made for children in `live`. A rename that the server has rolled
 * back, as it does when it is killed in it, leaves the children tied to the stand-in in `place`: it is dropped in `live`,
 * which leaves them as they were found. A crash in between leaves it in `live`, where it is dropped the next time.
 */
export async function withdrawStubs(
  connection: DatabaseConnection,
  { place, live }: { readonly place: string; readonly live: string },
  tables: readonly string[],
): Promise<readonly DatabaseProblem[]> {
  const left = await dropStubs(connection, live, tables);
  const standing = await findStubsIn(connection, [place], tables);
  for (const { name } of standing)
    await connection.execute(`RENAME TABLE ${quoteName(place, name)} TO ${quoteName(live, name)}`);
  return [...left, ...(await dropStubs(connection, live, tables))];
}

/** Which of these names are stand-ins, in any of the databases. */
export async function findStubsIn(
  connection: DatabaseConnection,
  databases: readonly string[],
  tables: readonly string[],
): Promise<readonly { readonly base: string; readonly name: string }[]> {
  if (tables.length === 0) return [];
  return await connection.query<{ base: string; name: string }>(
    `SELECT TABLE_SCHEMA AS base, TABLE_NAME AS name FROM information_schema.TABLES
     WHERE TABLE_SCHEMA IN (?) AND TABLE_NAME IN (?) AND TABLE_COMMENT = ?`,
    [databases, tables, MARK],
  );
}
