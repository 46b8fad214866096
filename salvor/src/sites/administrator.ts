/**
 * The administrator's log-in of the database server, used only to create, grant, swap and drop. Looked
 * for where hosts keep it: Aegir's server contexts, then root's option file, then root over the socket.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync, statSync } from 'node:fs';
import type { DatabaseLogin, ServerAddress } from '../databases/mariadb/connect.ts';
import { SalvorError } from '../errors.ts';
import { DEFAULT_SOCKET, isSameServer, parseAddress, showServer } from './database-address.ts';
import type { DatabaseTls } from '../databases/mariadb/tls.ts';
import { type ClientOptions, parseMyCnf } from './my-cnf.ts';
import type { AegirContext } from './read-alias.ts';
import { readAliases } from './read-alias.ts';
import { filesBeneath } from './read-beneath.ts';

const MAX_OPTION_FILE_BYTES = 64 * 1024;

export type AdministratorOptions = {
  /** Homes whose server contexts are asked, without links. */
  readonly homes: readonly string[];
  /**
   * The server that is meant: that of the site's database. A log-in for another one is not given: a
   * context lies in a tenant's home, and must not send us elsewhere.
   */
  readonly server?: ServerAddress | undefined;
  readonly optionFile?: string | undefined;
  readonly defaultSocket?: string | undefined;
  readonly signal?: AbortSignal | undefined;
};

/**
 * The last resort is root without a password over the socket, which the server may refuse; for a server elsewhere there is
 * none. Throws 'administrator-unknown'. A log-in that does not say how it is secured is secured as the site's is.
 */
export async function findAdministrator(options: AdministratorOptions): Promise<DatabaseLogin> {
  const defaultSocket = options.defaultSocket ?? DEFAULT_SOCKET;
  const isMeant = (login: DatabaseLogin): boolean =>
    options.server === undefined || isSameServer(login.address, options.server, defaultSocket);
  for (const home of options.homes) {
    options.signal?.throwIfAborted();
    for (const context of serversIn(home)) {
      const login = parseMasterDb(context.values.get('master_db') ?? '', defaultSocket);
      if (login !== null && isMeant(login)) return secureAs(login, options.server);
    }
  }
  const login = readOptionFile(options.optionFile ?? '/root/.my.cnf', defaultSocket, options.server);
  if (login !== null && isMeant(login)) return secureAs(login, options.server);
  const local: ServerAddress =
    options.server !== undefined && 'socket' in options.server ? options.server : { socket: defaultSocket };
  if (options.server !== undefined && !isSameServer(local, options.server, defaultSocket))
    throw new SalvorError('administrator-unknown', { server: showServer(options.server) });
  return { address: local, user: 'root', password: '' };
}

function secureAs(login: DatabaseLogin, server: ServerAddress | undefined): DatabaseLogin {
  const tls = server !== undefined && 'tls' in server ? server.tls : undefined;
  const { address } = login;
  if (tls === undefined || 'socket' in address || address.tls !== undefined) return login;
  return { ...login, address: { ...address, tls } };
}

/** `mysql://user:password@host[:port]`, its parts url-encoded. Null for what is none of it. */
export function parseMasterDb(url: string, defaultSocket: string = DEFAULT_SOCKET): DatabaseLogin | null {
  // Passwords with an unencoded @ or : occur: the last @ ends the log-in, the first : the user.
  const match = /^(?:mysqli?|mariadb):\/\/([^:@/]*)(?::(.*))?@([^@/]*)\/?$/s.exec(url);
  const [user, password, host] = [decode(match?.[1]), decode(match?.[2] ?? ''), decode(match?.[3])];
  if (user === null || user === '' || password === null || host === null) return null;
  const address = parseAddress({ host }, defaultSocket);
  return address === null ? null : { address, user, password };
}

/** The master first: that is the one that sites are created on. */
const SERVER_ORDER = ['server_master', 'server_localhost'];

function serversIn(home: string): AegirContext[] {
  const { contexts } = readAliases(home, filesBeneath([home]), { only: 'server' });
  const servers = contexts.filter((context) => context.type === 'server' && context.values.has('master_db'));
  const first = SERVER_ORDER.flatMap((name) => servers.filter((server) => server.name === name));
  return [...first, ...servers.filter((server) => !first.includes(server))];
}

function readOptionFile(path: string, defaultSocket: string, server: ServerAddress | undefined): DatabaseLogin | null {
  const text = readOwn(path);
  if (text === null) return null;
  const options = parseMyCnf(text);
  const { user, password = '', host = '', socket, port } = options;
  if (password === '' && user === undefined) return null;
  const isPlaceNamed = host !== '' || socket !== undefined;
  const parts = {
    host,
    ...(socket === undefined ? {} : { socket }),
    ...(port === undefined ? {} : { port: Number(port) }),
  };
  // Without a place it is for this machine: a server that a site's settings name may be anybody's.
  const isOwn = server !== undefined && 'socket' in server && isServers(server.socket);
  const here = isOwn ? server : { socket: defaultSocket };
  const address = isPlaceNamed ? parseAddress(parts, defaultSocket) : here;
  if (address === null) return null;
  const tls = readTls(options);
  return {
    address: 'host' in address && tls !== null ? { ...address, tls } : address,
    user: user ?? 'root',
    password,
  };
}

/** Users of the system have lower numbers: people and tenants have these. */
const FIRST_TENANT_UID = 1000;

/** Whether a socket is of a server of the host, and not one that a tenant has put up to be told the password. */
function isServers(socket: string): boolean {
  const uid = statSync(socket, { throwIfNoEntry: false })?.uid;
  return uid !== undefined && (uid < FIRST_TENANT_UID || uid === process.getuid?.());
}

function readTls(options: ClientOptions): DatabaseTls | null {
  const path = (name: 'ssl-ca' | 'ssl-capath' | 'ssl-cert' | 'ssl-key'): string | null => options[name] ?? null;
  const tls = { ca: path('ssl-ca'), caPath: path('ssl-capath'), cert: path('ssl-cert'), key: path('ssl-key') };
  const isAsked = isOn(options['ssl']) || Object.values(tls).some((named) => named !== null);
  // The client's own default of many years was not to look; whoever wants that says so here.
  const verify = options['ssl-verify-server-cert'];
  return isAsked ? { ...tls, verify: verify === undefined || isOn(verify), reader: null } : null;
}

/** An option without a value is switched on. */
function isOn(value: string | undefined): boolean {
  return value !== undefined && !['0', 'off', 'false'].includes(value.toLowerCase());
}

// Root's own file: a link or a pipe in its place is not root's doing.
function readOwn(path: string): string | null {
  let descriptor: number | null = null;
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const stat = fstatSync(descriptor);
    return stat.isFile() && stat.size <= MAX_OPTION_FILE_BYTES ? readFileSync(descriptor, 'utf8') : null;
  } catch {
    return null;
  } finally {
    if (descriptor !== null) closeSync(descriptor);
  }
}

function decode(text: string | undefined): string | null {
  if (text === undefined) return null;
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    // A per cent sign that nobody encoded stands for itself.
    return text;
  }
}
