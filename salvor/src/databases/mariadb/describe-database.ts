/**
 * All that a site can notice of a database, as text that tests compare: every definition as the server shows it, every
 * row by every column, history and what is invisible included. Knows nothing of dumps.
 */
import { type DatabaseConnection, type DatabaseLogin, openConnection, quoteName } from './connect.ts';

/** A name (`table t`, `rows of t`, `view v` …) and what there is to see. */
export type DatabaseDescription = Readonly<Record<string, string>>;

/** A value of more than this is told by its hash. */
const MAX_SHOWN_BYTES = 60;

/**
 * Describes `name`. Where definers are left out, views, triggers, routines and events are without them and without the
 * name of their database, so that two databases can be compared.
 */
export async function describeDatabase(
  login: DatabaseLogin,
  name: string,
  options: { readonly definers: boolean },
): Promise<DatabaseDescription> {
  await using connection = await openConnection(login, { database: name });
  await connection.execute("SET time_zone = '+00:00', sql_mode = ''");
  const found: Record<string, string> = {};
  const tables = await connection.query<{ name: string; type: string }>(
    'SELECT TABLE_NAME AS name, TABLE_TYPE AS type FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? ORDER BY BINARY TABLE_NAME',
    [name],
  );
  for (const table of tables) {
    if (table.type === 'VIEW') {
      found[`view ${table.name}`] = await show(connection, 'VIEW', 'TABLE', table.name);
      continue;
    }
    found[`table ${table.name}`] = await show(connection, 'TABLE', 'TABLE', table.name);
    found[`rows of ${table.name}`] = await readRows(connection, name, table.name, table.type === 'SYSTEM VERSIONED');
  }
  for (const [kind, list] of OBJECTS) {
    const objects = await connection.query<{ name: string; state: string }>(list, [name]);
    for (const object of objects)
      found[`${kind.toLowerCase()} ${object.name}`] =
        `${await show(connection, kind, kind, object.name)} ${object.state}`;
  }
  // From columns: the statement may or may not quote the trigger's name, and may name its database.
  const triggers = await connection.query<{ name: string; state: string }>(
    `SELECT TRIGGER_NAME AS name, CONCAT_WS(' ', CONCAT(' DEFINER="', REPLACE(DEFINER, '@', '"@"'), '"'), ACTION_TIMING, EVENT_MANIPULATION, EVENT_OBJECT_TABLE,
       ACTION_ORDER, SQL_MODE, CHARACTER_SET_CLIENT, COLLATION_CONNECTION, ACTION_STATEMENT) AS state
     FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = ?`,
    [name],
  );
  for (const trigger of triggers) found[`trigger ${trigger.name}`] = trigger.state;
  return options.definers ? found : mapValues(found, (text) => withoutDefiner(text, name));
}

const OBJECTS = [
  [
    'PACKAGE',
    "SELECT ROUTINE_NAME AS name, SQL_MODE AS state FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = ? AND ROUTINE_TYPE = 'PACKAGE' ORDER BY 1",
  ],
  [
    'PACKAGE BODY',
    "SELECT ROUTINE_NAME AS name, SQL_MODE AS state FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = ? AND ROUTINE_TYPE = 'PACKAGE BODY' ORDER BY 1",
  ],
  [
    'PROCEDURE',
    "SELECT ROUTINE_NAME AS name, CONCAT_WS(' ', SQL_MODE, COLLATION_CONNECTION) AS state FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = ? AND ROUTINE_TYPE = 'PROCEDURE' ORDER BY 1",
  ],
  [
    'FUNCTION',
    "SELECT ROUTINE_NAME AS name, CONCAT_WS(' ', SQL_MODE, COLLATION_CONNECTION) AS state FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = ? AND ROUTINE_TYPE = 'FUNCTION' ORDER BY 1",
  ],
  [
    'EVENT',
    "SELECT EVENT_NAME AS name, CONCAT_WS(' ', STATUS, SQL_MODE, TIME_ZONE) AS state FROM information_schema.EVENTS WHERE EVENT_SCHEMA = ? ORDER BY 1",
  ],
] as const;

async function show(connection: DatabaseConnection, kind: string, as: string, name: string): Promise<string> {
  const [row] = await connection.query<Record<string, string>>(`SHOW CREATE ${kind} ${quoteName(name)}`);
  const [, statement] = Object.entries(row ?? {}).find(([column]) => /^(Create |SQL Original)/.test(column)) ?? [
    as,
    '',
  ];
  return statement;
}

async function readRows(
  connection: DatabaseConnection,
  database: string,
  table: string,
  isVersioned: boolean,
): Promise<string> {
  const columns = await connection.query<{ name: string }>(
    'SELECT COLUMN_NAME AS name FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION',
    [database, table],
  );
  // Where they are not declared the server keeps them all the same.
  const names = new Set(columns.map((column) => quoteName(column.name)));
  if (isVersioned && !/ROW END/.test(await show(connection, 'TABLE', 'TABLE', table))) {
    for (const period of ['ROW_START', 'ROW_END']) names.add(period);
  }
  // The bytes as they are stored, in whatever charset.
  const values = [...names].map(
    (name) =>
      `IFNULL(IF(LENGTH(${name}) > ${MAX_SHOWN_BYTES}, CONCAT(LENGTH(${name}), ':', SHA1(${name})), HEX(CAST(${name} AS BINARY))), 'NULL')`,
  );
  const rows = await connection.query<{ text: string }>(
    `SELECT CONCAT_WS(',', ${values.join(', ')}) AS text FROM ${quoteName(table)}${isVersioned ? ' FOR SYSTEM_TIME ALL' : ''} ORDER BY text`,
  );
  return rows.map(({ text }) => text).join('\n');
}

function withoutDefiner(text: string, database: string): string {
  return text
    .replace(/ DEFINER=(?:`[^`]*`(?:@`[^`]*`)?|"[^"]*"@"[^"]*")/, '')
    .replaceAll(`${quoteName(database)}.`, '')
    .replaceAll(`${database}.`, '');
}

function mapValues(description: DatabaseDescription, change: (text: string) => string): DatabaseDescription {
  return Object.fromEntries(Object.entries(description).map(([name, text]) => [name, change(text)]));
}
