/**
 * Puts a site's database together from what its settings say and what the configuration gives in their
 * place. A field that neither tells is a problem with file and line; nothing is filled in by guessing.
 */
import { toText, Unresolved } from '../lib/php-values.ts';
import type { PhpValue } from '../lib/php-values.ts';
import { parseAddress } from './database-address.ts';
import type { ReadTls } from './database-tls.ts';
import type { SiteDatabase, SiteProblem } from './site.ts';

/** What `salvor.yaml` says of a site's databases: it wins over the site's settings. */
export type SiteOverride = { readonly databases: readonly DatabaseOverride[] };

/** What is null or left out is taken from the site's settings. */
export type DatabaseOverride = {
  readonly name?: string | null;
  readonly user?: string | null;
  readonly password?: string | null;
  readonly host?: string | null;
  readonly socket?: string | null;
  readonly port?: number | null;
  readonly prefix?: string | null;
};

/** Fields as settings hold them; undefined where they say nothing. */
export type DatabaseFields = {
  /** How the settings call this database, for messages. */
  readonly label: string;
  readonly driver: PhpValue | undefined;
  readonly name: PhpValue | undefined;
  readonly user: PhpValue | undefined;
  readonly password: PhpValue | undefined;
  readonly host: PhpValue | undefined;
  readonly port: PhpValue | undefined;
  readonly socket: PhpValue | undefined;
  readonly prefix: PhpValue | undefined;
  /** Prefixes that single tables have of their own. */
  readonly otherPrefixes: readonly string[];
  readonly tls: ReadTls;
  /** Where the fields stand, for what has no line of its own. */
  readonly file: string;
};

export type ReadDatabases = {
  readonly databases: readonly SiteDatabase[];
  readonly problems: readonly SiteProblem[];
};

/** What a site's settings came to. */
export type ReadSettings = ReadDatabases & {
  /**
   * `unreadable`: the file itself is none that PHP would read, or that we may; `none`: it certainly names no database, or
   * only the placeholders that it was delivered with; `unknown`: an included file that was not read may name one;
   * `named`: it names one, or something in its place.
   */
  readonly says: 'named' | 'none' | 'unknown' | 'unreadable';
};

const ENGINES: Readonly<Record<string, SiteDatabase['engine']>> = {
  mysql: 'mariadb',
  mysqli: 'mariadb',
  mariadb: 'mariadb',
  pgsql: 'postgres',
  sqlite: 'sqlite',
};

/** True where the configuration says all that each log-in needs, so that the settings are not asked. */
export function isComplete(override: SiteOverride | undefined): override is SiteOverride {
  return override !== undefined && override.databases.length > 0 && override.databases.every(saysAll);
}

/**
 * The databases of the settings, each with what the configuration says of it. An entry belongs to the
 * database of its name, else to the first one whose name the settings do not tell; the only entry of a
 * site belongs to its first database in any case. Other entries are databases of their own.
 */
export function makeDatabases(
  settings: readonly DatabaseFields[],
  override: SiteOverride | undefined,
  defaultSocket?: string,
): ReadDatabases {
  const entries = override?.databases ?? [];
  const given = new Map<DatabaseFields, DatabaseOverride>();
  const own: DatabaseOverride[] = [];
  for (const entry of entries) {
    const free = settings.filter((fields) => !given.has(fields));
    const fitting =
      free.find((fields) => entry.name != null && nameOf(fields) === entry.name) ??
      free.find((fields) => nameOf(fields) === null) ??
      (entries.length === 1 ? free[0] : undefined);
    if (fitting === undefined) own.push(entry);
    else given.set(fitting, entry);
  }
  const file = settings[0]?.file ?? '';
  const read = [
    ...settings.map((fields) => makeDatabase(fields, given.get(fields), defaultSocket)),
    ...own.map((entry) => makeDatabase({ ...NOTHING_READ, file }, entry, defaultSocket)),
  ];
  return { databases: read.flatMap(({ databases }) => databases), problems: read.flatMap(({ problems }) => problems) };
}

/** For settings of which nothing could be read. */
export const NOTHING_READ: DatabaseFields = {
  label: '',
  driver: undefined,
  name: undefined,
  user: undefined,
  password: undefined,
  host: undefined,
  port: undefined,
  socket: undefined,
  prefix: undefined,
  otherPrefixes: [],
  tls: null,
  file: '',
};

/** Whether the fields certainly name no database: a site that nobody has installed. */
export function isEmpty(fields: DatabaseFields): boolean {
  const isNothing = (value: PhpValue | undefined): boolean => value === undefined || value === null || value === '';
  return (isNothing(fields.name) && isNothing(fields.user)) || isPlaceholder(fields);
}

/** What Drupal 6, Backdrop and WordPress are delivered with. */
const PLACEHOLDERS: ReadonlySet<string> = new Set([
  'databasename username password',
  'database_name user pass',
  'database_name_here username_here password_here',
]);

function isPlaceholder({ name, user, password }: DatabaseFields): boolean {
  const texts = [name, user, password].flatMap((value) => (typeof value === 'string' ? [value] : []));
  return texts.length === 3 && PLACEHOLDERS.has(texts.join(' '));
}

function saysAll(entry: DatabaseOverride): boolean {
  return entry.name != null && entry.user != null && entry.password != null;
}

function nameOf(fields: DatabaseFields): string | null {
  return typeof fields.name === 'string' ? toText(fields.name) : null;
}

function makeDatabase(fields: DatabaseFields, override: DatabaseOverride = {}, defaultSocket?: string): ReadDatabases {
  const problems: SiteProblem[] = [];
  const field = (
    name: string,
    value: PhpValue | undefined,
    given: string | number | null | undefined,
    isNeeded: boolean,
  ): string => {
    const read = given != null ? { text: String(given) } : textOf(value, isNeeded);
    if ('text' in read) return read.text;
    problems.push(unresolvedField(fields, name, read.why, value));
    return '';
  };
  const driver = field(
    'driver',
    fields.driver ?? 'mysql',
    saysAll(override) && typeof fields.driver !== 'string' ? 'mysql' : undefined,
    true,
  );
  const engine = ENGINES[driver];
  if (problems.length === 0 && engine === undefined) {
    problems.push(unresolvedField(fields, 'driver', 'is one that is not known here', fields.driver));
  }
  const isServer = engine !== 'sqlite';
  const name = field('name', fields.name, override.name, true);
  const user = isServer ? field('user', fields.user, override.user, true) : '';
  const password = isServer ? field('password', fields.password, override.password, false) : '';
  const prefix = field('prefix', fields.prefix, override.prefix, false);
  const isPlaceGiven = override.host != null || override.socket != null;
  const host = isServer ? field('host', isPlaceGiven ? '' : fields.host, override.host, false) : '';
  const socket = isServer ? field('socket', isPlaceGiven ? '' : fields.socket, override.socket, false) : name;
  const port = isServer ? field('port', isPlaceGiven ? '' : fields.port, override.port, false) : '';
  if (problems.length > 0 || engine === undefined) return { databases: [], problems: withoutEchoes(problems) };
  const address = isServer ? addressOf(engine, host, port, socket, defaultSocket) : { socket };
  if (address === null)
    return { databases: [], problems: [unresolvedField(fields, 'host', 'is no address', fields.host)] };
  const { otherPrefixes, tls } = fields;
  // In the clear where encryption was asked for: a password on the wire.
  if (tls instanceof Unresolved && 'host' in address)
    return { databases: [], problems: [unresolvedField(fields, 'way to encrypt the connection', tls.why, tls)] };
  const isSecured = 'host' in address && tls !== null && !(tls instanceof Unresolved);
  const login = { address: isSecured ? { ...address, tls } : address, user, password };
  return { databases: [{ engine, name, login, prefix, otherPrefixes, sharedWith: [] }], problems };
}

function addressOf(
  engine: SiteDatabase['engine'],
  host: string,
  port: string,
  socket: string,
  defaultSocket?: string,
): SiteDatabase['login']['address'] | null {
  if (port !== '' && !/^\d{1,5}$/.test(port)) return null;
  if (engine === 'postgres') {
    return host.startsWith('/')
      ? { socket: host }
      : { host: host === '' ? 'localhost' : host, port: port === '' ? 5432 : Number(port) };
  }
  return parseAddress({ host, socket, ...(port === '' || port === '0' ? {} : { port: Number(port) }) }, defaultSocket);
}

function textOf(value: PhpValue | undefined, isNeeded: boolean): { readonly text: string } | { readonly why: string } {
  if (value instanceof Unresolved) return { why: value.why };
  if (typeof value === 'bigint') return { text: value.toString() };
  const text = typeof value === 'string' ? toText(value) : null;
  if (text !== null && (text !== '' || !isNeeded)) return { text };
  if (typeof value === 'string') return { why: text === null ? 'holds bytes that are no text' : 'is empty' };
  if ((value === undefined || value === null || value === false) && !isNeeded) return { text: '' };
  return { why: value === undefined || value === null ? 'is not set' : 'is no text' };
}

function unresolvedField(fields: DatabaseFields, name: string, why: string, value: PhpValue | undefined): SiteProblem {
  const message = `The ${name} of the database${fields.label === '' ? '' : ` “${fields.label}”`} could not be worked out: it ${why}.`;
  // What the request or its environment would give stands on no line.
  const place =
    value instanceof Unresolved && value.line > 0 ? { file: value.file, line: value.line } : { file: fields.file };
  return { code: 'database-unresolved', message, ...place };
}

// One cause that leaves all fields open is said once.
function withoutEchoes(problems: readonly SiteProblem[]): SiteProblem[] {
  return problems.filter(
    (problem, index) => problems.findIndex((other) => causeOf(other) === causeOf(problem)) === index,
  );
}

function causeOf(problem: SiteProblem): string {
  return `${problem.file} ${problem.line} ${problem.message.replace(/^The \w+ /, '')}`;
}
