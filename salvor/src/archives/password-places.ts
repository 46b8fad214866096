/** Which literals of a settings file hold a database's password, and which hold what is no secret. */
import type { LiteralPlace } from '../lib/php-literals.ts';

/** Keys, variables and constants that hold the password of a database, whatever they stand in. */
const PASSWORD_NAMES = new Set([
  'db_passwd',
  'db_password',
  'db_pass',
  'dbpass',
  'dbpassword',
  'database_password',
  'mysql_password',
  'mysql_root_password',
  'mariadb_password',
  'pgpassword',
]);

/** Fields of a connection that a password may equal by chance, and that a site needs to be told apart by. */
const OPEN_NAMES = new Set([
  'database',
  'username',
  'user',
  'host',
  'hostname',
  'port',
  'driver',
  'prefix',
  'collation',
  'charset',
  'namespace',
  'unix_socket',
  'autoload',
  'db_type',
  'db_name',
  'db_user',
  'db_host',
  'db_port',
  'db_charset',
  'db_collate',
  'uri',
  'root',
  'site_path',
  'table_prefix',
]);

export function isPasswordPlace(place: LiteralPlace): boolean {
  const name = nameOf(place);
  if (name === null) return false;
  if (PASSWORD_NAMES.has(name)) return true;
  // $databases['default']['default']['password'], and the same in a variable that is merged into it.
  if ((name !== 'password' && name !== 'pass') || place.kind !== 'variable') return false;
  return [place.name, ...place.keys].some((part) => part !== null && /databases?|^db_|connection/i.test(part));
}

export function isOpenPlace(place: LiteralPlace): boolean {
  const name = nameOf(place);
  return place.kind === 'key' || (name !== null && OPEN_NAMES.has(name));
}

/** Name of a line of an environment file. */
export function isPasswordName(name: string): boolean {
  return PASSWORD_NAMES.has(name.toLowerCase());
}

/** `mysql://user:password@host/name`, as Drupal 6, Aegir's contexts and environment files have it. */
const DATABASE_URL = /\b((?:mysqli?|mariadb|pgsql|postgres(?:ql)?|mysql2):\/\/[^\s:/@'"]*:)([^\s'"/]+)(@)/gi;

/** The text with other passwords in its database addresses; null where it has none. */
export function replaceInUrls(text: string, password: string): string | null {
  let count = 0;
  const replaced = text.replace(DATABASE_URL, (_, before: string, __, after: string) => {
    count += 1;
    return before + encodeURIComponent(password) + after;
  });
  return count === 0 ? null : replaced;
}

/** The last name on the way to a value, in lower case. */
function nameOf(place: LiteralPlace): string | null {
  if (place.kind === 'constant') return place.name.toLowerCase();
  if (place.kind !== 'variable') return null;
  return (place.keys.findLast((key) => key !== null) ?? place.name).toLowerCase();
}
