import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { findSites } from './find-sites.ts';
import type { FoundSites } from './find-sites.ts';
import type { SiteOverride } from './site-database.ts';
import type { Site } from './site.ts';

const SOCKET = '/run/test/mysqld.sock';

let top: string;
let home: string;

beforeEach(() => {
  top = realpathSync(mkdtempSync(join(tmpdir(), 'salvor-sites-')));
  home = join(top, 'o1');
  mkdirSync(home);
});
afterEach(() => rmSync(top, { recursive: true, force: true }));

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

function drupal(root: string, version = '10.3.1'): string {
  if (version.startsWith('7'))
    write(
      join(root, 'includes/bootstrap.inc'),
      `<?php\ndefine('VERSION', '${version}');\nfunction drupal_bootstrap() { system('x'); }\n`,
    );
  else
    write(
      join(root, 'core/lib/Drupal.php'),
      `<?php\nclass Drupal {\n  const VERSION = '${version}';\n  public static function root() { return 1; }\n}\n`,
    );
  mkdirSync(join(root, 'sites/all'), { recursive: true });
  return root;
}

function wordpress(root: string): string {
  write(
    join(root, 'wp-includes/version.php'),
    `<?php\n/** The release. */\n$wp_version = '6.1.6';\n$wp_db_version = 53496;\n`,
  );
  mkdirSync(join(root, 'sites'), { recursive: true });
  return root;
}

function connection(fields: Readonly<Record<string, string>>): string {
  const lines = Object.entries({
    driver: 'mysql',
    database: 'shop',
    username: 'shopper',
    password: 'pw',
    host: 'localhost',
    ...fields,
  });
  return `array(\n${lines.map(([key, value]) => `  '${key}' => '${value.replace(/[\\']/g, '\\$&')}',`).join('\n')}\n)`;
}

function settings(fields: Readonly<Record<string, string>> = {}): string {
  return `<?php\n$databases['default']['default'] = ${connection(fields)};\n`;
}

/** In the shape in which Aegir hides the log-in from the settings. */
const CLOAKED = `<?php
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
if (function_exists('apache_setenv')) { apache_setenv('db_passwd', null); }
unset($_SERVER['db_name']);
unset($_SERVER['db_passwd']);
umask(0002);
@ini_set('session.gc_maxlifetime', 200000);
`;

function drushrc(fields: Readonly<Record<string, string>>): string {
  return `<?php\n${Object.entries(fields)
    .map(([key, value]) => `$options['${key}'] = '${value}';\n`)
    .join('')}$_SERVER['db_name'] = $options['db_name'];\n`;
}

function alias(name: string, values: Readonly<Record<string, string>>): void {
  const lines = Object.entries(values).map(([key, value]) => `  '${key}' => '${value}',\n`);
  write(
    join(home, '.drush', `${name}.alias.drushrc.php`),
    `<?php\n$aliases['${name}'] = array (\n${lines.join('')}  'aliases' => array (\n  ),\n);\n`,
  );
}

async function find(overrides: Readonly<Record<string, SiteOverride>> = {}, homes = [home]): Promise<FoundSites> {
  return findSites({
    homes,
    overrides: new Map(Object.entries(overrides)),
    defaultSocket: SOCKET,
    webServers: new Map(),
  });
}

async function only(overrides: Readonly<Record<string, SiteOverride>> = {}): Promise<Site> {
  const { sites } = await find(overrides);
  assert.equal(sites.length, 1);
  return sites[0] ?? assert.fail();
}

function path(...parts: string[]): string {
  return join(home, ...parts);
}

describe('a Drupal site', () => {
  test('with literal settings is found with its log-in, prefix and version', async () => {
    drupal(path('platforms/d10'));
    write(path('platforms/d10/sites/shop.test/settings.php'), settings({ prefix: 'sh_', port: '3306' }));
    const site = await only();
    assert.deepEqual(
      { ...site, account: site.account.name, platform: site.platform.root },
      {
        uri: 'shop.test',
        account: 'o1',
        platform: path('platforms/d10'),
        path: path('platforms/d10/sites/shop.test'),
        cms: 'drupal',
        version: '10.3.1',
        databases: [
          {
            engine: 'mariadb',
            name: 'shop',
            login: { address: { socket: SOCKET }, user: 'shopper', password: 'pw' },
            prefix: 'sh_',
            otherPrefixes: [],
            sharedWith: [],
          },
        ],
        settings: path('platforms/d10/sites/shop.test/settings.php'),
        aliases: [],
        enabled: null,
        virtualHosts: [],
        isNetwork: false,
        movedOut: [],
        holds: [],
        problems: [],
      },
    );
  });

  test('of Drupal 7 on a platform that only an alias names is found, with the name of the alias', async () => {
    drupal(path('deep/er/code'), '7.98');
    alias('platform_Old', { context_type: 'platform', root: path('deep/er/code') });
    write(path('deep/er/code/sites/old.test/settings.php'), settings());
    const site = await only();
    assert.deepEqual([site.version, site.platform.name], ['7.98', 'Old']);
  });

  test('with cloaked settings takes the log-in from drushrc.php, url-decoded', async () => {
    drupal(path('distro/001/d7'), '7.98');
    const site = path('distro/001/d7/sites/c.test');
    write(join(site, 'settings.php'), CLOAKED);
    write(
      join(site, 'drushrc.php'),
      drushrc({
        db_type: 'mysql',
        db_name: 'cdb',
        db_user: 'cu%40x',
        db_passwd: 'p%25+%27q',
        db_host: '127.0.0.1',
        db_port: '3307',
      }),
    );
    const found = await only();
    assert.deepEqual(found.databases[0]?.login, {
      address: { host: '127.0.0.1', port: 3307 },
      user: 'cu@x',
      password: "p% 'q",
    });
    assert.deepEqual(found.problems, []);
  });

  test('with cloaked settings and no drushrc.php is listed with what could not be worked out', async () => {
    drupal(path('platforms/d7'), '7.98');
    write(path('platforms/d7/sites/c.test/settings.php'), CLOAKED);
    const { databases, problems } = await only();
    assert.deepEqual(databases, []);
    assert.deepEqual(
      problems.map(({ code }) => code),
      ['database-unresolved'],
    );
    assert.deepEqual(
      [problems[0]?.file, problems[0]?.line],
      [path('platforms/d7/sites/c.test/settings.php'), undefined],
    );
  });

  test('takes a database that local.settings.php puts in place of the first', async () => {
    drupal(path('platforms/d7'), '7.98');
    const site = path('platforms/d7/sites/l.test');
    write(
      join(site, 'settings.php'),
      `${settings()}if (is_readable('${site}/local.settings.php')) {\n  include_once('${site}/local.settings.php');\n}\n`,
    );
    write(join(site, 'local.settings.php'), `<?php $databases['default']['default']['database'] = 'other';\n`);
    assert.equal((await only()).databases[0]?.name, 'other');
  });

  test('knows that a file is not there, above its own directory too', async () => {
    drupal(path('platforms/d10'));
    const override = `if (file_exists(__DIR__ . '/../../none.php')) { $databases['default']['default']['database'] = 'x'; }\n`;
    write(path('platforms/d10/sites/n.test/settings.php'), settings() + override);
    assert.equal((await only()).databases[0]?.name, 'shop');
    write(
      path('platforms/d10/sites/n.test/settings.php'),
      settings() + override.replace('../../none', '../../../../../none'),
    );
    assert.match((await only()).problems[0]?.message ?? '', /outside of what may be read/);
  });

  test('includes nothing that lies out of the home, also through a link, and says so', async () => {
    drupal(path('platforms/d10'));
    const site = path('platforms/d10/sites/l.test');
    write(join(top, 'o2/secret.php'), `<?php $databases['default']['default']['database'] = 'stolen';`);
    symlinkSync(join(top, 'o2/secret.php'), (mkdirSync(site, { recursive: true }), join(site, 'link.php')));
    write(join(site, 'settings.php'), `${settings()}include __DIR__ . '/link.php';\ninclude '${top}/o2/secret.php';\n`);
    const found = await only();
    assert.equal(found.databases[0]?.name, 'shop');
    assert.deepEqual(
      found.problems.map(({ code, line }) => [code, line]),
      [
        ['settings-include-not-read', 9],
        ['settings-include-not-read', 10],
      ],
    );
  });

  test('keeps a password of quotes, per cent signs, dollars and every script', async () => {
    const password = `it's "50%" $x \\ ünï 日本 🔑`;
    drupal(path('platforms/d10'));
    write(path('platforms/d10/sites/p.test/settings.php'), settings({ password }));
    assert.equal((await only()).databases[0]?.login.password, password);
  });

  test('with a socket, a port, several databases and a replica is read as Drupal reads it', async () => {
    drupal(path('platforms/d10'));
    const php = `${settings({ unix_socket: '/x/y.sock' })}$databases['default']['replica'][] = ${connection({ host: 'r.test' })};\n$databases['legacy']['default'] = ${connection({ database: 'old', host: 'db.test', port: '3310' })};\n`;
    write(path('platforms/d10/sites/m.test/settings.php'), php);
    const { databases } = await only();
    assert.deepEqual(
      databases.map(({ name, login }) => [name, login.address]),
      [
        ['shop', { socket: '/x/y.sock' }],
        ['old', { host: 'db.test', port: 3310 }],
      ],
    );
  });

  test('on PostgreSQL and on SQLite is listed with that engine', async () => {
    drupal(path('platforms/d10'));
    write(path('platforms/d10/sites/pg.test/settings.php'), settings({ driver: 'pgsql', host: 'db.test' }));
    write(
      path('platforms/d10/sites/lite.test/settings.php'),
      `<?php $databases['default']['default'] = ['driver' => 'sqlite', 'database' => 'sites/lite.test/files/.ht.sqlite'];`,
    );
    const { sites } = await find();
    assert.deepEqual(
      sites.map(({ databases }) => databases[0]?.engine),
      ['sqlite', 'postgres'],
    );
    assert.deepEqual(sites[1]?.databases[0]?.login.address, { host: 'db.test', port: 5432 });
  });
});

describe('a WordPress site', () => {
  const config = (host: string): string => `<?php
define( 'DB_NAME', 'blog' );
define( 'DB_USER', 'blogger' );
define( 'DB_PASSWORD', "p'w" );
define( 'DB_HOST', '${host}' );
$table_prefix = 'wp_7_';
if ( ! defined( 'ABSPATH' ) ) { define( 'ABSPATH', dirname( __DIR__, 2 ) . '/' ); }
require_once ABSPATH . 'wp-settings.php';
`;

  test('in sites/<uri> is found with its constants, prefix and version, and WordPress itself is not read', async () => {
    wordpress(path('platforms/wp'));
    write(path('platforms/wp/wp-settings.php'), `<?php this is not php`);
    write(path('platforms/wp/sites/blog.test/wp-config.php'), config('localhost:/run/x/m.sock'));
    const site = await only();
    assert.deepEqual([site.cms, site.version, site.problems], ['wordpress', '6.1.6', []]);
    assert.deepEqual(site.databases, [
      {
        engine: 'mariadb',
        name: 'blog',
        login: { address: { socket: '/run/x/m.sock' }, user: 'blogger', password: "p'w" },
        prefix: 'wp_7_',
        otherPrefixes: [],
        sharedWith: [],
      },
    ]);
  });

  test('whose host is given in any of its forms is found at that address', async () => {
    const forms = [
      ['localhost', { socket: SOCKET }],
      ['', { socket: SOCKET }],
      ['127.0.0.1', { host: '127.0.0.1', port: 3306 }],
      ['db.test:3310', { host: 'db.test', port: 3310 }],
      [':/a/b.sock', { socket: '/a/b.sock' }],
      ['[::1]:3311', { host: '::1', port: 3311 }],
      ['::1', { host: '::1', port: 3306 }],
    ] as const;
    wordpress(path('platforms/wp'));
    for (const [index, [host]] of forms.entries())
      write(path(`platforms/wp/sites/b${index}.test/wp-config.php`), config(host));
    const { sites } = await find();
    assert.deepEqual(
      sites.map(({ databases }) => databases[0]?.login.address),
      forms.map(([, address]) => address),
    );
  });

  test('whose password comes from the environment has it from the configuration, or names file and line', async () => {
    wordpress(path('platforms/wp'));
    const file = path('platforms/wp/sites/e.test/wp-config.php');
    write(file, config('localhost').replace(`"p'w"`, `getenv('WP_PW') ?: 'changeme'`));
    const { databases, problems } = await only();
    assert.deepEqual(databases, []);
    assert.equal(problems.length, 1);
    assert.deepEqual([problems[0]?.code, problems[0]?.file, problems[0]?.line], ['database-unresolved', file, 4]);
    assert.match(problems[0]?.message ?? '', /password .* environment variable WP_PW/);
    assert.doesNotMatch(problems[0]?.message ?? '', /changeme/);

    const given = await only({ 'e.test': { databases: [{ name: 'blog', user: null, password: 'real', host: null }] } });
    assert.deepEqual(
      [given.databases[0]?.login.user, given.databases[0]?.login.password, given.problems],
      ['blogger', 'real', []],
    );
  });
});

describe('hostile settings', () => {
  test('run nothing, and everything that would have run is a problem with its line', async () => {
    drupal(path('platforms/d10'));
    const flag = join(top, 'ran');
    const body = `system('touch ${flag}');\n$x = \`touch ${flag}\`;\neval("touch('${flag}');");\n`;
    write(path('platforms/d10/sites/h.test/settings.php'), settings() + body);
    const site = await only();
    assert.equal(existsSync(flag), false);
    assert.equal(site.databases[0]?.name, 'shop');
    assert.deepEqual(
      site.problems.map(({ code, line }) => [code, line]),
      [
        ['settings-code-not-run', 9],
        ['settings-code-not-run', 10],
        ['settings-code-not-run', 11],
      ],
    );
  });

  test('that are a link out of the home, a pipe or a directory are not read', async () => {
    drupal(path('platforms/d10'));
    write(join(top, 'o2/settings.php'), settings());
    mkdirSync(path('platforms/d10/sites/a.test'));
    symlinkSync(join(top, 'o2/settings.php'), path('platforms/d10/sites/a.test/settings.php'));
    mkdirSync(path('platforms/d10/sites/b.test/settings.php'), { recursive: true });
    mkdirSync(path('platforms/d10/sites/c.test'));
    execFileSync('mkfifo', [path('platforms/d10/sites/c.test/settings.php')]);
    const before = await find();
    assert.deepEqual(before.sites, []);
    assert.deepEqual(
      before.notSites.map(({ code }) => code),
      ['settings-unreadable', 'settings-unreadable', 'settings-unreadable'],
    );
    // Beside files of a site it is one whose settings were ruined.
    for (const name of ['a', 'b', 'c']) mkdirSync(path(`platforms/d10/sites/${name}.test/files`));
    const { sites } = await find();
    assert.equal(sites.length, 3);
    for (const { databases, problems } of sites) {
      assert.deepEqual([databases, problems.map(({ code }) => code)], [[], ['settings-unreadable']]);
    }
  });

  test('with a syntax error keep the site in the list, with the line, unless the configuration says all', async () => {
    drupal(path('platforms/d10'));
    write(path('platforms/d10/sites/s.test/settings.php'), `<?php\n$databases = array(\n  'secret' => ;\n`);
    const { databases, problems } = await only();
    assert.deepEqual([databases, problems.map(({ code, line }) => [code, line])], [[], [['settings-syntax', 3]]]);
    assert.doesNotMatch(problems[0]?.message ?? '', /secret/);
    const given = await only({
      'o1/s.test': { databases: [{ name: 'n', user: 'u', password: '', host: '10.0.0.5', port: 3309 }] },
    });
    assert.deepEqual(given.problems, []);
    assert.deepEqual(given.databases[0]?.login, { address: { host: '10.0.0.5', port: 3309 }, user: 'u', password: '' });
  });
});

describe('what is no site', () => {
  test('is named with the reason, and nothing of it is listed', async () => {
    const root = drupal(path('static/d10'));
    write(join(root, 'sites/real.test/settings.php'), settings());
    write(join(root, 'sites/default/settings.php'), settings());
    write(join(root, 'sites/real.test.restore/settings.php'), settings());
    write(join(root, 'sites/ghost.test/drushrc.php'), '<?php');
    write(join(root, 'sites/press.test/wp-config.php'), '<?php');
    write(join(root, 'sites/all/settings.php'), settings());
    symlinkSync('real.test', join(root, 'sites/alias.test'));
    const { sites, notSites } = await find();
    assert.deepEqual(
      sites.map(({ uri }) => uri),
      ['real.test'],
    );
    assert.deepEqual(
      notSites.map((entry) => [entry.path.slice(root.length + 7), entry.reason]),
      [
        ['alias.test', 'a symbolic link: another name of real.test'],
        ['ghost.test', 'it has neither settings.php nor wp-config.php'],
        ['press.test', 'settings of wordpress on a platform of drupal'],
        ['real.test.restore', 'left over from a restore'],
        ['default', 'the directory for sites without one of their own'],
      ],
    );
  });

  test('a platform that lies outside of the home, is gone or holds no code is named', async () => {
    drupal(join(top, 'elsewhere'));
    alias('platform_Out', { context_type: 'platform', root: join(top, 'elsewhere') });
    alias('platform_Gone', { context_type: 'platform', root: path('gone') });
    mkdirSync(path('static/ghost/vendor'), { recursive: true });
    mkdirSync(path('static/files/x.files'), { recursive: true });
    const { platforms, notSites } = await find();
    assert.deepEqual(platforms, []);
    assert.deepEqual(
      notSites.map(({ path: at }) => at),
      [path('gone'), join(top, 'elsewhere'), path('static/ghost')],
    );
  });

  test('what a migration left on the old platform is named by the site’s context', async () => {
    for (const name of ['old', 'new'])
      write(join(drupal(path('platforms', name)), 'sites/m.test/settings.php'), settings());
    alias('m.test', { context_type: 'site', uri: 'm.test', root: path('platforms/new') });
    const { sites, notSites } = await find();
    assert.deepEqual(
      sites.map((site) => site.platform.name),
      ['new'],
    );
    assert.match(notSites[0]?.reason ?? '', /another platform/);
  });
});

describe('a host', () => {
  test('of two accounts with one URI lists both, with their owners, and overrides only the one that is named', async () => {
    const other = join(top, 'o2');
    for (const base of [home, other])
      write(join(drupal(join(base, 'platforms/d')), 'sites/twin.test/settings.php'), settings());
    chownSync(other, 1234, 1235);
    const { sites, accounts } = await find({ 'o2/twin.test': { databases: [{ name: 'theirs' }] } }, [home, other]);
    assert.deepEqual(
      accounts.map(({ name, uid, gid }) => [name, uid, gid]),
      [
        ['o1', 0, 0],
        ['o2', 1234, 1235],
      ],
    );
    assert.deepEqual(
      sites.map((site) => [site.account.name, site.databases[0]?.name]),
      [
        ['o1', 'shop'],
        ['o2', 'theirs'],
      ],
    );
  });

  test('finds each platform once, in all its places, and the docroot of a Composer project', async () => {
    drupal(path('distro/002/inner'));
    drupal(path('static/composer/web'));
    mkdirSync(path('static/composer/vendor'));
    drupal(path('platforms/p'));
    alias('platform_P', { context_type: 'platform', root: path('platforms/p') });
    const { platforms } = await find();
    assert.deepEqual(
      platforms.map(({ name, root }) => [name, root.slice(home.length)]),
      [
        ['P', '/platforms/p'],
        ['inner', '/distro/002/inner'],
        ['composer', '/static/composer/web'],
      ],
    );
  });

  test('whose home is missing or twice names it and goes on', async () => {
    mkdirSync(join(top, 'x/o1'), { recursive: true });
    const { accounts, problems } = await find({}, [home, join(top, 'x/o1'), join(top, 'none')]);
    assert.equal(accounts.length, 1);
    assert.deepEqual(
      problems.map(({ path: at }) => at),
      [join(top, 'x/o1'), join(top, 'none')],
    );
  });

  test('that names no homes has those that hold sites, or are Aegir’s, or were accounts before', async () => {
    write(
      path('.drush/server_master.alias.drushrc.php'),
      `<?php $aliases['server_master'] = array('context_type' => 'server');`,
    );
    mkdirSync(path('backups'));
    write(join(drupal(join(top, 'plain/web')), 'sites/plain.test/settings.php'), settings());
    write(join(top, 'drushed/.drush/server_master.alias.drushrc.php'), '<?php');
    mkdirSync(join(top, 'arch/sql'), { recursive: true });
    mkdirSync(join(top, 'emptied'));
    const { accounts, problems } = await findSites({
      homes: null,
      places: { single: [join(top, 'none')], parents: [top], areUsersAsked: false },
      isRemembered: (name) => name === 'emptied',
      overrides: new Map(),
      webServers: new Map(),
    });
    assert.deepEqual(
      accounts.map((account) => account.home),
      [join(top, 'emptied'), home, join(top, 'plain')],
    );
    assert.deepEqual(problems, []);
  });

  test('is not searched on after the search was cancelled', async () => {
    await assert.rejects(findSites({ homes: [home], overrides: new Map(), signal: AbortSignal.abort() }), {
      name: 'AbortError',
    });
  });
});
