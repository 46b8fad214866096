/**
 * Connections to MariaDB and MySQL. Owns how we log in, how a name becomes part of a statement and which
 * of the server's errors mean what; knows nothing of dumps, loads and switches.
 */
import { createConnection as createSocket, type Socket } from 'node:net';
import { createConnection, type Connection as DriverConnection, type ConnectionOptions } from 'mysql2/promise';
import { SalvorError, type SalvorErrorCode } from '../../errors.ts';
import { type DatabaseTls, readTlsMaterial } from './tls.ts';

/** Where a server listens, and how it is spoken to over the network: in the clear only where nothing asks for TLS. */
export type ServerAddress =
  | { readonly socket: string }
  | { readonly host: string; readonly port: number; readonly tls?: DatabaseTls };

/** A user of a server. The password never leaves the process but through a defaults file. */
export type DatabaseLogin = {
  readonly address: ServerAddress;
  readonly user: string;
  readonly password: string;
};

/** A value that the driver may put into a statement. */
export type QueryValue = string | number | bigint | boolean | null | Uint8Array | readonly string[];

const CONNECT_TIMEOUT_MS = 10_000;
/** A server that went without a word is known to have gone ten seconds after that; the system's default is two hours. */
const KEEP_ALIVE_AFTER_MS = 60_000;

/**
 * What a server grants to pages is not enough for us: a statement that sums a table or brings a million rows in order, a session
 * that waits while a dump is loaded. The time of a statement has another name in MySQL, for what reads alone.
 */
const UNHURRIED =
  'wait_timeout = 86400, net_read_timeout = 600, net_write_timeout = 600 /*M!100101 , max_statement_time = 0 */ /*!80000 , max_execution_time = 0 */';

/**
 * Logs in. Throws 'database-login-refused', 'database-unreachable', 'database-missing', 'database-tls-failed' or 'database-failed'.
 * The session has an empty `sql_mode` (so that quoting is the same everywhere), UTC, and waits at most
 * `lockWaitSeconds` (default 60) for a lock on a table: the server's own default is a day. Limits on the time of statements and of idle sessions do not hold.
 */
export async function openConnection(
  login: DatabaseLogin,
  options: {
    readonly database?: string | undefined;
    readonly signal?: AbortSignal | undefined;
    readonly lockWaitSeconds?: number;
  } = {},
): Promise<DatabaseConnection> {
  options.signal?.throwIfAborted();
  const where = reachServer(login.address);
  let driver: DriverConnection;
  try {
    driver = await createConnection({
      ...where,
      user: login.user,
      password: login.password,
      ...(options.database === undefined ? {} : { database: options.database }),
      charset: 'UTF8MB4_GENERAL_CI',
      connectTimeout: CONNECT_TIMEOUT_MS,
      multipleStatements: false,
      supportBigNumbers: true,
      bigNumberStrings: true,
      dateStrings: true,
      timezone: 'Z',
      // A server must not be able to ask us for a file.
      flags: ['-LOCAL_FILES'],
      authPlugins: { unix_socket: answerNothing, auth_socket: answerNothing },
    });
  } catch (error) {
    throw asDatabaseError(error, login, options.database);
  }
  const connection = new DatabaseConnection(driver, login, options.database, options.signal);
  try {
    const seconds = options.lockWaitSeconds ?? 60;
    await connection.execute(
      `SET SESSION sql_mode = '', time_zone = '+00:00', lock_wait_timeout = ${seconds}, ${UNHURRIED}`,
    );
    return connection;
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** Throws 'database-tls-failed' where a certificate can't be used. */
function reachServer(address: ServerAddress): ConnectionOptions {
  if ('socket' in address) return { socketPath: address.socket };
  const { host, port, tls } = address;
  if (tls === undefined) return { host, port, enableKeepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_AFTER_MS };
  const { ca, cert, key, isVerified } = readTlsMaterial(tls, describeAddress(address));
  const stream = (): Socket => {
    const socket = createSocket({
      host,
      port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_AFTER_MS,
    });
    // What the certificate's name is compared with where the host is a number: the driver gives TLS names only, and
    // without this Node would take `localhost`.
    Object.assign(socket, { _host: host });
    return socket;
  };
  const shown = { ...(cert === null ? {} : { cert }), ...(key === null ? {} : { key }) };
  return { host, port, stream, ssl: { ca, ...shown, rejectUnauthorized: isVerified, verifyIdentity: isVerified } };
}

/** One session. Not shared between tasks; `close()` and the end of its scope are the same. */
export class DatabaseConnection implements AsyncDisposable {
  /** Of the server: the id of this session in its process list. */
  readonly id: number;
  readonly login: DatabaseLogin;
  readonly #driver: DriverConnection;
  readonly #database: string | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort: () => void;
  readonly #aborted = Promise.withResolvers<never>();
  #isClosed = false;

  constructor(
    driver: DriverConnection,
    login: DatabaseLogin,
    database: string | undefined,
    signal: AbortSignal | undefined,
  ) {
    this.#driver = driver;
    this.id = driver.threadId;
    this.login = login;
    this.#database = database;
    this.#signal = signal;
    // The server learns of it by the lost connection, and rolls back what it was doing. The socket itself is cut: the
    // driver's own way waits for the statement to end.
    this.#onAbort = () => {
      (driver as unknown as { connection: { stream: Socket } }).connection.stream.destroy();
      this.#aborted.reject(signal?.reason);
    };
    this.#aborted.promise.catch(() => undefined);
    signal?.addEventListener('abort', this.#onAbort, { once: true });
    // Without a listener a connection that the server drops between two statements would end the process.
    (driver as unknown as NodeJS.EventEmitter).on('error', () => undefined);
  }

  /** The rows of a statement, columns as named in it. Integers past 2^53 and dates come as text. */
  async query<Row extends object>(sql: string, values: readonly QueryValue[] = []): Promise<readonly Row[]> {
    const [rows] = await this.#send(sql, values);
    return rows as readonly Row[];
  }

  /** A statement without rows. */
  async execute(sql: string, values: readonly QueryValue[] = []): Promise<void> {
    await this.#send(sql, values);
  }

  /**
   * Runs statements that make something by its name. A statement whose client is gone is carried out all the same, perhaps
   * when what it makes was dropped already: where they are cancelled or the connection is lost, the server is made to end
   * this session before anybody hears of it.
   */
  async make(statements: () => Promise<void>): Promise<void> {
    try {
      await statements();
    } catch (error) {
      const isLost = error instanceof SalvorError && error.code === 'database-unreachable';
      if (isLost || this.#signal?.aborted === true) await this.#endAtServer();
      throw error;
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#signal?.removeEventListener('abort', this.#onAbort);
    if (this.#signal?.aborted === true) this.#driver.destroy();
    else await this.#driver.end().catch(() => this.#driver.destroy());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #endAtServer(): Promise<void> {
    try {
      await using other = await openConnection(this.login);
      await other.execute(`KILL CONNECTION ${this.id}`);
    } catch {
      // It has ended by itself, or the server has, and its sessions with it: what they throw is told already.
    }
  }

  async #send(sql: string, values: readonly QueryValue[]): Promise<readonly [unknown, unknown]> {
    this.#signal?.throwIfAborted();
    try {
      return await Promise.race([this.#driver.query(sql, values as never), this.#aborted.promise]);
    } catch (error) {
      if (this.#signal?.aborted === true) throw this.#signal.reason;
      throw asDatabaseError(error, this.login, this.#database);
    }
  }
}

/** A name as it stands in a statement: `` a`b `` becomes `` `a``b` ``. The only way that a name gets into one. */
export function quoteName(...path: readonly string[]): string {
  return path.map((name) => `\`${name.replaceAll('`', '``')}\``).join('.');
}

/** A text as it stands in a statement, for sessions whose `sql_mode` is ours. */
export function quoteText(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&').replaceAll('\0', '\\0')}'`;
}

/** An account as the server writes it: `` `user`@`host` ``. */
export function quoteAccount(account: DatabaseAccount): string {
  return `${quoteName(account.user)}@${quoteName(account.host)}`;
}

/** A user as the server knows it: its name and where it may come from. */
export type DatabaseAccount = { readonly user: string; readonly host: string };

/** Which account the server took a log-in for. */
export async function readAccount(connection: DatabaseConnection): Promise<DatabaseAccount> {
  const [row] = await connection.query<{ account: string }>('SELECT CURRENT_USER() AS account');
  const account = row?.account ?? '';
  const at = account.lastIndexOf('@');
  return { user: account.slice(0, at), host: account.slice(at + 1) };
}

/** The server's number of an error of ours, null for errors that it did not send. */
export function serverErrorNumber(error: unknown): number | null {
  if (!(error instanceof SalvorError)) return null;
  const number = error.context['number'];
  return typeof number === 'number' && number > 0 ? number : null;
}

const CODES: Readonly<Record<string, SalvorErrorCode>> = {
  ER_ACCESS_DENIED_ERROR: 'database-login-refused',
  ER_ACCESS_DENIED_NO_PASSWORD_ERROR: 'database-login-refused',
  ER_HOST_NOT_PRIVILEGED: 'database-login-refused',
  ER_MUST_CHANGE_PASSWORD: 'database-login-refused',
  ER_NOT_SUPPORTED_AUTH_MODE: 'database-login-refused',
  AUTH_SWITCH_PLUGIN_ERROR: 'database-login-refused',
  ER_BAD_DB_ERROR: 'database-missing',
  HANDSHAKE_NO_SSL_SUPPORT: 'database-tls-failed',
  HANDSHAKE_SSL_ERROR: 'database-tls-failed',
  ER_CON_COUNT_ERROR: 'database-unreachable',
  ER_SERVER_SHUTDOWN: 'database-unreachable',
  ER_CONNECTION_KILLED: 'database-unreachable',
};

/** What the driver threw as an error of ours: it carries statements, which may hold a password, so it is not kept. */
function asDatabaseError(error: unknown, login: DatabaseLogin, database: string | undefined): SalvorError {
  const { code, errno, fatal, message } = error as { code?: string; errno?: number; fatal?: boolean; message?: string };
  const known = CODES[code ?? ''];
  const isServers = typeof errno === 'number' && errno > 0;
  const lost =
    !isServers && (fatal === true || code?.startsWith('E') === true || code?.startsWith('PROTOCOL') === true);
  const words = login.password === '' ? (message ?? '') : (message ?? '').replaceAll(login.password, '***');
  return new SalvorError(known ?? (lost || isClosedConnection(words) ? 'database-unreachable' : 'database-failed'), {
    user: login.user,
    server: describeAddress(login.address),
    database: database ?? '',
    number: isServers ? errno : 0,
    words,
    why: words,
  });
}

function isClosedConnection(words: string): boolean {
  // The driver has no code for a statement on a connection that was lost before.
  return words.includes('closed state') || words.includes('Connection lost');
}

/** Whether a tool's or a server's words are that there is no space left: they have a number for it only at times. */
export function isDiskFull(words: string): boolean {
  return /\bErrcode: 28\b|\bNo space left on device\b|\bERROR (?:1021|1114|1878) \(/i.test(words);
}

export function describeAddress(address: ServerAddress): string {
  return 'socket' in address ? address.socket : `${address.host}:${address.port}`;
}

/** Authentication by the user of the operating system: the server asks the kernel, we say nothing. */
function answerNothing(): () => Buffer {
  return () => Buffer.alloc(0);
}
