/**
 * Which modules, themes and profiles a site runs, and which database update each had last: from the tables of its server. What
 * an archive lists of them is read out of its point (`points/read-point-modules.ts`).
 */
import {
  type DatabaseConnection,
  type DatabaseLogin,
  openConnection,
  quoteName,
  serverErrorNumber,
} from '../databases/mariadb/connect.ts';
import { type SerialisedMap, unserialisePhp } from '../lib/php-unserialise.ts';

export type InstalledModule = {
  readonly name: string;
  readonly type: 'module' | 'theme' | 'profile';
  /** Null where it has no updates that ran. */
  readonly schema: number | null;
};

/** Drupal 5 to 7 count from -1: a module that was never installed. */
const NOT_INSTALLED = -1;
const ER_NO_SUCH_TABLE = 1146;
const ER_BAD_FIELD = 1054;

/** Those that are enabled; null where the database has neither of the shapes that Drupal and Backdrop have. */
export async function readInstalledModules(
  login: DatabaseLogin,
  { name, prefix }: { readonly name: string; readonly prefix: string },
  signal?: AbortSignal,
): Promise<readonly InstalledModule[] | null> {
  await using connection = await openConnection(login, { database: name, signal });
  return (await readNew(connection, name, prefix)) ?? (await readOld(connection, name, prefix));
}

/** From Drupal 8 on: the configuration names them, and a table of keys the updates. */
async function readNew(
  connection: DatabaseConnection,
  database: string,
  prefix: string,
): Promise<readonly InstalledModule[] | null> {
  const [row] = await rowsOf<{ data: Buffer | string | null }>(
    connection,
    `SELECT data FROM ${quoteName(database, `${prefix}config`)} WHERE collection = '' AND name = 'core.extension'`,
  );
  const extension = row?.data == null ? undefined : unserialisePhp(Buffer.from(row.data));
  if (!(extension instanceof Map)) return null;
  const schemas = await rowsOf<{ name: Buffer | string; value: Buffer | string | null }>(
    connection,
    `SELECT name, value FROM ${quoteName(database, `${prefix}key_value`)} WHERE collection = 'system.schema'`,
  );
  const numbers = new Map(schemas.map(({ name, value }) => [name.toString(), schemaOf(value)]));
  const profile = extension.get('profile');
  const take = (key: string, type: 'module' | 'theme'): readonly InstalledModule[] => {
    const list = extension.get(key);
    return [...((list instanceof Map ? list : new Map()) as SerialisedMap).keys()].map((name) => ({
      name,
      type: name === profile ? 'profile' : type,
      schema: type === 'module' ? (numbers.get(name) ?? null) : null,
    }));
  };
  return [...take('module', 'module'), ...take('theme', 'theme')];
}

/** Up to Drupal 7, and Backdrop: one table. */
async function readOld(
  connection: DatabaseConnection,
  database: string,
  prefix: string,
): Promise<readonly InstalledModule[] | null> {
  const rows = await rowsOf<{
    name: Buffer | string;
    type: Buffer | string;
    schema: string | number;
    file: Buffer | string;
  }>(
    connection,
    `SELECT name, type, schema_version AS \`schema\`, filename AS file FROM ${quoteName(database, `${prefix}system`)}
     WHERE status = 1 AND type IN ('module', 'theme')`,
  );
  if (rows.length === 0) return null;
  return rows.map((row) => {
    const name = row.name.toString();
    if (row.type.toString() === 'theme') return { name, type: 'theme', schema: null };
    const type = row.file.toString().endsWith('.profile') ? 'profile' : 'module';
    return { name, type, schema: Number(row.schema) <= NOT_INSTALLED ? null : Number(row.schema) };
  });
}

/** `i:9401;`, `s:4:"8001";` */
function schemaOf(value: Buffer | string | null): number | null {
  const read = value === null ? undefined : unserialisePhp(Buffer.from(value));
  const number = typeof read === 'string' || typeof read === 'number' ? Number(read) : Number.NaN;
  return Number.isInteger(number) ? number : null;
}

/** A table or column that is not there has no rows. */
async function rowsOf<Row extends object>(connection: DatabaseConnection, sql: string): Promise<readonly Row[]> {
  try {
    return await connection.query<Row>(sql);
  } catch (error) {
    const number = serverErrorNumber(error);
    if (number === ER_NO_SUCH_TABLE || number === ER_BAD_FIELD) return [];
    throw error;
  }
}
