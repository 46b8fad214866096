/**
 * What is in a database: the facts that dumps, plans, `salvor sites` and the manifest stand on. Reads only.
 */
import { accessSync, constants } from 'node:fs';
import { type DatabaseConnection, type DatabaseLogin, openConnection, quoteName, readAccount } from './connect.ts';
import { judgeServer } from './judge-server.ts';
import { isOwnName, isUnclaimedName, type NamePrefixes } from './own-names.ts';
import type { KeyColumns } from './row-key.ts';

/** What holds rows. A sequence is a table of one row to the server, and moves like one. */
export type TableFacts = {
  readonly name: string;
  readonly kind: 'table' | 'sequence';
  /** `InnoDB`, `MyISAM`, …; empty where the server cannot open the table. */
  readonly engine: string;
  /** Estimates of the server. */
  readonly approximateRows: number;
  readonly approximateBytes: number;
  /** Without its indexes. */
  readonly approximateDataBytes: number;
  readonly hasPrimaryKey: boolean;
  /** Written to in transactions: only such a table is of the same instant as the others in a dump. */
  readonly isTransactional: boolean;
  /** Keeps its old rows, which a dump may have to leave out (`dump-history.ts`). */
  readonly isVersioned: boolean;
  /** The server moves it partition by partition, and does not mend that when it is killed in between. */
  readonly isPartitioned: boolean;
};

export type DatabaseFacts = {
  readonly name: string;
  readonly serverVersion: string;
  readonly charset: string;
  readonly collation: string;
  readonly tables: readonly TableFacts[];
  readonly views: readonly string[];
  readonly triggers: readonly string[];
  /** `PROCEDURE name` and the like. */
  readonly routines: readonly string[];
  readonly events: readonly string[];
  /** Tables and views that are not the site's, where it shares the database. */
  readonly others: readonly string[];
  readonly problems: readonly DatabaseProblem[];
};

/** A fact that does not stop an operation, and that nobody may learn too late. */
export type DatabaseProblem = { readonly code: string; readonly name: string; readonly message: string };

export type TableChecksum = { readonly table: string; readonly checksum: string | null };

/**
 * Reads what `login` sees of the database; with `names`, of what is the site's in it. Throws as `openConnection`, and 'database-missing'.
 */
export async function probeDatabase(
  login: DatabaseLogin,
  name: string,
  options: { readonly signal?: AbortSignal; readonly names?: NamePrefixes | undefined } = {},
): Promise<DatabaseFacts> {
  await using connection = await openConnection(login, { database: name, signal: options.signal });
  const [schema] = await connection.query<{ version: string; comment: string; charset: string; collation: string }>(
    'SELECT VERSION() AS version, @@version_comment AS comment, @@character_set_database AS charset, @@collation_database AS collation',
  );
  const { names } = options;
  const isOwn = (named: string): boolean => names === undefined || isOwnName(named, names);
  const all = await readTables(connection, name);
  const tables = all.filter((table) => isOwn(table.name));
  const views = await readNames(connection, VIEWS, name);
  const triggers = await connection.query<{ name: string; base: string }>(TRIGGERS, [name]);
  const routines = await connection.query<{ type: string; name: string }>(ROUTINES, [name]);
  return {
    name,
    serverVersion: schema?.version ?? '',
    charset: schema?.charset ?? '',
    collation: schema?.collation ?? '',
    tables,
    views: views.filter(isOwn),
    triggers: triggers.filter(({ base }) => isOwn(base)).map((trigger) => trigger.name),
    routines: routines.filter((routine) => isOwn(routine.name)).map((routine) => `${routine.type} ${routine.name}`),
    events: (await readNames(connection, EVENTS, name)).filter(isOwn),
    others: [...all.map((table) => table.name), ...views].filter((named) => !isOwn(named)),
    problems: [
      ...nameUntested(schema),
      ...nameInconsistent(tables),
      ...nameUnclaimed(all, names),
      ...(await findBlindSpots(connection, name)),
    ],
  };
}

const VIEWS = 'SELECT TABLE_NAME AS name FROM information_schema.VIEWS WHERE TABLE_SCHEMA = ?';
const TRIGGERS =
  'SELECT TRIGGER_NAME AS name, EVENT_OBJECT_TABLE AS base FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = ? ORDER BY 1';
const ROUTINES =
  'SELECT ROUTINE_TYPE AS type, ROUTINE_NAME AS name FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = ? ORDER BY 1, 2';
const EVENTS = 'SELECT EVENT_NAME AS name FROM information_schema.EVENTS WHERE EVENT_SCHEMA = ?';

/** Every table and sequence of a database, in the order of their names' bytes. */
export async function readTables(connection: DatabaseConnection, database: string): Promise<readonly TableFacts[]> {
  type Row = {
    name: string;
    type: string;
    engine: string | null;
    row_count: string;
    bytes: string;
    data_bytes: string;
    transactional: string | null;
    options: string | null;
  };
  const rows = await connection.query<Row>(
    `SELECT t.TABLE_NAME AS name, t.TABLE_TYPE AS type, t.ENGINE AS engine, COALESCE(t.TABLE_ROWS, 0) AS row_count,
            COALESCE(t.DATA_LENGTH + t.INDEX_LENGTH, 0) AS bytes, COALESCE(t.DATA_LENGTH, 0) AS data_bytes, e.TRANSACTIONS AS transactional, t.CREATE_OPTIONS AS options
     FROM information_schema.TABLES t LEFT JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE
     WHERE t.TABLE_SCHEMA = ? AND t.TABLE_TYPE NOT IN ('VIEW', 'SYSTEM VIEW')`,
    [database],
  );
  // A query of its own: within the other one the server would open every table once for each table.
  const keys = await connection.query<{ name: string }>(
    "SELECT DISTINCT TABLE_NAME AS name FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = ? AND INDEX_NAME = 'PRIMARY'",
    [database],
  );
  const keyed = new Set(keys.map((key) => key.name));
  return rows
    .map((row) => ({
      name: row.name,
      kind: row.type === 'SEQUENCE' ? ('sequence' as const) : ('table' as const),
      engine: row.engine ?? '',
      approximateRows: Number(row.row_count),
      approximateBytes: Number(row.bytes),
      approximateDataBytes: Number(row.data_bytes),
      hasPrimaryKey: keyed.has(row.name),
      isTransactional: row.transactional === 'YES',
      isVersioned: row.type === 'SYSTEM VERSIONED',
      isPartitioned: row.options?.includes('partitioned') === true,
    }))
    .toSorted((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
}

/** Of every table its columns in order and those of its primary key. */
export async function readKeyColumns(
  connection: DatabaseConnection,
  database: string,
): Promise<ReadonlyMap<string, KeyColumns>> {
  const columns = await connection.query<{ base: string; name: string }>(
    'SELECT TABLE_NAME AS base, COLUMN_NAME AS name FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? ORDER BY ORDINAL_POSITION',
    [database],
  );
  const keys = await connection.query<{ base: string; name: string }>(
    "SELECT TABLE_NAME AS base, COLUMN_NAME AS name FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = ? AND INDEX_NAME = 'PRIMARY'",
    [database],
  );
  const keysOf = Map.groupBy(keys, ({ base }) => base);
  return new Map(
    Map.groupBy(columns, ({ base }) => base)
      .entries()
      .map(([table, own]) => [
        table,
        { columns: own.map(({ name }) => name), key: (keysOf.get(table) ?? []).map(({ name }) => name) },
      ]),
  );
}

/** `CHECKSUM TABLE` of each table; null where a table is missing or cannot be summed. Reads all rows. */
export async function checksumTables(
  connection: DatabaseConnection,
  database: string,
  tables: readonly string[],
): Promise<readonly TableChecksum[]> {
  const sums: TableChecksum[] = [];
  for (const table of tables) {
    const name = quoteName(database, table);
    const [sum] = await connection.query<{ Checksum: string | number | null }>(`CHECKSUM TABLE ${name} EXTENDED`);
    const checksum = sum?.Checksum ?? null;
    sums.push({ table, checksum: checksum === null ? null : String(checksum) });
  }
  return sums;
}

/** How many rows a table has, counted, old ones too where it keeps them. */
export async function countRows(
  connection: DatabaseConnection,
  database: string,
  table: string,
  { isVersioned }: Pick<TableFacts, 'isVersioned'>,
): Promise<number> {
  const [row] = await connection.query<{ rows_found: string | number }>(
    `SELECT COUNT(*) AS rows_found FROM ${quoteName(database, table)}${isVersioned ? ' FOR SYSTEM_TIME ALL' : ''}`,
  );
  return Number(row?.rows_found ?? 0);
}

/** Where a server of this machine keeps its data; null for one of another machine, or where we may not look. */
export async function readDataDirectory(connection: DatabaseConnection): Promise<string | null> {
  if (!('socket' in connection.login.address)) return null;
  const [row] = await connection.query<{ directory: string }>('SELECT @@GLOBAL.datadir AS directory');
  const directory = row?.directory ?? '';
  try {
    // A server in a container has its own idea of paths.
    accessSync(directory, constants.R_OK);
    return directory;
  } catch {
    return null;
  }
}

async function readNames(connection: DatabaseConnection, sql: string, database: string): Promise<readonly string[]> {
  const rows = await connection.query<{ name: string }>(sql, [database]);
  return rows.map((row) => row.name).toSorted();
}

function nameUntested(schema: { readonly version: string; readonly comment: string } | undefined): DatabaseProblem[] {
  const { isWritable, name } = judgeServer(schema ?? { version: '', comment: '' });
  if (isWritable) return [];
  const message = `${name} was never tested with this version: its databases are dumped and not restored there`;
  return [{ code: 'server-untested', name: 'the server', message }];
}

/** More names than a person reads. */
const MAX_NAMED = 10;

/** What begins with no site's prefix is in no site's dump. */
function nameUnclaimed(tables: readonly TableFacts[], names: NamePrefixes | undefined): DatabaseProblem[] {
  const unclaimed = names === undefined ? [] : tables.filter((table) => isUnclaimedName(table.name, names));
  if (unclaimed.length === 0) return [];
  const shown = unclaimed.slice(0, MAX_NAMED).map((table) => table.name);
  const more = unclaimed.length > MAX_NAMED ? ` and ${unclaimed.length - MAX_NAMED} more` : '';
  const message = `${shown.join(', ')}${more} begin with the prefix of no site that uses the database: they are in no dump`;
  return [{ code: 'tables-unclaimed', name: shown[0] ?? '', message }];
}

function nameInconsistent(tables: readonly TableFacts[]): DatabaseProblem[] {
  const problems: DatabaseProblem[] = [];
  for (const { name, engine, isTransactional, kind } of tables) {
    if (isTransactional || kind !== 'table') continue;
    const message = `${name} (${engine || 'unknown engine'}) has no transactions: its rows may be of another instant than the rest`;
    problems.push({ code: 'table-not-consistent', name, message });
  }
  return problems;
}

/** Rights without which the server hides things and says nothing: what a user cannot see is not in its dump. */
const NEEDED: Readonly<Record<string, string>> = {
  'SHOW VIEW': 'the definitions of views',
  TRIGGER: 'triggers',
  EVENT: 'events',
  EXECUTE: 'stored procedures and functions',
};

/** What the session's account (and the role that it has taken) may do in a database. */
export async function readRights(
  connection: DatabaseConnection,
  database: string,
  of: 'account' | 'account and role',
): Promise<ReadonlySet<string>> {
  const { user, host } = await readAccount(connection);
  // As the server writes them: quotes in names stand as they are.
  const grantees = [`'${user}'@'${host}'`];
  if (of === 'account and role') {
    const [row] = await connection.query<{ role: string | null }>('SELECT CURRENT_ROLE() AS role');
    if (row?.role != null) grantees.push(`'${row.role}'@''`);
  }
  // A grant's database is a pattern (`o1\\_%`), which is why LIKE has its sides this way round. Both lists show the
  // session's own grants and no one else's, unless it may read the server's.
  const rows = await connection.query<{ right_name: string }>(
    `SELECT PRIVILEGE_TYPE AS right_name FROM information_schema.SCHEMA_PRIVILEGES
       WHERE CONVERT(? USING utf8mb3) LIKE TABLE_SCHEMA COLLATE utf8mb3_bin AND GRANTEE IN (?)
     UNION SELECT PRIVILEGE_TYPE FROM information_schema.USER_PRIVILEGES WHERE GRANTEE IN (?)`,
    [database, grantees, grantees],
  );
  return new Set(rows.map((row) => row.right_name));
}

async function findBlindSpots(connection: DatabaseConnection, database: string): Promise<DatabaseProblem[]> {
  const held = await readRights(connection, database, 'account and role');
  return Object.entries(NEEDED)
    .filter(([right]) => !held.has(right))
    .map(([right, what]) => ({
      code: 'database-right-missing',
      name: right,
      message: `${connection.login.user} has no ${right} right on ${database}: ${what} may exist that no dump of it holds`,
    }));
}
