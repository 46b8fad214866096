/**
 * Views, triggers, routines and events as statements that make them again: what a switch takes down on one side and
 * sets up on the other. Read from the server, never from a dump: the server has judged and quoted them.
 */
import { SalvorError } from '../../errors.ts';
import {
  type DatabaseAccount,
  type DatabaseConnection,
  quoteAccount,
  quoteName,
  quoteText,
  serverErrorNumber,
} from './connect.ts';
import type { DatabaseProblem } from './probe.ts';
import type { RoutineGrant } from './routine-grants.ts';

export type DatabaseObject = {
  readonly kind: 'view' | 'trigger' | 'routine' | 'event';
  readonly name: string;
  /** `VIEW`, `TRIGGER`, `PROCEDURE`, `FUNCTION`, `PACKAGE`, `PACKAGE BODY`, `EVENT`. */
  readonly type: string;
  /** Of a trigger: its table; else null. */
  readonly table: string | null;
  /** As the server writes it, quoted: `` `user`@`host` `` or a role's `` `role` ``. */
  readonly definer: string;
  /** What comes after `CREATE OR REPLACE DEFINER=…`; no database is named where it lies in its own. */
  readonly body: string;
  /** `ALGORITHM=MERGE` and the like: what stands before the definer. */
  readonly before: string;
  /** Of a view whose tables, columns or functions are gone: the server would not make it again. */
  readonly isBroken?: true;
  /** Of a routine: who was granted what on it; what is dropped takes them with it. Not in journals of before they were kept. */
  readonly grants?: readonly RoutineGrant[];
  /** How the session must be set for the statement to mean what it meant. */
  readonly session: {
    readonly sqlMode: string;
    readonly charset: string;
    readonly collation: string;
    readonly timeZone: string;
  };
};

/** With double quotes where the object was made under ANSI_QUOTES, which is part of Oracle's mode. */
const NAME = '(?:`(?:[^`]|``)*`|"(?:[^"]|"")*")';
const CREATE = new RegExp(`^CREATE (?:OR REPLACE )?((?:ALGORITHM=\\w+ )?)DEFINER=(${NAME}(?:@${NAME})?) ([^]*)$`);
/** The server's own words between schedule and body of an event; quoted values are passed over. */
const EVENT_STATE =
  /^((?:[^'`"]|'(?:[^'\\]|\\.|'')*'|`(?:[^`]|``)*`|"(?:[^"]|"")*")*?ON COMPLETION (?:NOT )?PRESERVE )(ENABLE|DISABLE ON SLAVE|DISABLE)/;

/** All of a database, triggers in the order in which they fire. The session's database becomes `database`. */
export async function readObjects(
  connection: DatabaseConnection,
  database: string,
): Promise<readonly DatabaseObject[]> {
  // Names in a view are written without its database only for who is in it.
  await connection.execute(`USE ${quoteName(database)}`);
  return [
    ...(await readViews(connection, database)),
    ...(await readTriggers(connection, database)),
    ...(await readRoutines(connection, database)),
    ...(await readEvents(connection, database)),
  ];
}

/** Routines and events alone. The session's database becomes `database`. */
export async function readPrograms(
  connection: DatabaseConnection,
  database: string,
): Promise<readonly DatabaseObject[]> {
  await connection.execute(`USE ${quoteName(database)}`);
  return [...(await readRoutines(connection, database)), ...(await readEvents(connection, database))];
}

/** The same with another definer; an event that is to run is enabled, any other stays as disabled as it is. */
export function redefine(object: DatabaseObject, definer: DatabaseAccount, isEnabled: boolean): DatabaseObject {
  const body =
    object.kind === 'event' && isEnabled
      ? object.body.replace(EVENT_STATE, (_, before: string) => `${before}ENABLE`)
      : object.body;
  return { ...object, definer: quoteAccount(definer), body };
}

/**
 * Makes objects, in any order in which they can be made (a view may need another one); what cannot be made is named.
 * Idempotent. The session's database becomes `database`. Throws where it is the server that can't: it is lost, its disk is
 * full, somebody has locked the table. Then the same objects may be made later.
 */
export async function createObjects(
  connection: DatabaseConnection,
  database: string,
  objects: readonly DatabaseObject[],
): Promise<readonly DatabaseProblem[]> {
  await connection.execute(`USE ${quoteName(database)}`);
  // A view may call a function; nothing that is made needs a trigger or an event.
  const order = ['routine', 'view', 'trigger', 'event'];
  let waiting = objects.toSorted((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind));
  let problems: DatabaseProblem[] = [];
  for (let madeOne = true; madeOne && waiting.length > 0;) {
    const failed: DatabaseObject[] = [];
    problems = [];
    for (const object of waiting) {
      const problem = await createObject(connection, object);
      if (problem === null) continue;
      failed.push(object);
      problems.push(problem);
    }
    madeOne = failed.length < waiting.length;
    waiting = failed;
  }
  await connection.execute(
    "SET SESSION sql_mode = '', time_zone = '+00:00', collation_connection = 'utf8mb4_general_ci'",
  );
  return problems;
}

export async function dropObjects(
  connection: DatabaseConnection,
  database: string,
  objects: readonly Pick<DatabaseObject, 'type' | 'name'>[],
): Promise<void> {
  for (const { type, name } of objects) await connection.execute(`DROP ${type} IF EXISTS ${quoteName(database, name)}`);
}

async function createObject(connection: DatabaseConnection, object: DatabaseObject): Promise<DatabaseProblem | null> {
  const { session } = object;
  try {
    // The statement itself is sent in utf8mb4 whatever the object remembers, so the client's charset is not changed:
    // it is the one setting that would change how the server reads our bytes.
    await connection.execute(
      `SET SESSION sql_mode = ${quoteText(session.sqlMode)}, collation_connection = ${quoteText(session.collation)}` +
        (session.timeZone === '' ? '' : `, time_zone = ${quoteText(session.timeZone)}`),
    );
    await createTrusted(connection, `CREATE OR REPLACE ${object.before}DEFINER=${object.definer} ${object.body}`);
    for (const { grantee, rights, mayGrant } of object.grants ?? [])
      await connection.execute(
        `GRANT ${rights} ON ${object.type} ${quoteName(object.name)} TO ${grantee}${mayGrant ? ' WITH GRANT OPTION' : ''}`,
      );
    return null;
  } catch (error) {
    if (isServersTrouble(serverErrorNumber(error))) throw error;
    const words = error instanceof Error ? error.message : '';
    return {
      code: 'object-not-made',
      name: object.name,
      message: `the ${object.kind} ${object.name} was not made: ${words}`,
    };
  }
}

/** Whether a statement fails for reasons that are not its own. `null`: no answer came. */
export function isServersTrouble(number: number | null): boolean {
  return number === null || number < FIRST_OF_SQL || TROUBLES.has(number);
}

/** Below are those of the server's own files: `Error writing file './site/node.TRG' (Errcode: 28)` is number 3. */
const FIRST_OF_SQL = 1000;
/**
 * Disk or table full, no memory, no thread; a file that can't be made, read or written; a routine or an event that can't be
 * stored; interrupted; waited too long for a lock; took too long. MariaDB: share/errmsg-utf8.txt.
 */
const TROUBLES: ReadonlySet<number> = new Set([
  1004, 1021, 1024, 1026, 1030, 1037, 1038, 1041, 1114, 1135, 1205, 1213, 1307, 1317, 1538, 1969,
]);

const ER_VIEW_INVALID = 1356;
/** ER_BINLOG_UNSAFE_ROUTINE: a function of before the server had a binary log, or that it was told to take. */
const UNSAFE_ROUTINE = 1418;

/** It was there, so it may be there again. */
async function createTrusted(connection: DatabaseConnection, statement: string): Promise<void> {
  try {
    await connection.execute(statement);
  } catch (error) {
    if (serverErrorNumber(error) !== UNSAFE_ROUTINE) throw error;
    await connection.execute('SET GLOBAL log_bin_trust_function_creators = 1');
    try {
      await connection.execute(statement);
    } finally {
      await connection.execute('SET GLOBAL log_bin_trust_function_creators = 0');
    }
  }
}

const UNSET = { sqlMode: '', charset: 'utf8mb4', collation: 'utf8mb4_general_ci', timeZone: '' } as const;

/** Throws 'swap-obstructed': what can't be read can't be made again, and must not be dropped. */
function parseCreate(
  statement: string | null | undefined,
  database: string,
  name: string,
): { readonly before: string; readonly definer: string; readonly body: string } {
  const match = CREATE.exec(statement ?? '');
  if (match === null)
    throw new SalvorError('swap-obstructed', { database, why: `the server does not show how ${name} was made` });
  return { before: match[1] ?? '', definer: match[2] ?? '', body: match[3] ?? '' };
}

async function readViews(connection: DatabaseConnection, database: string): Promise<DatabaseObject[]> {
  const names = await connection.query<{ name: string; charset: string; collation: string }>(
    `SELECT TABLE_NAME AS name, CHARACTER_SET_CLIENT AS charset, COLLATION_CONNECTION AS collation
     FROM information_schema.VIEWS WHERE TABLE_SCHEMA = ? ORDER BY TABLE_NAME`,
    [database],
  );
  const objects: DatabaseObject[] = [];
  for (const { name, charset, collation } of names) {
    const [row] = await connection.query<{ 'Create View': string }>(`SHOW CREATE VIEW ${quoteName(name)}`);
    const warnings = await connection.query<{ Code: number }>('SHOW WARNINGS');
    const parsed = parseCreate(row?.['Create View'], database, name);
    const isBroken = warnings.some(({ Code }) => Code === ER_VIEW_INVALID);
    objects.push({
      kind: 'view',
      name,
      type: 'VIEW',
      table: null,
      ...parsed,
      ...(isBroken ? { isBroken } : {}),
      session: { ...UNSET, charset, collation },
    });
  }
  return objects;
}

async function readTriggers(connection: DatabaseConnection, database: string): Promise<DatabaseObject[]> {
  type Row = {
    name: string;
    event: string;
    timing: string;
    table_name: string;
    body: string;
    definer: string;
    mode: string;
    charset: string;
    collation: string;
  };
  // From columns, not from the statement: that one may name the trigger and its table with a database.
  const rows = await connection.query<Row>(
    `SELECT TRIGGER_NAME AS name, EVENT_MANIPULATION AS event, ACTION_TIMING AS timing, EVENT_OBJECT_TABLE AS table_name,
            ACTION_STATEMENT AS body, DEFINER AS definer, SQL_MODE AS mode, CHARACTER_SET_CLIENT AS charset,
            COLLATION_CONNECTION AS collation
     FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = ?
     ORDER BY EVENT_OBJECT_TABLE, EVENT_MANIPULATION, ACTION_TIMING, ACTION_ORDER`,
    [database],
  );
  return rows.map((row) => ({
    kind: 'trigger',
    name: row.name,
    type: 'TRIGGER',
    table: row.table_name,
    before: '',
    definer: quoteDefiner(row.definer),
    body: `TRIGGER ${quoteName(row.name)} ${row.timing} ${row.event} ON ${quoteName(row.table_name)} FOR EACH ROW ${row.body}`,
    session: { ...UNSET, sqlMode: row.mode, charset: row.charset, collation: row.collation },
  }));
}

async function readRoutines(connection: DatabaseConnection, database: string): Promise<DatabaseObject[]> {
  type Row = { name: string; type: string; mode: string; charset: string; collation: string };
  const rows = await connection.query<Row>(
    `SELECT ROUTINE_NAME AS name, ROUTINE_TYPE AS type, SQL_MODE AS mode, CHARACTER_SET_CLIENT AS charset,
            COLLATION_CONNECTION AS collation
     FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = ? ORDER BY ROUTINE_TYPE, ROUTINE_NAME`,
    [database],
  );
  const objects: DatabaseObject[] = [];
  for (const { name, type, mode, charset, collation } of rows) {
    const [row] = await connection.query<Record<string, string | null>>(`SHOW CREATE ${type} ${quoteName(name)}`);
    const statement = Object.entries(row ?? {}).find(([column]) => column.startsWith('Create '))?.[1];
    const parsed = parseCreate(statement, database, name);
    objects.push({
      kind: 'routine',
      name,
      type,
      table: null,
      ...parsed,
      session: { ...UNSET, sqlMode: mode, charset, collation },
    });
  }
  return objects;
}

async function readEvents(connection: DatabaseConnection, database: string): Promise<DatabaseObject[]> {
  type Row = { name: string; zone: string; mode: string; charset: string; collation: string };
  const rows = await connection.query<Row>(
    `SELECT EVENT_NAME AS name, TIME_ZONE AS zone, SQL_MODE AS mode, CHARACTER_SET_CLIENT AS charset,
            COLLATION_CONNECTION AS collation
     FROM information_schema.EVENTS WHERE EVENT_SCHEMA = ? ORDER BY EVENT_NAME`,
    [database],
  );
  const objects: DatabaseObject[] = [];
  for (const { name, zone, mode, charset, collation } of rows) {
    const [row] = await connection.query<{ 'Create Event': string }>(`SHOW CREATE EVENT ${quoteName(name)}`);
    const parsed = parseCreate(row?.['Create Event'], database, name);
    const session = { sqlMode: mode, charset, collation, timeZone: zone };
    objects.push({ kind: 'event', name, type: 'EVENT', table: null, ...parsed, session });
  }
  return objects;
}

/** `user@host` as information_schema writes it. */
function quoteDefiner(definer: string): string {
  const at = definer.lastIndexOf('@');
  return at === -1 ? quoteName(definer) : quoteAccount({ user: definer.slice(0, at), host: definer.slice(at + 1) });
}
