/**
 * Holds a loaded database against what its dump's manifest says of it.
 */
import { SalvorError } from '../../errors.ts';
import { type DatabaseConnection, serverErrorNumber } from './connect.ts';
import { countRows, type DatabaseProblem, readTables, type TableFacts } from './probe.ts';

export type ExpectedTable = { readonly table: string; readonly rows: number };

/**
 * What differs: a table that is missing, one that is there besides, one with another number of rows (counted, not
 * estimated). Empty where all is as expected. Throws as a statement does.
 */
export async function compareTables(
  connection: DatabaseConnection,
  database: string,
  expected: readonly ExpectedTable[],
): Promise<readonly DatabaseProblem[]> {
  const problems: DatabaseProblem[] = [];
  const found = new Map((await readTables(connection, database)).map((table) => [table.name, table]));
  for (const { table, rows } of expected) {
    const facts = found.get(table);
    found.delete(table);
    if (facts === undefined) {
      problems.push({ code: 'table-missing', name: table, message: `${table} is missing` });
      continue;
    }
    const counted = await countOrNull(connection, database, facts);
    if (counted === rows) continue;
    const message =
      counted === null ? `${table} cannot be read` : `${table} has ${counted} rows and should have ${rows}`;
    problems.push({ code: counted === null ? 'table-unreadable' : 'rows-differ', name: table, message });
  }
  for (const table of found.keys()) {
    problems.push({ code: 'table-unexpected', name: table, message: `${table} is not in the manifest` });
  }
  return problems;
}

async function countOrNull(
  connection: DatabaseConnection,
  database: string,
  table: TableFacts,
): Promise<number | null> {
  try {
    return await countRows(connection, database, table.name, table);
  } catch (error) {
    // A damaged table is a finding; a lost server is none.
    if (error instanceof SalvorError && serverErrorNumber(error) !== null && error.code === 'database-failed')
      return null;
    throw error;
  }
}
