/** A WordPress site's database, from the constants and the table prefix in `wp-config.php`. */
import { evaluatePhp } from '../lib/php-evaluate.ts';
import { fromText, Unresolved } from '../lib/php-values.ts';
import type { PhpValue } from '../lib/php-values.ts';
import { isComplete, makeDatabases } from './site-database.ts';
import type { ReadDatabases } from './site-database.ts';
import { problemsOf } from './settings-problems.ts';
import type { SettingsPlace } from './read-drupal.ts';

/** The last line of every configuration starts WordPress itself. */
const APPLICATION_FILES = ['wp-settings.php', 'autoload.php'];

export function readWordpress(place: SettingsPlace): ReadDatabases {
  const file = `${place.sitePath}/wp-config.php`;
  const result = evaluatePhp(file, {
    files: place.files,
    workingDirectory: place.platformRoot,
    applicationFiles: APPLICATION_FILES,
    // wp-load.php sets it before it reads the configuration.
    constants: { ABSPATH: fromText(`${place.platformRoot}/`) },
  });
  if (!result.ok && !isComplete(place.override)) return { databases: [], problems: problemsOf(result.notes) };
  const constant = (name: string): PhpValue | undefined => result.constants.get(name);
  const read = makeDatabases(
    [
      {
        label: '',
        driver: 'mysql',
        name: constant('DB_NAME'),
        user: constant('DB_USER'),
        password: constant('DB_PASSWORD') ?? new Unresolved('is not set', file, 0),
        host: constant('DB_HOST'),
        port: undefined,
        socket: undefined,
        prefix: result.variables.get('table_prefix') ?? new Unresolved('is not set', file, 0),
        file,
      },
    ],
    place.override,
    place.defaultSocket,
  );
  return { databases: read.databases, problems: [...(result.ok ? problemsOf(result.notes) : []), ...read.problems] };
}
