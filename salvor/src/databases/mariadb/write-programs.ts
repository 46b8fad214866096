/**
 * Writes routines and events of a database whose name the dump tool gets wrong: for these two it puts a backslash in front
 * of what it takes for special, and then finds no such database (seen in 10.11.19). In the tool's own form, so that all
 * that reads a dump finds them as it finds the others.
 */
import { SalvorError } from '../../errors.ts';
import { type DatabaseConnection, quoteText } from './connect.ts';
import { type DatabaseObject, readPrograms } from './objects.ts';

/** What the tool escapes. */
const ESCAPED = /['"\\\0\n\r\x1a]/;

export function isMistaken(database: string): boolean {
  return ESCAPED.test(database);
}

/** Throws 'dump-failed' where the server does not show how one was made: the tool fails then too. */
export async function* writePrograms(
  connection: DatabaseConnection,
  database: string,
  { withEvents }: { readonly withEvents: boolean },
): AsyncGenerator<Uint8Array> {
  let programs: readonly DatabaseObject[];
  try {
    programs = await readPrograms(connection, database);
  } catch (error) {
    if (!(error instanceof SalvorError) || error.code !== 'swap-obstructed') throw error;
    throw new SalvorError('dump-failed', { database, words: String(error.context['why']) }, { cause: error });
  }
  const wanted = programs.filter(({ kind }) => kind === 'routine' || withEvents);
  if (wanted.length === 0) return;
  yield Buffer.from('\nSET NAMES utf8mb4;\nSET @saved_sql_mode = @@sql_mode, @saved_time_zone = @@time_zone;\n');
  for (const program of wanted) yield Buffer.from(writeProgram(program));
  yield Buffer.from('SET sql_mode = @saved_sql_mode, time_zone = @saved_time_zone;\n');
}

function writeProgram({ kind, definer, body, session }: DatabaseObject): string {
  const { sqlMode, collation, timeZone } = session;
  const zone = timeZone === '' ? '' : `, time_zone = ${quoteText(timeZone)}`;
  const end = ['$$', ';;', '//', '$salvor$'].find((text) => !body.includes(text)) ?? '$salvor-end$';
  const create =
    kind === 'event'
      ? `/*!50106 CREATE*/ /*!50117 DEFINER=${definer}*/ /*!50106 ${body} */`
      : `CREATE DEFINER=${definer} ${body}`;
  return `SET sql_mode = ${quoteText(sqlMode)}, collation_connection = ${quoteText(collation)}${zone};
DELIMITER ${end}
${create} ${end}
DELIMITER ;
`;
}
