/**
 * Columns whose default is the next value of a sequence. The server keeps the sequence with the name of its database, in
 * the table's definition, and no rename of either changes it. A dump is loaded with the sequences of its scratch database;
 * a switch says the live ones instead.
 */
import { type DatabaseConnection, quoteName, serverErrorNumber } from './connect.ts';
import { isServersTrouble } from './objects.ts';
import type { DatabaseFacts, DatabaseProblem } from './probe.ts';

/** The default of one column, as the server writes it. */
export type BoundDefault = { readonly table: string; readonly column: string; readonly expression: string };

export type SequenceName = { readonly database: string; readonly name: string };

const NAME = '`(?:[^`]|``)*`';
/** What is quoted is passed over. */
const TOKEN = new RegExp(`'(?:[^'\\\\]|\\\\.|'')*'|((?:next|last|set)val\\()(${NAME})\\.(${NAME})|${NAME}`, 'gs');

/** The sequences that an expression of the server's names. */
export function sequencesIn(expression: string): readonly SequenceName[] {
  return [...expression.matchAll(TOKEN)]
    .filter(([, call]) => call !== undefined)
    .map(([, , database = '', name = '']) => ({ database: unquote(database), name: unquote(name) }));
}

/** The same expression, or a view's statement, with the sequences of `to` where it names those of `from`. */
export function moveSequences(expression: string, from: string, to: string): string {
  return expression.replaceAll(TOKEN, (whole: string, call?: string, database?: string, name?: string) =>
    call !== undefined && database === quoteName(from) ? `${call}${quoteName(to)}.${name}` : whole,
  );
}

/** Of all tables of a database, in order. */
export async function readBoundDefaults(
  connection: DatabaseConnection,
  database: string,
): Promise<readonly BoundDefault[]> {
  const rows = await connection.query<{ base: string; name: string; expression: string }>(
    `SELECT TABLE_NAME AS base, COLUMN_NAME AS name, COLUMN_DEFAULT AS expression FROM information_schema.COLUMNS
     WHERE TABLE_SCHEMA = ? AND COLUMN_DEFAULT LIKE '%val(\`%' ORDER BY BINARY TABLE_NAME, ORDINAL_POSITION`,
    [database],
  );
  return rows
    .map(({ base, name, expression }) => ({ table: base, column: name, expression }))
    .filter(({ expression }) => sequencesIn(expression).length > 0);
}

/** Those of a site's tables that its dump cannot bring back: the sequence is another database's, another site's or gone. */
export async function nameBoundDefaults(
  connection: DatabaseConnection,
  { name: database, tables }: Pick<DatabaseFacts, 'name' | 'tables'>,
): Promise<readonly DatabaseProblem[]> {
  const own = new Set(tables.map(({ name }) => name));
  const sequences = new Set(tables.filter(({ kind }) => kind === 'sequence').map(({ name }) => name));
  return (await readBoundDefaults(connection, database)).flatMap(({ table, column, expression }) => {
    const missing = sequencesIn(expression).find((one) => one.database !== database || !sequences.has(one.name));
    if (missing === undefined || !own.has(table)) return [];
    const named = `the sequence ${missing.database}.${missing.name}`;
    const message = `the default of ${table}.${column} is taken from ${named}, which is not in this dump: a restore is refused till the default is taken away`;
    return [{ code: 'table-bound-to-database', name: table, message }];
  });
}

/**
 * Gives columns their defaults where they have not got them yet; all of a table in one statement, which changes nothing but
 * its definition. What could not be given is named. Throws as `createObjects`.
 */
export async function setBoundDefaults(
  connection: DatabaseConnection,
  database: string,
  defaults: readonly BoundDefault[],
): Promise<readonly DatabaseProblem[]> {
  if (defaults.length === 0) return [];
  const there = new Set((await readBoundDefaults(connection, database)).map(describe));
  const missing = defaults.filter((one) => !there.has(describe(one)));
  const problems: DatabaseProblem[] = [];
  // Without it no column of a table that keeps its old rows may be altered; they stay as they are.
  await connection.execute('SET SESSION system_versioning_alter_history = KEEP');
  for (const [table, columns] of Map.groupBy(missing, (one) => one.table)) {
    const changes = columns.map(
      ({ column, expression }) => `ALTER COLUMN ${quoteName(column)} SET DEFAULT (${expression})`,
    );
    try {
      await connection.execute(`ALTER TABLE ${quoteName(database, table)} ${changes.join(', ')}`);
    } catch (error) {
      if (isServersTrouble(serverErrorNumber(error))) throw error;
      const words = error instanceof Error ? error.message : '';
      const message = `the defaults of ${columns.map(({ column }) => `${table}.${column}`).join(', ')} were not set: ${words}`;
      problems.push({ code: 'default-not-set', name: table, message });
    }
  }
  return problems;
}

function describe({ table, column, expression }: BoundDefault): string {
  return JSON.stringify([table, column, expression]);
}

function unquote(name: string): string {
  return name.slice(1, -1).replaceAll('``', '`');
}
