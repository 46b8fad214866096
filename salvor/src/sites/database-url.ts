/**
 * A database as one URL, as Drupal up to 6 (`$db_url`) and Backdrop (`$database`) have it: `mysqli://user:password@host:port/name`,
 * its parts url-encoded. The last `@` ends the log-in, as in PHP's own reading.
 */
import { percentDecode } from '../lib/php-functions.ts';
import { Unresolved } from '../lib/php-values.ts';
import type { PhpValue } from '../lib/php-values.ts';

export type UrlFields = Readonly<
  Record<'driver' | 'name' | 'user' | 'password' | 'host' | 'port', PhpValue | undefined>
>;

/** Fields with one character per byte, as the value has them; what the URL does not tell is undefined. */
export function readDatabaseUrl(value: PhpValue | undefined): UrlFields {
  const all = (field: PhpValue | undefined): UrlFields => ({
    driver: field,
    name: field,
    user: field,
    password: field,
    host: field,
    port: field,
  });
  if (value instanceof Unresolved) return all(value);
  const match = /^([A-Za-z0-9+.-]+):\/\/(?:([^:@/]*)(?::([^]*))?@)?([^@/?#]*?)(?::(\d{1,5}))?\/([^?#]*)/.exec(
    typeof value === 'string' ? value : '',
  );
  if (match === null) return all(undefined);
  const part = (index: number): string | undefined => {
    const text = match[index];
    return text === undefined ? undefined : percentDecode(text);
  };
  return { driver: part(1), user: part(2), password: part(3), host: part(4), port: part(5), name: part(6) };
}
