/**
 * A Drupal site's databases (7 to 11), from `settings.php` and what it includes. Cloaked settings take
 * the log-in from the web server's environment; Aegir keeps the same in `drushrc.php`.
 */
import { evaluatePhp, valueAt } from '../lib/php-evaluate.ts';
import type { PhpFiles } from '../lib/php-reading.ts';
import { fromText, PhpArray, toText } from '../lib/php-values.ts';
import type { PhpValue } from '../lib/php-values.ts';
import { isComplete, makeDatabases, NOTHING_READ } from './site-database.ts';
import type { DatabaseFields, ReadDatabases, SiteOverride } from './site-database.ts';
import type { SiteDatabase, SiteProblem } from './site.ts';
import { problemsOf } from './settings-problems.ts';
import { readDrushrc, serverOf } from './read-drushrc.ts';

/** Loading a site's code is not what settings are read for. */
const APPLICATION_FILES = ['autoload.php', 'install.core.inc', 'bootstrap.inc'];

export type SettingsPlace = {
  readonly platformRoot: string;
  readonly sitePath: string;
  readonly files: PhpFiles;
  readonly override?: SiteOverride | undefined;
  readonly defaultSocket?: string | undefined;
};

export function readDrupal(place: SettingsPlace): ReadDatabases {
  const file = `${place.sitePath}/settings.php`;
  const drushrc = readDrushrc(place.sitePath, place.files);
  const result = evaluatePhp(file, {
    files: place.files,
    workingDirectory: place.platformRoot,
    applicationFiles: APPLICATION_FILES,
    server: serverOf(drushrc),
    variables: {
      databases: PhpArray.empty,
      settings: PhpArray.empty,
      conf: PhpArray.empty,
      config: PhpArray.empty,
      app_root: fromText(place.platformRoot),
      site_path: fromText(place.sitePath.slice(place.platformRoot.length + 1)),
    },
    constants: { DRUPAL_ROOT: fromText(place.platformRoot) },
  });
  // A file that tells no log-in is no hindrance where the configuration does.
  if (!result.ok && isComplete(place.override))
    return makeDatabases([{ ...NOTHING_READ, file }], place.override, place.defaultSocket);
  if (!result.ok) return { databases: [], problems: [...problemsOf(result.notes), ...drushrc.problems] };
  const connections = connectionsOf(result.variables.get('databases'));
  const read = makeDatabases(
    connections.map(({ label, connection }) => fieldsOf(connection, label, file)),
    place.override,
    place.defaultSocket,
  );
  return {
    databases: read.databases.filter(
      (database, index, all) => all.findIndex((other) => isSame(database, other)) === index,
    ),
    problems: [
      ...problemsOf(result.notes),
      // What drushrc.php could not tell matters where the settings ask for it.
      ...(read.problems.length > 0 ? drushrc.problems : []),
      ...read.problems,
      ...connections.flatMap(({ connection }) => prefixProblems(connection, file)),
    ],
  };
}

/** The default connection first, also where the settings name none: a site has a database. */
function connectionsOf(databases: PhpValue | undefined): { label: string; connection: PhpValue | undefined }[] {
  const keys = databases instanceof PhpArray ? [...databases.entries.keys()] : [];
  return [...new Set(['default', ...keys])].map((key) => ({
    label: typeof key === 'string' ? (toText(key) ?? '') : String(key),
    connection: primaryOf(valueAt(databases, key)),
  }));
}

/** The connection that is written to: replicas hold nothing of their own. A list of several is split by chance. */
function primaryOf(connections: PhpValue | undefined): PhpValue | undefined {
  const connection = valueAt(connections, 'default');
  return connection instanceof PhpArray && !connection.entries.has('database')
    ? (connection.get(0n) ?? connection)
    : connection;
}

function fieldsOf(connection: PhpValue | undefined, label: string, file: string): DatabaseFields {
  const field = (key: string): PhpValue | undefined => valueAt(connection, key);
  const prefix = field('prefix');
  return {
    label,
    driver: field('driver'),
    name: field('database'),
    user: field('username'),
    password: field('password'),
    host: field('host'),
    port: field('port'),
    socket: field('unix_socket'),
    prefix: prefix instanceof PhpArray ? (prefix.get('default') ?? '') : prefix,
    file,
  };
}

function prefixProblems(connection: PhpValue | undefined, file: string): SiteProblem[] {
  const prefix = valueAt(connection, 'prefix');
  if (
    !(prefix instanceof PhpArray) ||
    (prefix.rest === null && [...prefix.entries.keys()].every((key) => key === 'default'))
  )
    return [];
  return [
    {
      code: 'database-prefixes',
      message: 'Some tables have a prefix of their own: only the default one is known.',
      file,
    },
  ];
}

function isSame(a: SiteDatabase, b: SiteDatabase): boolean {
  return (
    a.engine === b.engine && a.name === b.name && JSON.stringify(a.login.address) === JSON.stringify(b.login.address)
  );
}
