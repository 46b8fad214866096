/** How settings ask for an encrypted connection: Drupal through options of PDO, WordPress through flags of the client. */
import { resolve } from 'node:path';
import type { DatabaseTls } from '../databases/mariadb/tls.ts';
import { PhpArray, toText, Unresolved } from '../lib/php-values.ts';
import type { PhpKey, PhpValue } from '../lib/php-values.ts';
import { homesOf } from './account.ts';
import type { SettingsPlace } from './settings-place.ts';

/** PHP's numbers of the options; those of TLS are what is asked for, the others keep an array of them readable. */
const PDO: Readonly<Record<string, bigint>> = {
  ATTR_AUTOCOMMIT: 0n,
  ATTR_TIMEOUT: 2n,
  ATTR_ERRMODE: 3n,
  ERRMODE_EXCEPTION: 2n,
  ATTR_PERSISTENT: 12n,
  ATTR_STRINGIFY_FETCHES: 17n,
  ATTR_EMULATE_PREPARES: 20n,
};
const PDO_MYSQL: Readonly<Record<string, bigint>> = {
  ATTR_USE_BUFFERED_QUERY: 1000n,
  ATTR_LOCAL_INFILE: 1001n,
  ATTR_INIT_COMMAND: 1002n,
  ATTR_COMPRESS: 1003n,
  ATTR_DIRECT_QUERY: 1004n,
  ATTR_FOUND_ROWS: 1005n,
  ATTR_IGNORE_SPACE: 1006n,
  ATTR_SSL_KEY: 1007n,
  ATTR_SSL_CERT: 1008n,
  ATTR_SSL_CA: 1009n,
  ATTR_SSL_CAPATH: 1010n,
  ATTR_SSL_CIPHER: 1011n,
  ATTR_SERVER_PUBLIC_KEY: 1012n,
  ATTR_MULTI_STATEMENTS: 1013n,
  ATTR_SSL_VERIFY_SERVER_CERT: 1014n,
};
const CLIENT_SSL = 2048n;
const CLIENT_DO_NOT_VERIFY = 64n;
const CLIENT_VERIFY = 1n << 30n;

/** Constants that settings name options by: `PDO::MYSQL_ATTR_SSL_CA`, `Pdo\Mysql::ATTR_SSL_CA` (PHP 8.4), `MYSQLI_CLIENT_SSL`. */
export const TLS_CONSTANTS: Readonly<Record<string, bigint>> = {
  ...Object.fromEntries(Object.entries(PDO).map(([name, value]) => [`pdo::${name}`, value])),
  ...Object.fromEntries(Object.entries(PDO_MYSQL).map(([name, value]) => [`pdo::MYSQL_${name}`, value])),
  ...Object.fromEntries(Object.entries(PDO_MYSQL).map(([name, value]) => [`mysql::${name}`, value])),
  MYSQL_CLIENT_SSL: CLIENT_SSL,
  MYSQL_CLIENT_COMPRESS: 32n,
  MYSQL_CLIENT_IGNORE_SPACE: 256n,
  MYSQL_CLIENT_INTERACTIVE: 1024n,
  MYSQLI_CLIENT_SSL: CLIENT_SSL,
  MYSQLI_CLIENT_SSL_DONT_VERIFY_SERVER_CERT: CLIENT_DO_NOT_VERIFY,
  MYSQLI_CLIENT_SSL_VERIFY_SERVER_CERT: CLIENT_VERIFY,
  MYSQLI_CLIENT_COMPRESS: 32n,
  MYSQLI_CLIENT_FOUND_ROWS: 2n,
  MYSQLI_CLIENT_IGNORE_SPACE: 256n,
  MYSQLI_CLIENT_INTERACTIVE: 1024n,
};

/** Null where nothing asks for encryption; what could not be worked out is given back as that. */
export type ReadTls = DatabaseTls | null | Unresolved;

/** Of a connection's `pdo` options. PDO encrypts where one of key, certificate, authority or cipher is given. */
export function readPdoTls(options: PhpValue | undefined, place: TlsPlace): ReadTls {
  if (options instanceof Unresolved) return options;
  if (!(options instanceof PhpArray)) return null;
  if (options.rest !== null) return options.rest;
  const option = (name: string): PhpValue | undefined => options.get((PDO_MYSQL[name] ?? 0n) satisfies PhpKey);
  const paths: Partial<Record<'ca' | 'caPath' | 'cert' | 'key', string | null>> = {};
  for (const [field, name] of Object.entries(PATHS)) {
    const value = option(name);
    if (value instanceof Unresolved) return value;
    paths[field as keyof typeof PATHS] = pathOf(value, place);
  }
  const { ca = null, caPath = null, cert = null, key = null } = paths;
  const cipher = option('ATTR_SSL_CIPHER');
  const isAsked = [ca, caPath, cert, key].some((path) => path !== null) || typeof cipher === 'string';
  const verify = option('ATTR_SSL_VERIFY_SERVER_CERT');
  if (!isAsked) return null;
  return { ca, caPath, cert, key, verify: typeof verify === 'boolean' ? verify : null, reader: readerOf(place) };
}

const PATHS = { ca: 'ATTR_SSL_CA', caPath: 'ATTR_SSL_CAPATH', cert: 'ATTR_SSL_CERT', key: 'ATTR_SSL_KEY' } as const;

/** Of WordPress' `MYSQL_CLIENT_FLAGS`, and the path of the authority where a plugin's constant names one. */
export function readClientFlags(flags: PhpValue | undefined, ca: PhpValue | undefined, place: TlsPlace): ReadTls {
  if (flags instanceof Unresolved) return flags;
  if (typeof flags !== 'bigint' || (flags & CLIENT_SSL) === 0n) return null;
  const verify = (flags & CLIENT_DO_NOT_VERIFY) !== 0n ? false : (flags & CLIENT_VERIFY) !== 0n ? true : null;
  return { ca: pathOf(ca, place), caPath: null, cert: null, key: null, verify, reader: readerOf(place) };
}

type TlsPlace = Pick<SettingsPlace, 'account' | 'platformRoot'>;

/** PHP opens the files from the docroot. */
function pathOf(value: PhpValue | undefined, { platformRoot }: TlsPlace): string | null {
  const text = typeof value === 'string' ? toText(value) : null;
  return text === null || text === '' ? null : resolve(platformRoot, text);
}

function readerOf({ account }: TlsPlace): DatabaseTls['reader'] {
  return { homes: homesOf(account), gids: [account.gid, ...(account.webGroup === null ? [] : [account.webGroup.gid])] };
}
