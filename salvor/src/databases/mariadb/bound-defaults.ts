import { type DatabaseConnection, quoteName } from './connect.ts';
import type { DatabaseProblem } from './probe.ts';

/**
 * Tables with a column whose default is the next value of a sequence. The server keeps the sequence with the name of its
 * database: a load elsewhere would count up the live one, and is refused.
 */
export async function nameBoundDefaults(
  connection: DatabaseConnection,
  database: string,
): Promise<readonly DatabaseProblem[]> {
  const columns = await connection.query<{ name: string; column_name: string }>(
    `SELECT TABLE_NAME AS name, COLUMN_NAME AS column_name FROM information_schema.COLUMNS
     WHERE TABLE_SCHEMA = ? AND LOCATE(?, COLUMN_DEFAULT) > 0 ORDER BY BINARY TABLE_NAME, ORDINAL_POSITION`,
    [database, `nextval(${quoteName(database)}.`],
  );
  return columns.map(({ name, column_name: column }) => ({
    code: 'table-bound-to-database',
    name,
    message: `the default of ${name}.${column} is the next value of a sequence of this very database: a restore is refused till the default is taken away`,
  }));
}
