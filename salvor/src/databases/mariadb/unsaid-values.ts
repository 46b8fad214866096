/**
 * Values of lists that no dump can hold. The server says definitions in characters of up to three bytes: where a member of an
 * ENUM or SET has one of four, the definition has a `?` in its place, and a row of that value comes back empty.
 */
import { type DatabaseConnection, quoteName } from './connect.ts';
import type { DatabaseFacts, DatabaseProblem } from './probe.ts';

const SUSPECTS = `SELECT TABLE_NAME AS name, COLUMN_NAME AS col FROM information_schema.COLUMNS
  WHERE TABLE_SCHEMA = ? AND DATA_TYPE IN ('enum', 'set') AND CHARACTER_SET_NAME IN ('utf8mb4', 'utf16', 'utf16le', 'utf32') AND COLUMN_TYPE LIKE '%?%'`;

/** A problem for each column of these tables in which a row has such a value: a `?` may as well be one. */
export async function findUnsaidValues(
  connection: DatabaseConnection,
  { name: database, tables }: DatabaseFacts,
): Promise<DatabaseProblem[]> {
  const problems: DatabaseProblem[] = [];
  const own = new Set(tables.map((table) => table.name));
  const suspects = await connection.query<{ name: string; col: string }>(SUSPECTS, [database]);
  for (const { name, col } of suspects.filter((suspect) => own.has(suspect.name))) {
    const value = `CONVERT(${quoteName(col)} USING utf8mb4)`;
    const found = await connection.query(
      `SELECT 1 AS found FROM ${quoteName(database, name)} WHERE ${value} RLIKE '[\\\\x{10000}-\\\\x{10FFFF}]' LIMIT 1`,
    );
    if (found.length === 0) continue;
    const message = `${name}.${col} has values of its list with characters of four bytes, which the server does not say: rows that have one come back empty`;
    problems.push({ code: 'values-not-held', name, message });
  }
  return problems;
}
