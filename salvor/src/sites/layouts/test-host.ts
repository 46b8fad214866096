/**
 * A host to find sites on, laid out in a temporary directory as if that were `/`: `data/disk/o1`, `home/o1.ftp`, `var/www`.
 * Makes files and says what was found in words that a table can hold.
 */
import {
  chownSync,
  closeSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type FoundSites, findSites } from '../find-sites.ts';
import type { HostTables, HostUser } from '../host-tables.ts';
import { showServer } from '../database-address.ts';
import { siteKey } from '../site.ts';

export const SOCKET = '/run/test/mysqld.sock';

type Values = Readonly<Record<string, string | boolean | readonly string[]>>;

/** Fields of a connection, in the place of the usual ones. */
export type Login = Readonly<Record<string, string>>;

export class TestHost implements Disposable {
  readonly top: string = realpathSync(mkdtempSync(join(tmpdir(), 'salvor-layout-')));
  readonly #users: HostUser[] = [
    { name: 'www-data', uid: 33, gid: 33, home: this.at('var/www'), shell: '/usr/sbin/nologin' },
  ];

  /** A path of the host as this machine has it. */
  at(path: string): string {
    return join(this.top, path);
  }

  [Symbol.dispose](): void {
    rmSync(this.top, { recursive: true, force: true });
  }

  write(path: string, text: string | Uint8Array = ''): void {
    mkdirSync(dirname(this.at(path)), { recursive: true });
    writeFileSync(this.at(path), text);
  }

  directories(...paths: readonly string[]): void {
    for (const path of paths) mkdirSync(this.at(path), { recursive: true });
  }

  remove(path: string): void {
    rmSync(this.at(path), { recursive: true });
  }

  /** `target` as it is: relative, of this machine, or nothing. */
  link(path: string, target: string): void {
    mkdirSync(dirname(this.at(path)), { recursive: true });
    symlinkSync(target, this.at(path));
  }

  hardLink(path: string, target: string, uid: number): void {
    mkdirSync(dirname(this.at(path)), { recursive: true });
    chownSync(this.at(target), uid, uid);
    linkSync(this.at(target), this.at(path));
  }

  sparse(path: string, bytes: number): void {
    mkdirSync(dirname(this.at(path)), { recursive: true });
    const descriptor = openSync(this.at(path), 'w');
    ftruncateSync(descriptor, bytes);
    closeSync(descriptor);
  }

  /** A user of the host; the home is made and is his. */
  user(name: string, uid: number, home: string): void {
    this.directories(home);
    lchownSync(this.at(home), uid, uid);
    this.#users.push({ name, uid, gid: uid, home: this.at(home), shell: '/bin/bash' });
  }

  drupal(root: string, version: string): void {
    const major = Number.parseInt(version, 10);
    this.directories(`${root}/sites/all`);
    this.write(`${root}/index.php`, '<?php');
    if (major >= 8)
      this.write(`${root}/core/lib/Drupal.php`, `<?php\nclass Drupal {\n  const VERSION = '${version}';\n}\n`);
    else {
      const says = `<?php\ndefine('VERSION', '${version}');\n`;
      this.write(`${root}/includes/bootstrap.inc`, major === 7 ? says : '<?php\n');
      this.write(`${root}/modules/system/system.module`, major === 7 ? '<?php\n' : says);
    }
    if (major >= 8) this.write(`${root}/core/includes/bootstrap.inc`, '<?php\n');
  }

  backdrop(root: string): void {
    this.write(`${root}/core/includes/bootstrap.inc`, `<?php\ndefine('BACKDROP_VERSION', '1.27.1');\n`);
    this.directories(`${root}/sites`);
  }

  wordpress(root: string): void {
    this.write(`${root}/wp-includes/version.php`, `<?php\n$wp_version = '6.5.2';\n`);
    for (const name of ['wp-settings.php', 'wp-load.php', 'index.php']) this.write(`${root}/${name}`, '<?php');
  }

  /** A site as Aegir makes it, with its context: marks, `drushrc.php`, settings with the log-in in them or cloaked. */
  aegirSite(
    home: string,
    root: string,
    uri: string,
    options: { cloaked?: boolean; values?: Values; login?: Login } = {},
  ): void {
    const path = `${root}/sites/${uri}`;
    this.directories(`${path}/files`, `${path}/private/files`);
    const login = { database: uri.replace(/\W/g, ''), ...options.login };
    this.write(`${path}/settings.php`, options.cloaked === true ? CLOAKED : settingsOf(login));
    this.write(`${path}/drushrc.php`, drushrcOf(uri, login));
    this.context(home, uri, { context_type: 'site', uri, root: this.at(root), site_enabled: true, ...options.values });
  }

  /** An Aegir context: lists as PHP has them, texts as they are. */
  context(home: string, name: string, values: Values): void {
    const lines = Object.entries(values).map(([key, value]) => `  '${key}' => ${phpOf(value)},\n`);
    this.write(
      `${home}/.drush/${name}.alias.drushrc.php`,
      `<?php\n$aliases['${name}'] = array (\n${lines.join('')});\n`,
    );
  }

  /** The directories beside the contexts that make a home Aegir's. */
  aegirHome(home: string): void {
    this.directories(...['backups', 'clients', 'config/server_master', 'platforms'].map((name) => `${home}/${name}`));
  }

  find(options: Partial<Parameters<typeof findSites>[0]> = {}): Promise<FoundSites> {
    return findSites({
      homes: null,
      places: {
        single: ['var/aegir', 'var/www', 'srv/www'].map((path) => this.at(path)),
        parents: ['data/disk', 'home'].map((path) => this.at(path)),
        areUsersAsked: true,
      },
      overrides: new Map(),
      defaultSocket: SOCKET,
      tables: this.tables(),
      webServers: new Map(
        ['nginx', 'apache2'].map((name) => [this.at(`etc/${name}`), [this.at(`etc/${name}/sites-enabled`)]]),
      ),
      ...options,
    });
  }

  tables(): HostTables {
    return { users: this.#users, groups: [{ name: 'www-data', gid: 33, members: [] }] };
  }

  /** `ACCOUNT/URI path`, sorted. */
  sitesOf(found: FoundSites): string[] {
    return found.sites.map((site) => `${siteKey(site)} ${this.#short(site.path)}`).sort();
  }

  /** `code path`, sorted. */
  notSitesOf(found: FoundSites): string[] {
    return found.notSites.map(({ code, path }) => `${code} ${this.#short(path)}`).sort();
  }

  /** `engine name@server prefix tls` of all sites' databases, by URI. */
  databasesOf(found: FoundSites): string[] {
    return found.sites.flatMap(({ uri, databases }) =>
      databases.map(({ engine, name, login, prefix }) => {
        const server = showServer(login.address).replace(SOCKET, 'local');
        const where = engine === 'sqlite' ? '' : `@${server}`;
        return `${uri}: ${engine} ${this.#short(name)}${where}${prefix === '' ? '' : ` ${prefix}`}${'tls' in login.address ? ' tls' : ''}`;
      }),
    );
  }

  #short(path: string): string {
    return path.replace(`${this.top}/`, '');
  }
}

function phpOf(value: string | boolean | readonly string[]): string {
  if (typeof value === 'boolean') return String(value);
  return typeof value === 'string' ? `'${value.replace(/[\\']/g, '\\$&')}'` : `array(${value.map(phpOf).join(', ')})`;
}

export function connectionOf(login: Login): string {
  const fields = { driver: 'mysql', username: 'u', password: 'pw', host: 'localhost', ...login };
  return `array(${Object.entries(fields)
    .map(([key, value]) => `'${key}' => '${value}'`)
    .join(', ')})`;
}

/** Settings of Drupal 7 and later. */
export function settingsOf(login: Login): string {
  return `<?php\n$databases['default']['default'] = ${connectionOf(login)};\n`;
}

export function drushrcOf(uri: string, login: Login): string {
  const { database = '', host = 'localhost' } = login;
  const values = {
    uri,
    db_type: 'mysql',
    db_host: host,
    db_port: '',
    db_name: database,
    db_user: 'u',
    db_passwd: 'pw',
  };
  return `<?php\n${Object.entries(values)
    .map(([key, value]) => `$options['${key}'] = '${value}';\n`)
    .join('')}`;
}

/** As Aegir hides the log-in from the site's owner. */
export const CLOAKED = `<?php
if (isset($_SERVER['db_name'])) {
  $databases['default']['default'] = array(
    'driver' => $_SERVER['db_type'],
    'database' => $_SERVER['db_name'],
    'username' => $_SERVER['db_user'],
    'password' => $_SERVER['db_passwd'],
    'host' => $_SERVER['db_host'],
    'port' => (string) $_SERVER['db_port'],
  );
}
unset($_SERVER['db_passwd']);
`;

/** `wp-config.php`, with lines of one's own after the usual ones. */
export function wpConfigOf(database: string, more = '', prefix = 'wp_'): string {
  return `<?php
define('DB_NAME', '${database}');
define('DB_USER', 'u');
define('DB_PASSWORD', 'pw');
define('DB_HOST', 'localhost');
$table_prefix = '${prefix}';
${more}
if (!defined('ABSPATH')) define('ABSPATH', __DIR__ . '/');
require_once ABSPATH . 'wp-settings.php';
`;
}
