import { type DatabaseConnection, quoteName } from '../databases/mariadb/connect.ts';

/** Of the site's tables those that a pattern names: without the site's prefix, `*` standing for any letters. */
export function findNamedTables(
  tables: readonly string[],
  prefix: string,
  patterns: readonly string[],
): readonly string[] {
  const wanted = patterns.map(
    (pattern) =>
      new RegExp(
        `^${pattern
          .split('*')
          .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`))
          .join('.*')}$`,
        's',
      ),
  );
  return tables.filter(
    (table) => table.startsWith(prefix) && wanted.some((pattern) => pattern.test(table.slice(prefix.length))),
  );
}

/** Takes the rows out of tables that nobody uses yet. */
export async function emptyTables(
  connection: DatabaseConnection,
  database: string,
  tables: readonly string[],
): Promise<void> {
  if (tables.length === 0) return;
  // Else a table that another one refers to is refused, and a delete by rows would take that one's along.
  await connection.execute('SET SESSION foreign_key_checks = 0');
  for (const table of tables) await connection.execute(`TRUNCATE TABLE ${quoteName(database, table)}`);
  await connection.execute('SET SESSION foreign_key_checks = 1');
}
