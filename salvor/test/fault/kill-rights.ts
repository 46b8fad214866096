/** What each user of the server may do, and where: all of its tables of rights, as the server itself keeps them. */
import type { DemoHost, DemoSite } from '../../../demo/host.ts';

/** One line for each right: `table user@host database object: what`. */
export type ObservedRights = ReadonlyMap<string, string>;

/** Who gave a right and when is not the right. A user's password is in `global_priv`. */
const TABLES = {
  global_priv: ["''", "''", 'Priv'],
  db: [
    'Db',
    "''",
    "CONCAT_WS(',', Select_priv, Insert_priv, Update_priv, Delete_priv, Create_priv, Drop_priv, Grant_priv, References_priv, Index_priv, Alter_priv, Create_tmp_table_priv, Lock_tables_priv, Create_view_priv, Show_view_priv, Create_routine_priv, Alter_routine_priv, Execute_priv, Event_priv, Trigger_priv, Delete_history_priv)",
  ],
  tables_priv: ['Db', 'Table_name', "CONCAT(Table_priv, ' ', Column_priv)"],
  columns_priv: ['Db', "CONCAT(Table_name, '.', Column_name)", 'Column_priv'],
  procs_priv: ['Db', "CONCAT(Routine_type, ' ', Routine_name)", 'Proc_priv'],
  proxies_priv: ["''", "CONCAT(Proxied_user, '@', Proxied_host)", 'With_grant'],
  roles_mapping: ["''", 'Role', 'Admin_option'],
} as const;

/** Of the databases that `isOf` names; a user's own password and roles are of no database, which is the empty name. */
export async function observeRights(
  host: DemoHost,
  isOf: (database: string, user: string) => boolean,
): Promise<ObservedRights> {
  const seen = new Map<string, string>();
  for (const [table, [database, object, right]] of Object.entries(TABLES)) {
    const rows = await host.mariadb.query(
      `SELECT User, Host, ${database}, ${object}, REPLACE(${right}, '\\n', ' ') FROM mysql.${table} ORDER BY 1, 2, 3, 4`,
    );
    for (const row of rows.split('\n').filter((line) => line !== '')) {
      const [user = '', from = '', name = '', what = '', may = ''] = row.split('\t');
      if (isOf(name, user)) seen.set(`${table} ${user}@${from} ${name} ${what}`, may);
    }
  }
  return seen;
}

/** Rights to a table, to columns and to programs, of each Drupal's own user; and of others, and through a role, in the database of `read`. */
export async function giveRights(host: DemoHost, read: DemoSite): Promise<void> {
  for (const { database, user, cms } of host.sites) {
    if (cms !== 'drupal') continue;
    await host.mariadb.query(
      `GRANT SELECT (title) ON \`${database}\`.node_field_data TO ${user}@localhost;
       GRANT DELETE ON \`${database}\`.watchdog TO ${user}@localhost;
       GRANT EXECUTE ON FUNCTION \`${database}\`.harbour_label TO ${user}@localhost;`,
    );
  }
  await host.mariadb.query(
    `CREATE USER reader@localhost IDENTIFIED BY 'of nobody'; CREATE ROLE readers; GRANT readers TO reader@localhost;
     USE \`${read.database}\`; GRANT SELECT ON node TO reader@localhost; GRANT SELECT ON watchdog TO readers;
     GRANT SELECT (uid, name), UPDATE (name) ON users_field_data TO reader@localhost;
     GRANT EXECUTE ON FUNCTION harbour_label TO reader@localhost; GRANT EXECUTE ON PROCEDURE forget_old_log TO readers;`,
  );
}
