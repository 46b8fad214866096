/**
 * Writes views whose definer is no user any more. The dump tool cannot: the server refuses to tell it their columns, or
 * shows the view with the name of its database in front of each column, which means nothing anywhere else. In the tool's
 * own form, so that all that reads a dump finds them as it finds the others.
 */
import { type DatabaseConnection, quoteName } from './connect.ts';

const DEFINITION = /^CREATE (ALGORITHM=\w+) (DEFINER=.*?) (SQL SECURITY \w+) (VIEW [^]*)$/;

/** What makes `view` again in any database, or null where the tool can write it. */
export async function writeOrphanedView(
  connection: DatabaseConnection,
  database: string,
  view: string,
): Promise<Buffer | null> {
  const name = quoteName(view);
  const [row] = await connection.query<{ 'Create View': string; collation_connection: string }>(
    `SHOW CREATE VIEW ${name}`,
  );
  const [, algorithm, definer, security, body] = DEFINITION.exec(row?.['Create View'] ?? '') ?? [];
  if (body === undefined) return null;
  const here = withoutDatabase(body, database);
  if (here === body) return null;
  return Buffer.from(`
--
-- Final view structure for view ${name.replaceAll('\n', '\n-- ')}
--

/*!50001 DROP VIEW IF EXISTS ${name}*/;
/*!50001 SET @saved_col_connection     = @@collation_connection */;
/*!50001 SET collation_connection      = ${row?.collation_connection ?? ''} */;
/*!50001 CREATE ${algorithm} */
/*!50013 ${definer} ${security} */
/*!50001 ${here} */;
/*!50001 SET collation_connection      = @saved_col_connection */;
`);
}

/** The same statement with no database named where it is this one; texts and other names stay. */
export function withoutDatabase(statement: string, database: string): string {
  const name = '`(?:[^`]|``)*`';
  const own = quoteName(database).replaceAll(/[$()*+.?[\\\]^{|}]/g, '\\$&');
  const token = new RegExp(`'(?:[^'\\\\]|\\\\.|'')*'|${own}\\.(${name})|${name}`, 'gs');
  return statement.replace(token, (whole: string, named: string | undefined) => named ?? whole);
}
