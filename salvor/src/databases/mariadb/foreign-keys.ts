/** Reads foreign keys as InnoDB has them: also those whose parent is missing, which no other list of the server shows. */
import type { DatabaseConnection } from './connect.ts';
import type { ForeignKey } from './plan-swap.ts';

/**
 * Foreign keys in which one of the databases takes part, on either side. From InnoDB's own list: information_schema's
 * would open every table of the server. Its names are written as file names are.
 */
export async function readForeignKeys(
  connection: DatabaseConnection,
  databases: readonly string[],
): Promise<ForeignKey[]> {
  const rows = await connection.query<{ id: string; base: string; name: string; ref_base: string; ref_name: string }>(
    `SELECT * FROM (SELECT ID AS id, ${decode('FOR_NAME', 1)} AS base, ${decode('FOR_NAME', -1)} AS name,
        ${decode('REF_NAME', 1)} AS ref_base, ${decode('REF_NAME', -1)} AS ref_name
      FROM information_schema.INNODB_SYS_FOREIGN) AS k WHERE base IN (?) OR ref_base IN (?)`,
    [databases, databases],
  );
  return rows.map((row) => ({
    name: row.id.slice(row.id.indexOf('/') + 1),
    database: row.base,
    table: row.name,
    refersToDatabase: row.ref_base,
    refersToTable: row.ref_name,
  }));
}

/** A column that the keys of a database want in a missing parent. */
export type WantedColumn = {
  readonly key: string;
  readonly name: string;
  /** As the child has it, which is how the server wants it: `int(10) unsigned`, `varchar(9) CHARACTER SET …`. */
  readonly type: string;
};

/** What the keys of `database` that refer to `parent` in it want there, key by key and in order. */
export async function readWantedColumns(
  connection: DatabaseConnection,
  database: string,
  parent: string,
): Promise<readonly WantedColumn[]> {
  const columns = await connection.query<{ id: string; child: string; name: string; of_child: string }>(
    `SELECT k.id, k.child, c.REF_COL_NAME AS name, c.FOR_COL_NAME AS of_child
     FROM (SELECT ID AS id, ${decode('FOR_NAME', 1)} AS base, ${decode('FOR_NAME', -1)} AS child,
        ${decode('REF_NAME', 1)} AS ref_base, ${decode('REF_NAME', -1)} AS ref_name
      FROM information_schema.INNODB_SYS_FOREIGN) AS k
     JOIN information_schema.INNODB_SYS_FOREIGN_COLS c ON c.ID = k.id
     WHERE k.base = ? AND k.ref_base = ? AND k.ref_name = ? ORDER BY k.id, c.POS`,
    [database, database, parent],
  );
  const wanted: WantedColumn[] = [];
  for (const { id, child, name, of_child } of columns) {
    const [found] = await connection.query<{ type: string; charset: string | null; collation: string | null }>(
      `SELECT COLUMN_TYPE AS type, CHARACTER_SET_NAME AS charset, COLLATION_NAME AS collation
       FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? AND COLUMN_NAME = ?`,
      [database, child, of_child],
    );
    if (found === undefined) continue;
    const { type, charset, collation } = found;
    const text = charset === null || collation === null ? '' : ` CHARACTER SET ${charset} COLLATE ${collation}`;
    wanted.push({ key: id, name, type: `${type}${text}` });
  }
  return wanted;
}

function decode(column: string, half: 1 | -1): string {
  return `CONVERT(CONVERT(CAST(SUBSTRING_INDEX(${column}, '/', ${half}) AS BINARY) USING filename) USING utf8mb4)`;
}
