/**
 * Scratch databases: made for one load with a user for this load alone, and dropped again. Everything here is
 * done with the administrator's log-in, on names that begin with `salvor_` and on no other.
 */
import { statfsSync } from 'node:fs';
import { SalvorError } from '../../errors.ts';
import {
  type DatabaseConnection,
  type DatabaseLogin,
  describeAddress,
  openConnection,
  quoteName,
  quoteText,
  type ServerAddress,
  serverErrorNumber,
} from './connect.ts';
import { requireWritableServer } from './judge-server.ts';
import { readDataDirectory } from './probe.ts';

export type Scratch = {
  readonly database: string;
  /** May do anything in that one database, and nothing else on the server. */
  readonly login: DatabaseLogin;
};

export type ScratchOptions = {
  /** Of the database and of the user: both begin with `salvor_`. */
  readonly name: string;
  readonly user: string;
  /** Random, made by the caller, used for this load only. */
  readonly password: string;
  readonly charset: string;
  readonly collation: string;
  readonly signal?: AbortSignal;
};

const OUR_NAME = /^salvor_[A-Za-z0-9_]{1,56}$/;
const ER_DB_CREATE_EXISTS = 1007;
const ER_NO_SUCH_THREAD = 1094;
/** MyISAM and Aria wait for space on a full disk, and look only once a minute whether they were told to stop. */
const DROP_WAIT_SECONDS = 150;

/** Throws 'scratch-name-refused', 'scratch-exists', 'database-server-untested', or as `openConnection`. */
export async function createScratch(admin: DatabaseLogin, options: ScratchOptions): Promise<Scratch> {
  requireOurName(options.name);
  requireOurName(options.user);
  await using connection = await openConnection(admin, signalOf(options));
  await requireWritableServer(connection);
  await connection.make(async () => {
    await createOurDatabase(connection, options.name, options);
    const account = accountOf(options.user, admin.address);
    // A left-over user of the same name may have a password that somebody knows.
    await connection.execute(`DROP USER IF EXISTS ${account}`);
    await connection.execute(`CREATE USER ${account} IDENTIFIED BY ${quoteText(options.password)}`);
    // In a grant `_` stands for any character: unescaped, the user would get databases with similar names.
    const pattern = quoteName(options.name.replaceAll('_', '\\_'));
    await connection.execute(`GRANT ALL PRIVILEGES ON ${pattern}.* TO ${account}`);
  });
  return {
    database: options.name,
    login: { address: admin.address, user: options.user, password: options.password },
  };
}

/** Drops the database and the user; what is gone already is no error. Throws 'scratch-name-refused', 'load-waits-for-space'. */
export async function dropScratch(
  admin: DatabaseLogin,
  scratch: { readonly database: string; readonly user: string },
  options: { readonly signal?: AbortSignal } = {},
): Promise<void> {
  requireOurName(scratch.database);
  requireOurName(scratch.user);
  await using connection = await openConnection(admin, { ...signalOf(options), lockWaitSeconds: DROP_WAIT_SECONDS });
  // The user first: a client that still runs must not make the database anew. Its sessions would live on.
  await connection.execute(`DROP USER IF EXISTS ${accountOf(scratch.user, admin.address)}`);
  await endSessions(connection, scratch.user);
  await connection.execute(`DROP DATABASE IF EXISTS ${quoteName(scratch.database)}`);
}

/**
 * A statement whose client is gone is carried out all the same, and its table can't be dropped till it ends. One that waits
 * for space on a full disk is left alone: the server dies of a MyISAM table that is dropped behind it (tried: MariaDB
 * 10.11.19). As soon as there is space it ends by itself. Throws 'load-waits-for-space'.
 */
async function endSessions(connection: DatabaseConnection, user: string): Promise<void> {
  // No list of `information_schema`: that one wants space too.
  const all = await connection.query<{ Id: string; User: string; State: string | null }>('SHOW PROCESSLIST');
  const sessions = all.filter((session) => session.User === user).map(({ Id: id, State: state }) => ({ id, state }));
  if (sessions.some(({ state }) => state === WAITS_FOR_SPACE) && !(await hasSpace(connection))) {
    throw new SalvorError('load-waits-for-space', { server: describeAddress(connection.login.address) });
  }
  for (const { id } of sessions) {
    try {
      await connection.execute(`KILL CONNECTION ${Number(id)}`);
    } catch (error) {
      if (serverErrorNumber(error) !== ER_NO_SUCH_THREAD) throw error;
    }
  }
}

const WAITS_FOR_SPACE = 'Waiting for someone to free space';
/** More than a statement of a dump. */
const SOME_SPACE_BYTES = 16 * 1024 * 1024;

/** False also of a server whose disk we can't see. */
async function hasSpace(connection: DatabaseConnection): Promise<boolean> {
  const directory = await readDataDirectory(connection);
  if (directory === null) return false;
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize >= SOME_SPACE_BYTES;
}

/** Makes a database of ours. Throws 'scratch-exists'. */
export async function createOurDatabase(
  connection: DatabaseConnection,
  name: string,
  options: { readonly charset: string; readonly collation: string },
): Promise<void> {
  requireOurName(name);
  try {
    await connection.execute(
      `CREATE DATABASE ${quoteName(name)} CHARACTER SET ${quoteName(options.charset)} COLLATE ${quoteName(options.collation)}`,
    );
  } catch (error) {
    if (serverErrorNumber(error) !== ER_DB_CREATE_EXISTS) throw error;
    throw new SalvorError('scratch-exists', { database: name }, { cause: error });
  }
}

/** Throws 'scratch-name-refused' for a name that we do not make: the guard of everything that drops. */
export function requireOurName(name: string): void {
  if (!OUR_NAME.test(name)) throw new SalvorError('scratch-name-refused', { name });
}

/** Over the socket a user comes from `localhost`; over TCP from wherever the server thinks we are. */
function accountOf(user: string, address: ServerAddress): string {
  return `${quoteName(user)}@${quoteName('socket' in address ? 'localhost' : '%')}`;
}

function signalOf(options: { readonly signal?: AbortSignal }): { readonly signal?: AbortSignal } {
  return options.signal === undefined ? {} : { signal: options.signal };
}
