/** The new log-in as Aegir's cloaked settings find it in `$_SERVER`. */
import { fromText, PhpArray, Unresolved } from '../lib/php-values.ts';
import type { PhpKey, PhpValue } from '../lib/php-values.ts';
import type { ConnectionChange } from './connection-fields.ts';

/** Of the first connection: Aegir's sites have one. */
export function serverParts(changes: readonly ConnectionChange[]): PhpArray {
  const entries = new Map<PhpKey, PhpValue>();
  const connection = changes[0]?.to;
  if (connection !== undefined) {
    const { name, user, password, address } = connection;
    const isSocket = 'socket' in address;
    const fields = {
      db_type: 'mysql',
      db_name: name,
      db_user: user,
      db_passwd: password,
      db_host: isSocket ? 'localhost' : address.host,
      db_port: isSocket ? '' : String(address.port),
    };
    for (const [key, text] of Object.entries(fields)) entries.set(key, fromText(text));
  }
  return new PhpArray(entries, new Unresolved('comes from the request or the web server’s configuration', '', 0));
}
