/** Where a site's database listens, from the forms in which settings say it. */
import type { ServerAddress } from '../databases/mariadb/connect.ts';

/** Debian's; what PHP uses for `localhost` where nothing else is said. */
export const DEFAULT_SOCKET = '/run/mysqld/mysqld.sock';
const DEFAULT_PORT = 3306;

export type AddressParts = {
  /** `localhost`, a name, an address, `host:port`, `localhost:/path/to/socket`, `[::1]:port`; empty is localhost. */
  readonly host: string;
  readonly port?: number;
  readonly socket?: string;
};

/** Null for what is no address. `localhost` means the socket, as for every client of the server. */
export function parseAddress(parts: AddressParts, defaultSocket: string = DEFAULT_SOCKET): ServerAddress | null {
  if (parts.socket !== undefined && parts.socket !== '') return socketAddress(parts.socket);
  // `p:` asks PHP for a persistent connection.
  const host = parts.host.replace(/^p:/, '');
  const socket = /^[^/]*:(\/.*)$/.exec(host)?.[1] ?? (host.startsWith('/') ? host : null);
  if (socket !== null) return socketAddress(socket);
  const match = /^(?:\[([0-9A-Fa-f:.%]+)\]|([^:[\]\s]*))(?::(\d{1,5}))?$/.exec(host);
  // An IPv6 address without brackets has more than one colon and no port.
  const bare = /^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*$/.test(host) ? host : null;
  const name = bare ?? match?.[1] ?? match?.[2];
  if (name === undefined) return null;
  if (name === '' || name === 'localhost') return { socket: defaultSocket };
  const port = match?.[3] === undefined ? (parts.port ?? DEFAULT_PORT) : Number(match[3]);
  return port >= 1 && port <= 65535 ? { host: name, port } : null;
}

/** For people: a socket's path, or `host:port`. */
export function showServer(address: ServerAddress): string {
  if ('socket' in address) return address.socket;
  return `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`;
}

/** Whether both lead to one server, as far as addresses can tell. */
export function isSameServer(a: ServerAddress, b: ServerAddress, defaultSocket: string = DEFAULT_SOCKET): boolean {
  return identifyServer(a, defaultSocket) === identifyServer(b, defaultSocket);
}

function socketAddress(socket: string): ServerAddress | null {
  return socket.startsWith('/') && !socket.includes('\0') ? { socket } : null;
}

/** A text that is the same for addresses that lead to one server, as far as they can tell. */
export function identifyServer(address: ServerAddress, defaultSocket: string = DEFAULT_SOCKET): string {
  if ('socket' in address) return address.socket === defaultSocket ? 'local' : `socket ${address.socket}`;
  const isLocal = ['localhost', '127.0.0.1', '::1'].includes(address.host) && address.port === DEFAULT_PORT;
  return isLocal ? 'local' : `${address.host.toLowerCase()} ${address.port}`;
}
