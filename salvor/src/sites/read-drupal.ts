/**
 * The databases of a site of Drupal or Backdrop, from `settings.php` and what it includes: `$databases` (Drupal 7 to 11),
 * `$db_url` (up to 6), `$database` (Backdrop). Cloaked settings take the log-in from the web server's environment; Aegir
 * keeps the same in `drushrc.php` and writes it into the site's virtual host.
 */
import { evaluatePhp, valueAt } from '../lib/php-evaluate.ts';
import { fromText, PhpArray, toText } from '../lib/php-values.ts';
import type { PhpValue } from '../lib/php-values.ts';
import { readPdoTls, TLS_CONSTANTS } from './database-tls.ts';
import { readDatabaseUrl } from './database-url.ts';
import { isComplete, isEmpty, makeDatabases, NOTHING_READ } from './site-database.ts';
import type { DatabaseFields, ReadSettings } from './site-database.ts';
import type { SettingsPlace } from './settings-place.ts';
import { isSameServer } from './database-address.ts';
import type { SiteDatabase, SiteProblem } from './site.ts';
import { hasUnread, isUnreadable, problemsOf } from './settings-problems.ts';
import { readDrushrc, serverOf } from './read-drushrc.ts';

/** Loading a site's code is not what settings are read for. */
const APPLICATION_FILES = ['autoload.php', 'install.core.inc', 'bootstrap.inc'];

export function readDrupal(place: SettingsPlace): ReadSettings {
  const file = place.settings ?? `${place.sitePath}/settings.php`;
  const { files, override, defaultSocket } = place;
  const drushrc = readDrushrc(place.sitePath, files);
  const result = evaluatePhp(file, {
    files,
    workingDirectory: place.platformRoot,
    applicationFiles: APPLICATION_FILES,
    server: serverOf(drushrc, place.environment),
    environment: place.environment,
    variables: {
      databases: PhpArray.empty,
      settings: PhpArray.empty,
      conf: PhpArray.empty,
      config: PhpArray.empty,
      app_root: fromText(place.platformRoot),
      site_path: fromText(place.sitePath.slice(place.platformRoot.length + 1)),
    },
    wellKnown: TLS_CONSTANTS,
    constants: {
      DRUPAL_ROOT: fromText(place.platformRoot),
      BACKDROP_ROOT: fromText(place.platformRoot),
    },
  });
  // A file that tells no log-in is no hindrance where the configuration does.
  if (!result.ok && isComplete(override))
    return { ...makeDatabases([{ ...NOTHING_READ, file }], override, defaultSocket), says: 'named' };
  if (!result.ok) {
    const problems = [...problemsOf(result.notes, files), ...drushrc.problems];
    return { databases: [], problems, says: isUnreadable(result.notes, file) ? 'unreadable' : 'named' };
  }
  const connections = connectionsOf(result.variables, place, file);
  const read = makeDatabases(connections, override, defaultSocket);
  return {
    says: !connections.every(isEmpty) ? 'named' : hasUnread(result.notes) ? 'unknown' : 'none',
    databases: mergeSame(read.databases),
    problems: [
      ...problemsOf(result.notes, files),
      // What drushrc.php could not tell matters where the settings ask for it.
      ...(read.problems.length > 0 ? drushrc.problems : []),
      ...read.problems,
      ...connections.flatMap(prefixProblems),
    ],
  };
}

/** The default connection first, also where the settings name none: a site has a database. */
function connectionsOf(variables: ReadonlyMap<string, PhpValue>, place: SettingsPlace, file: string): DatabaseFields[] {
  const databases = variables.get('databases');
  const keys = databases instanceof PhpArray ? [...databases.entries.keys()] : [];
  const isOld = databases instanceof PhpArray && databases.rest === null && keys.length === 0;
  const fromUrls = isOld ? urlConnections(variables, file) : [];
  if (fromUrls.length > 0) return fromUrls;
  return [...new Set(['default', ...keys])].map((key) =>
    fieldsOf(primaryOf(valueAt(databases, key)), textOf(key), place, file),
  );
}

/** Of Backdrop's `$database` or Drupal 6's `$db_url`, a URL or several by name. */
function urlConnections(variables: ReadonlyMap<string, PhpValue>, file: string): DatabaseFields[] {
  const isBackdrop = variables.has('database');
  const value = variables.get(isBackdrop ? 'database' : 'db_url');
  if (value === undefined || value === null || value === '') return [];
  const prefix = prefixesOf(variables.get(isBackdrop ? 'database_prefix' : 'db_prefix'));
  const urls = value instanceof PhpArray && value.rest === null ? [...value.entries] : ([['default', value]] as const);
  return urls.map(([key, url]) => ({
    label: textOf(key),
    ...readDatabaseUrl(url),
    socket: undefined,
    ...prefix,
    tls: null,
    file,
  }));
}

function textOf(key: bigint | string): string {
  return typeof key === 'string' ? (toText(key) ?? '') : String(key);
}

/** The connection that is written to: replicas hold nothing of their own. A list of several is split by chance. */
function primaryOf(connections: PhpValue | undefined): PhpValue | undefined {
  const connection = valueAt(connections, 'default');
  return connection instanceof PhpArray && !connection.entries.has('database')
    ? (connection.get(0n) ?? connection)
    : connection;
}

function fieldsOf(connection: PhpValue | undefined, label: string, place: SettingsPlace, file: string): DatabaseFields {
  const field = (key: string): PhpValue | undefined => valueAt(connection, key);
  const name = field('database');
  const isRelative = field('driver') === 'sqlite' && typeof name === 'string' && name !== '' && !name.startsWith('/');
  return {
    label,
    driver: field('driver'),
    // PHP opens the file of SQLite from the docroot.
    name: isRelative ? `${fromText(place.platformRoot)}/${name.replace(/^(?:\.\/)+/, '')}` : name,
    user: field('username'),
    password: field('password'),
    host: field('host'),
    port: field('port'),
    socket: field('unix_socket'),
    ...prefixesOf(field('prefix')),
    tls: readPdoTls(field('pdo'), place),
    file,
  };
}

/** One prefix for all tables, or one per table beside a default one. */
function prefixesOf(value: PhpValue | undefined): Pick<DatabaseFields, 'prefix' | 'otherPrefixes'> {
  if (!(value instanceof PhpArray)) return { prefix: value, otherPrefixes: [] };
  const texts = [...value.entries].flatMap(([key, prefix]) =>
    key === 'default' || typeof prefix !== 'string' ? [] : (toText(prefix) ?? []),
  );
  return { prefix: value.get('default') ?? '', otherPrefixes: [...new Set(texts)] };
}

/** A prefix with a dot is the name of another database: its tables are not in the dump of this one. */
function prefixProblems({ otherPrefixes, file }: DatabaseFields): SiteProblem[] {
  const others = otherPrefixes.filter((prefix) => prefix.includes('.')).map((prefix) => prefix.split('.')[0] ?? '');
  if (others.length === 0) return [];
  const message = `Some tables lie in another database (${[...new Set(others)].join(', ')}), which the settings name by a prefix only.`;
  return [{ code: 'database-prefixes', message, file }];
}

/** Several connections to one database are one, with the prefixes of all. */
function mergeSame(databases: readonly SiteDatabase[]): SiteDatabase[] {
  const isFirst = (database: SiteDatabase, index: number): boolean =>
    databases.findIndex((other) => isSame(database, other)) === index;
  return databases.filter(isFirst).map((database) => {
    const all = databases
      .filter((other) => isSame(database, other))
      .flatMap((other) => [other.prefix, ...other.otherPrefixes]);
    return { ...database, otherPrefixes: [...new Set(all)].filter((prefix) => prefix !== database.prefix) };
  });
}

function isSame(a: SiteDatabase, b: SiteDatabase): boolean {
  return a.engine === b.engine && a.name === b.name && isSameServer(a.login.address, b.login.address);
}
