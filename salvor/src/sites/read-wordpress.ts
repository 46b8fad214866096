/**
 * A WordPress site's database, from the constants and the table prefix in `wp-config.php`, and whether it is a network of
 * several sites in that database.
 */
import { evaluatePhp } from '../lib/php-evaluate.ts';
import { fromText, toText, Unresolved } from '../lib/php-values.ts';
import type { PhpValue } from '../lib/php-values.ts';
import { readClientFlags, TLS_CONSTANTS } from './database-tls.ts';
import { isComplete, isEmpty, makeDatabases } from './site-database.ts';
import type { DatabaseFields, ReadSettings } from './site-database.ts';
import type { SettingsPlace } from './settings-place.ts';
import { hasUnread, isUnreadable, problemsOf } from './settings-problems.ts';

/** The last line of every configuration starts WordPress itself. */
const APPLICATION_FILES = ['wp-settings.php', 'autoload.php'];

export type ReadWordpress = ReadSettings & {
  /** Hosts and paths that the site says it has: `example.com`, `example.com/blog`. */
  readonly addresses: readonly string[];
  /** Several sites in one database, told apart by prefixes (`wp_2_`); restored as one. */
  readonly isNetwork: boolean;
};

export function readWordpress(place: SettingsPlace): ReadWordpress {
  const file = place.settings ?? `${place.sitePath}/wp-config.php`;
  const { files, override, defaultSocket } = place;
  const result = evaluatePhp(file, {
    files,
    workingDirectory: place.platformRoot,
    applicationFiles: APPLICATION_FILES,
    environment: place.environment,
    // wp-load.php sets it before it reads the configuration.
    wellKnown: TLS_CONSTANTS,
    constants: { ABSPATH: fromText(`${place.platformRoot}/`) },
  });
  if (!result.ok && !isComplete(override)) {
    const says = isUnreadable(result.notes, file) ? 'unreadable' : 'named';
    return { databases: [], problems: problemsOf(result.notes, files), says, addresses: [], isNetwork: false };
  }
  const constant = (name: string): PhpValue | undefined => result.constants.get(name);
  const fields: DatabaseFields = {
    label: '',
    driver: 'mysql',
    name: constant('DB_NAME'),
    user: constant('DB_USER'),
    password: constant('DB_PASSWORD') ?? new Unresolved('is not set', file, 0),
    host: constant('DB_HOST'),
    port: undefined,
    socket: undefined,
    prefix: result.variables.get('table_prefix') ?? new Unresolved('is not set', file, 0),
    otherPrefixes: [],
    tls: readClientFlags(constant('MYSQL_CLIENT_FLAGS'), constant('MYSQL_SSL_CA'), place),
    file,
  };
  const read = makeDatabases([fields], override, defaultSocket);
  return {
    databases: read.databases,
    problems: [...(result.ok ? problemsOf(result.notes, files) : []), ...read.problems],
    says: !isEmpty(fields) || isComplete(override) ? 'named' : hasUnread(result.notes) ? 'unknown' : 'none',
    addresses: ['WP_HOME', 'WP_SITEURL', 'DOMAIN_CURRENT_SITE'].flatMap((name) => addressOf(constant(name)) ?? []),
    isNetwork: constant('MULTISITE') === true || constant('MULTISITE') === 1n,
  };
}

function addressOf(value: PhpValue | undefined): string | null {
  const text = typeof value === 'string' ? toText(value) : null;
  const match = /^(?:https?:\/\/)?([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)(?::\d+)?((?:\/[\w.-]+)*)\/?$/.exec(text ?? '');
  const isAddress = /^[\d.]+$/.test(match?.[1] ?? '');
  return match === null || isAddress ? null : `${match[1]?.toLowerCase()}${match[2]}`;
}
