/** What users other than the site's are granted on its routines: the server forgets it when it drops one. */
import { type DatabaseConnection, quoteAccount, quoteName } from './connect.ts';
import type { DatabaseObject } from './objects.ts';

/** `GRANT <rights> … TO <grantee>`, quoted. */
export type RoutineGrant = { readonly grantee: string; readonly rights: string; readonly mayGrant: boolean };

/** The same objects, routines with their grants, which the administrator alone can read. */
export async function addGrants(
  connection: DatabaseConnection,
  database: string,
  objects: readonly DatabaseObject[],
): Promise<readonly DatabaseObject[]> {
  const rows = await connection.query<{ user: string; host: string; name: string; type: string; rights: string }>(
    `SELECT User AS user, Host AS host, Routine_name AS name, Routine_type AS type, Proc_priv AS rights
     FROM mysql.procs_priv WHERE Db = ?`,
    [database],
  );
  if (rows.length === 0) return objects;
  return objects.map((object) => {
    // Names of routines have no case.
    const isOf = (row: (typeof rows)[number]): boolean =>
      row.type === object.type && row.name.toLowerCase() === object.name.toLowerCase();
    const own = object.kind === 'routine' ? rows.filter(isOf) : [];
    return own.length === 0 ? object : { ...object, grants: own.map(grantOf) };
  });
}

function grantOf(row: { readonly user: string; readonly host: string; readonly rights: string }): RoutineGrant {
  const rights = row.rights.split(',').filter((right) => right !== '');
  return {
    // A role has no host.
    grantee: row.host === '' ? quoteName(row.user) : quoteAccount(row),
    rights: rights.filter((right) => right !== 'Grant').join(', ') || 'USAGE',
    mayGrant: rights.includes('Grant'),
  };
}
