/**
 * Holds a loaded database against what its dump's manifest says of it.
 */
import { SalvorError } from '../../errors.ts';
import { type DatabaseConnection, type DatabaseLogin, openConnection, serverErrorNumber } from './connect.ts';
import { inSessions } from './in-sessions.ts';
import { countRows, type DatabaseProblem, readTables, type TableFacts } from './probe.ts';

export type ExpectedTable = { readonly table: string; readonly rows: number };

/**
 * What differs: a table that is missing, one that is there besides, one with another number of rows (counted, not
 * estimated). Empty where all is as expected. Throws as a statement does.
 */
export async function compareTables(
  admin: DatabaseLogin,
  database: string,
  expected: readonly ExpectedTable[],
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<readonly DatabaseProblem[]> {
  await using connection = await openConnection(admin, options);
  const found = new Map((await readTables(connection, database)).map((table) => [table.name, table]));
  const problems = new Map<string, DatabaseProblem>();
  await inSessions(expected, { admin, ...options }, async (session, { table, rows }) => {
    const facts = found.get(table);
    const counted = facts === undefined ? null : await countOrNull(session, database, facts);
    if (counted === rows) return;
    problems.set(table, nameDifference(table, { rows, counted, isThere: facts !== undefined }));
  });
  const known = new Set(expected.map(({ table }) => table));
  const unexpected = [...found.keys()].filter((table) => !known.has(table));
  return [
    ...expected.flatMap(({ table }) => problems.get(table) ?? []),
    ...unexpected.map((table) => ({
      code: 'table-unexpected' as const,
      name: table,
      message: `${table} is not in the manifest`,
    })),
  ];
}

function nameDifference(
  table: string,
  { rows, counted, isThere }: { readonly rows: number; readonly counted: number | null; readonly isThere: boolean },
): DatabaseProblem {
  if (!isThere) return { code: 'table-missing', name: table, message: `${table} is missing` };
  if (counted === null) return { code: 'table-unreadable', name: table, message: `${table} cannot be read` };
  return { code: 'rows-differ', name: table, message: `${table} has ${counted} rows and should have ${rows}` };
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
