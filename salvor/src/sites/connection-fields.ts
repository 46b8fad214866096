/**
 * Which values of a settings file are the fields of a connection whose log-in changes, and what they become. A field is
 * told by its name and by what stands beside it: `host` is one of a database's only next to that database's name. Works
 * on literals of the source and on values that were worked out alike, so that both are judged by one rule.
 */
import type { ServerAddress } from '../databases/mariadb/connect.ts';
import type { LiteralPlace } from '../lib/php-literals.ts';
import { percentDecode } from '../lib/php-functions.ts';
import { fromText } from '../lib/php-values.ts';
import { DEFAULT_SOCKET, isSameServer, parseAddress } from './database-address.ts';

export type Connection = {
  readonly name: string;
  readonly user: string;
  /** Never printed, never logged. */
  readonly password: string;
  readonly address: ServerAddress;
};

export type ConnectionChange = {
  readonly from: Connection;
  readonly to: Connection;
  /** What `localhost` means on this host, where it is not Debian's. */
  readonly defaultSocket?: string | undefined;
};

export type FieldRole = 'name' | 'user' | 'password' | 'host' | 'port' | 'socket';

/** A value with one character per byte, and what it is the value of. */
export type Field = { readonly place: LiteralPlace; readonly value: string };

export type NewField = { readonly role: FieldRole; readonly value: string };

/** By the last name on the way to the value, in lower case. */
const ROLES: Readonly<Record<string, FieldRole>> = {
  database: 'name',
  db_name: 'name',
  dbname: 'name',
  database_name: 'name',
  username: 'user',
  user: 'user',
  db_user: 'user',
  dbuser: 'user',
  database_user: 'user',
  password: 'password',
  pass: 'password',
  db_passwd: 'password',
  db_password: 'password',
  db_pass: 'password',
  dbpass: 'password',
  dbpassword: 'password',
  database_password: 'password',
  host: 'host',
  hostname: 'host',
  db_host: 'host',
  dbhost: 'host',
  database_host: 'host',
  port: 'port',
  db_port: 'port',
  unix_socket: 'socket',
  db_socket: 'socket',
};

type Group = {
  readonly values: Map<FieldRole, string[]>;
  readonly prefix: LiteralPlace;
  change: ConnectionChange | null;
};

export class ConnectionFields {
  readonly #groups = new Map<string, Group>();
  readonly #isDrushrc: boolean;

  /** `isDrushrc`: Aegir url-decodes what `drushrc.php` says. `named` tells the database of `$databases[key][target]`. */
  constructor(
    fields: Iterable<Field>,
    changes: readonly ConnectionChange[],
    options: { readonly isDrushrc: boolean; readonly named: (keys: readonly (string | null)[]) => string | null },
  ) {
    this.#isDrushrc = options.isDrushrc;
    for (const field of fields) this.#collect(field);
    for (const group of this.#groups.values()) group.change = changeOf(group, changes, options.named);
  }

  #collect({ place, value }: Field): void {
    const role = roleOf(place);
    if (role === null) return;
    const { key, prefix } = groupOf(place);
    const group: Group = this.#groups.get(key) ?? { values: new Map(), prefix, change: null };
    this.#groups.set(key, group);
    const decoded = this.#isEncoded(place) ? urlDecode(value) : value;
    const values = group.values.get(role) ?? [];
    values.push(decoded);
    group.values.set(role, values);
  }

  /** What the field becomes; null where it is none of a connection that changes, or stays. */
  rewrite({ place, value }: Field): NewField | null {
    const role = roleOf(place);
    const group = role === null ? undefined : this.#groups.get(groupOf(place).key);
    if (role === null || group?.change == null) return null;
    const { from, to } = group.change;
    const isEncoded = this.#isEncoded(place);
    const old = isEncoded ? urlDecode(value) : value;
    const become = (text: string): NewField | null =>
      text === old ? null : { role, value: isEncoded ? urlEncode(text) : text };
    switch (role) {
      case 'name':
      case 'user':
      case 'password': {
        // Some versions of Aegir write it as it is.
        const isOld = old === fromText(from[role]) || value === fromText(from[role]);
        return isOld ? become(fromText(to[role])) : null;
      }
      case 'host':
      case 'port':
      case 'socket': {
        const text = newAddress(group, group.change, place.kind === 'constant')[role];
        return text === undefined ? null : become(fromText(text));
      }
      default:
        return role satisfies never;
    }
  }

  /** The change that the field's connection undergoes. */
  changeAt(place: LiteralPlace): ConnectionChange | null {
    return roleOf(place) === null ? null : (this.#groups.get(groupOf(place).key)?.change ?? null);
  }

  #isEncoded(place: LiteralPlace): boolean {
    return this.#isDrushrc && place.kind === 'variable' && place.name === 'options';
  }
}

/**
 * `mysql://user:password@host:port/name?…` with its parts url-encoded; anything may stand before and behind. The bounds are
 * beyond what a server takes, and keep a text that is made to cost from being looked through again and again.
 */
const DATABASE_URL =
  /\b(?:mysqli?|mariadb|mysql2):\/\/(?<user>[^:@/\s]{0,400})(?::(?<password>\S{0,1000}))?@(?<host>[^@/?#\s:]{0,255})(?::(?<port>\d{1,5}))?\/(?<name>[^?#\s'"]{0,400})/d;

/** A text with other parts in the address of a database; null where it has none that changes. */
export function rewriteDatabaseUrl(text: string, changes: readonly ConnectionChange[]): string | null {
  const match = DATABASE_URL.exec(text);
  const { groups, indices } = match ?? {};
  if (groups === undefined || indices?.groups === undefined) return null;
  const part = (name: string): string => percentDecode(groups[name] ?? '');
  const change = changes.find(
    ({ from: old }) =>
      part('name') === fromText(old.name) && (part('user') === fromText(old.user) || changes.length === 1),
  );
  if (change === undefined) return null;
  const { from, to, defaultSocket } = change;
  const isMoved = !isSameServer(from.address, to.address, defaultSocket);
  const parts: Record<string, string> = {};
  // Aegir writes the parts of one that Drupal 7 and later do not read as they are.
  const isOld = (role: 'user' | 'password' | 'name'): boolean =>
    [part(role), groups[role]].includes(fromText(from[role])) && from[role] !== to[role];
  for (const role of ['user', 'password', 'name'] as const)
    if (isOld(role)) parts[role] = percentEncode(fromText(to[role]));
  if (isMoved) {
    const old = parseAddress(
      { host: part('host'), ...(groups['port'] === undefined ? {} : { port: Number(groups['port']) }) },
      defaultSocket,
    );
    if (old !== null && isSameServer(old, from.address, defaultSocket)) {
      if (!('socket' in to.address))
        parts['host'] = `${to.address.host}${to.address.port === 3306 ? '' : `:${to.address.port}`}`;
      // A socket that is not the server's usual one can't be told in a URL: left, and found when it is read again.
      else if (isSameServer(to.address, { socket: defaultSocket ?? DEFAULT_SOCKET }, defaultSocket))
        parts['host'] = 'localhost';
    }
  }
  let result = text;
  // From the back, so that offsets stay.
  for (const name of ['name', 'host', 'password', 'user']) {
    const span = indices.groups[name];
    const replacement = parts[name];
    if (span === undefined || replacement === undefined) continue;
    const end = name === 'host' && indices.groups['port'] !== undefined ? indices.groups['port'][1] : span[1];
    result = result.slice(0, span[0]) + replacement + result.slice(end);
  }
  return result === text ? null : result;
}

/** As PHP's `urldecode`, on one character per byte. */
export function urlDecode(text: string): string {
  return percentDecode(text.replaceAll('+', ' '));
}

/** A spelling that `urldecode` and `rawurldecode` read back as it was; of names that need none it is the same. */
export function urlEncode(text: string): string {
  return percentEncode(text);
}

function percentEncode(text: string): string {
  return text.replace(
    /[^A-Za-z0-9_.-]/g,
    (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}

function roleOf(place: LiteralPlace): FieldRole | null {
  const name = lastName(place);
  const role = name === null || !Object.hasOwn(ROLES, name) ? undefined : ROLES[name];
  if (role === undefined) return null;
  // Without `db` in it a name is one of a database's only among others below one variable.
  return name !== null && (/^(?:db|database_)/.test(name) || (place.kind === 'variable' && place.keys.length > 0))
    ? role
    : null;
}

/** The last name on the way to a value, in lower case. */
export function lastName(place: LiteralPlace): string | null {
  if (place.kind === 'constant') return place.name.toLowerCase();
  if (place.kind !== 'variable') return null;
  const last = place.keys.length === 0 ? place.name : place.keys.at(-1);
  return last?.toLowerCase() ?? null;
}

function groupOf(place: LiteralPlace): { readonly key: string; readonly prefix: LiteralPlace } {
  if (place.kind !== 'variable') return { key: place.kind, prefix: place };
  if (place.keys.length === 0) return { key: 'variables', prefix: place };
  const prefix = { ...place, keys: place.keys.slice(0, -1) };
  return { key: JSON.stringify([prefix.name, prefix.keys]), prefix };
}

function changeOf(
  { values, prefix }: Group,
  changes: readonly ConnectionChange[],
  named: (keys: readonly (string | null)[]) => string | null,
): ConnectionChange | null {
  const names = values.get('name') ?? [];
  const users = values.get('user') ?? [];
  const fitting = changes.filter(({ from }) => names.includes(fromText(from.name)));
  const found = fitting.find(({ from }) => users.includes(fromText(from.user))) ?? fitting[0];
  if (found !== undefined || names.length > 0) return found ?? null;
  if (prefix.kind === 'variable' && prefix.name === 'databases') {
    const name = named(prefix.keys);
    return changes.find(({ from }) => fromText(from.name) === name) ?? null;
  }
  // A log-in in pieces (`DB_USER` here, `DB_NAME` in another file) is the site's where it has but one.
  const isOfDatabase =
    prefix.kind === 'constant' ||
    (prefix.kind === 'variable' && (prefix.keys.length === 0 || ['options', '_SERVER', '_ENV'].includes(prefix.name)));
  return isOfDatabase && changes.length === 1 ? (changes[0] ?? null) : null;
}

type AddressTexts = Partial<Record<'host' | 'port' | 'socket', string>>;

/** What the fields of an address become, as far as there are fields for it: what has none is found when it is read again. */
function newAddress(
  { values }: Group,
  { from: { address: from }, to: { address: to }, defaultSocket = DEFAULT_SOCKET }: ConnectionChange,
  isConstant: boolean,
): AddressTexts {
  if (isSameServer(from, to, defaultSocket)) return {};
  const [host] = values.get('host') ?? [];
  const [port] = values.get('port') ?? [];
  const [socket] = values.get('socket') ?? [];
  const parts = {
    host: host ?? '',
    ...(socket === undefined ? {} : { socket }),
    ...(port === undefined || !/^[1-9]\d*$/.test(port) ? {} : { port: Number(port) }),
  };
  const old = parseAddress(parts, defaultSocket);
  if (old === null || !isSameServer(old, from, defaultSocket)) return {};
  if ('socket' in to) {
    if (socket !== undefined) return { socket: to.socket };
    // WordPress alone takes a socket in the place of the port.
    const told = isConstant && to.socket !== defaultSocket ? `localhost:${to.socket}` : 'localhost';
    return { host: told, ...(port === undefined ? {} : { port: '' }) };
  }
  const isPortTold = port !== undefined || to.port === 3306;
  if (isPortTold) return { host: to.host, ...(port === undefined ? {} : { port: String(to.port) }) };
  return { host: isConstant ? `${to.host}:${to.port}` : to.host };
}
