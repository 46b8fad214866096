import type { Problem } from '@salvor/contract';
import type { DatabaseConnection } from '../databases/mariadb/connect.ts';
import type { SiteDatabase } from '../sites/site.ts';

/** More names than a person reads. */
const MAX_NAMED = 10;

/**
 * Who else on the server reaches into a database by the names of its tables: users with rights there, and views of other
 * databases. They go on to, and see what is restored. Asked as the administrator, who sees all of them.
 */
export async function findOutsiders(
  connection: DatabaseConnection,
  { name, login }: SiteDatabase,
): Promise<readonly Problem[]> {
  const users = await connection.query<{ grantee: string }>(
    // A grant's database is a pattern (`o1\\_%`), which is why LIKE has its sides this way round.
    `SELECT DISTINCT GRANTEE AS grantee FROM information_schema.SCHEMA_PRIVILEGES WHERE ? LIKE TABLE_SCHEMA
     UNION SELECT DISTINCT GRANTEE FROM information_schema.TABLE_PRIVILEGES WHERE TABLE_SCHEMA = ?`,
    [name, name],
  );
  const others = users.map(({ grantee }) => grantee).filter((grantee) => !grantee.startsWith(`'${login.user}'@`));
  const views = await connection.query<{ base: string; view: string }>(
    `SELECT TABLE_SCHEMA AS base, TABLE_NAME AS view FROM information_schema.VIEWS
     WHERE TABLE_SCHEMA <> ? AND LOCATE(CONCAT('\`', ?, '\`.'), VIEW_DEFINITION) > 0`,
    [name, name],
  );
  return [
    ...nameAll('grant-from-outside', name, others, 'has rights on it too and will see what is restored'),
    ...nameAll(
      'view-from-outside',
      name,
      views.map(({ base, view }) => `${base}.${view}`),
      'reads from it and will read what is restored',
    ),
  ];
}

function nameAll(code: string, path: string, names: readonly string[], what: string): Problem[] {
  if (names.length === 0) return [];
  const more = names.length > MAX_NAMED ? ` and ${names.length - MAX_NAMED} more` : '';
  return [{ code, path, message: `${names.slice(0, MAX_NAMED).join(', ')}${more} ${what}` }];
}
