/** The databases of a site, asked with the log-in that the site itself has. */
import type { Problem } from '@salvor/contract';
import {
  type DatabaseConnection,
  type DatabaseLogin,
  type ServerAddress,
  openConnection,
  quoteName,
} from '../databases/mariadb/connect.ts';
import { isOwnName } from '../databases/mariadb/own-names.ts';
import { readTables } from '../databases/mariadb/probe.ts';
import { readTies } from '../databases/mariadb/ties.ts';
import { SalvorError } from '../errors.ts';
import type { Site, SiteDatabase } from '../sites/site.ts';
import { findOwnNames } from './own-names.ts';
import { type Checked, NOT_ASKED } from './prove-site.ts';

/** More than a person reads. */
const MAX_NAMED = 20;

export async function checkLogIns(site: Site, signal: AbortSignal): Promise<Checked> {
  const faults: Problem[] = [];
  const asked = askable(site);
  for (const { name, login } of asked) {
    try {
      await using connection = await openConnection(login, { database: name, signal });
      await connection.query('SELECT 1');
    } catch (error) {
      faults.push(problemOf(error, name, signal));
    }
  }
  return { why: whyNotAll(site, asked), count: asked.length, faults, doubts: [] };
}

/** What a site does with its tables; without these it can't be updated, and goes on else. */
const NEEDED = ['SELECT', 'INSERT', 'UPDATE', 'DELETE'];
const WANTED = ['CREATE', 'ALTER', 'DROP', 'INDEX'];

/** That the user may do what a site does, and nothing anywhere else, and that nobody else may anything there. */
export async function checkGrants(
  site: Site,
  administratorOf: (server: ServerAddress, home: string) => Promise<DatabaseLogin>,
  signal: AbortSignal,
): Promise<Checked> {
  const faults: Problem[] = [];
  const doubts: Problem[] = [];
  const asked = askable(site);
  let why = whyNotAll(site, asked);
  for (const database of asked) {
    const { name, login } = database;
    const rights = await readOwnRights(database, signal).catch((error: unknown) => {
      // Told by the check of the log-in.
      signal.throwIfAborted();
      if (!(error instanceof SalvorError)) throw error;
      return null;
    });
    if (rights === null) continue;
    const missing = (wanted: readonly string[]): readonly string[] => wanted.filter((right) => !rights.has(right));
    const say = (names: readonly string[]): Problem => ({
      code: 'grant-missing',
      message: `its user ${login.user} has no right to ${names.join(', ')}`,
      path: name,
    });
    if (missing(NEEDED).length > 0) faults.push(say(missing(NEEDED)));
    if (missing(WANTED).length > 0) doubts.push(say(missing(WANTED)));
    try {
      doubts.push(...(await findTies(database, await administratorOf(login.address, site.account.home), signal)));
    } catch (error) {
      if (!(error instanceof SalvorError) || error.code !== 'administrator-unknown') throw error;
      why = 'who else has rights there only an administrator of the server sees, and none is known';
    }
  }
  return { why, count: asked.length, faults, doubts };
}

async function readOwnRights({ name, login }: SiteDatabase, signal: AbortSignal): Promise<ReadonlySet<string>> {
  await using connection = await openConnection(login, { database: name, signal });
  // In a grant the name of a database is a pattern.
  const rows = await connection.query<{ right: string }>(
    `SELECT PRIVILEGE_TYPE AS \`right\` FROM information_schema.SCHEMA_PRIVILEGES WHERE ? LIKE TABLE_SCHEMA
     UNION SELECT PRIVILEGE_TYPE FROM information_schema.USER_PRIVILEGES`,
    [name],
  );
  return new Set(rows.map(({ right }) => right));
}

async function findTies(
  { name, login, sharedWith }: SiteDatabase,
  admin: DatabaseLogin,
  signal: AbortSignal,
): Promise<readonly Problem[]> {
  await using connection = await openConnection(admin, { signal });
  const { others, elsewhere } = await readTies(connection, name, login.user);
  const users = sharedWith.map((other) => `'${other.login.user}'@`);
  const strangers = others.filter((grantee) => !users.some((user) => grantee.startsWith(user)));
  const found: Problem[] = [];
  if (strangers.length > 0)
    found.push({
      code: 'grant-from-outside',
      message: `${strangers.slice(0, MAX_NAMED).join(', ')} has rights on it too`,
      path: name,
    });
  if (elsewhere.length > 0)
    found.push({
      code: 'user-has-more',
      message: `its user ${login.user} has rights on ${elsewhere
        .slice(0, MAX_NAMED)
        .map((base) => (base === '*' ? 'the whole server' : base))
        .join(', ')} too`,
      path: name,
    });
  return found;
}

export async function checkTables(site: Site, signal: AbortSignal): Promise<Checked> {
  const asked = askable(site);
  const faults: Problem[] = [];
  let count = 0;
  for (const database of asked) {
    const told = await askTables(site, database, signal).catch((error: unknown) => {
      signal.throwIfAborted();
      if (!(error instanceof SalvorError)) throw error;
      return { count: 0, silent: [] };
    });
    count += told.count;
    for (const { name, why } of told.silent.slice(0, MAX_NAMED))
      faults.push({ code: 'table-unanswered', message: `does not answer: ${why}`, path: `${database.name}.${name}` });
    const more = told.silent.length - MAX_NAMED;
    if (more > 0) faults.push({ code: 'table-unanswered', message: `and ${more} more do not`, path: database.name });
  }
  return { why: whyNotAll(site, asked), count, faults, doubts: [] };
}

export type AskedTables = {
  readonly count: number;
  readonly silent: readonly { readonly name: string; readonly why: string }[];
};

/** Each table and view of a site, with its own log-in. Throws as `openConnection` where that is refused. */
export async function askTables(site: Site, database: SiteDatabase, signal?: AbortSignal): Promise<AskedTables> {
  const { name, login } = database;
  const { names } = await findOwnNames(site, database, signal);
  await using connection = await openConnection(login, { database: name, ...(signal === undefined ? {} : { signal }) });
  const isOwn = (table: string): boolean => names === null || isOwnName(table, names);
  const tables = (await readTables(connection, name)).map((table) => table.name).filter(isOwn);
  const views = await readViews(connection, name);
  const silent: { name: string; why: string }[] = [];
  // Of a view no row: what it would take to find one nobody knows.
  for (const [rows, list] of [
    [1, tables],
    [0, views.filter(isOwn)],
  ] as const)
    for (const table of list) {
      try {
        await connection.query(`SELECT 1 FROM ${quoteName(name, table)} LIMIT ${rows}`);
      } catch (error) {
        signal?.throwIfAborted();
        silent.push({ name: table, why: error instanceof Error ? error.message : String(error) });
      }
    }
  return { count: tables.length + views.length, silent };
}

async function readViews(connection: DatabaseConnection, database: string): Promise<readonly string[]> {
  const rows = await connection.query<{ name: string }>(
    'SELECT TABLE_NAME AS name FROM information_schema.VIEWS WHERE TABLE_SCHEMA = ?',
    [database],
  );
  return rows.map(({ name }) => name);
}

function askable({ databases }: Site): readonly SiteDatabase[] {
  return databases.filter(({ engine }) => engine === 'mariadb');
}

function whyNotAll({ databases }: Site, asked: readonly SiteDatabase[]): string | null {
  if (databases.length === 0) return NOT_ASKED('its settings name no database').why;
  const other = databases.find((database) => !asked.includes(database));
  return other === undefined ? null : `${other.name} is kept by ${other.engine}, which is not asked`;
}

function problemOf(error: unknown, path: string, signal: AbortSignal): Problem {
  signal.throwIfAborted();
  if (!(error instanceof SalvorError)) throw error;
  return { code: error.code, message: error.message, path };
}
