import assert from 'node:assert/strict';
import { connectionOf, settingsOf, wpConfigOf } from './test-host.ts';
import type { TestHost } from './test-host.ts';
import { type Layout, testLayouts } from './test-layout.ts';

const WWW = 'var/www';

function multisite(host: TestHost, root: string, version: string, settings: Readonly<Record<string, string>>): void {
  host.drupal(root, version);
  for (const [uri, text] of Object.entries(settings)) host.write(`${root}/sites/${uri}/settings.php`, text);
}

const layouts: readonly Layout[] = [
  {
    name: 'Drupal 6: $db_url as one and as several, with its parts encoded, and $db_prefix',
    build(host) {
      multisite(host, `${WWW}/six`, '6.38', {
        'one.test': `<?php $db_url = 'mysqli://us%65r:p%40ss@localhost/one%2Ddb'; $db_prefix = array('default' => 'd_', 'users' => 'shared_');`,
        'many.test': `<?php $db_url = array('default' => 'mysql://u:p@db.test:3310/many', 'old' => 'mysql://u:a@b@/old');`,
        'new.test': `<?php $db_url = 'mysqli://username:password@localhost/databasename';`,
      });
    },
    sites: ['one', 'many'].map((name) => `www-data/${name}.test ${WWW}/six/sites/${name}.test`),
    notSites: [`no-database ${WWW}/six/sites/new.test`],
    databases: [
      'many.test: mariadb many@db.test:3310',
      'many.test: mariadb old@local',
      'one.test: mariadb one-db@local d_',
    ],
    check(found) {
      const [old, one] = found.sites.flatMap(({ databases }) => databases).slice(1);
      assert.deepEqual([one?.login.user, one?.login.password, one?.otherPrefixes], ['user', 'p@ss', ['shared_']]);
      assert.equal(old?.login.password, 'a@b');
    },
  },
  {
    name: 'Drupal 7: sites that share a database by prefixes, all of them told, and tables in another database named',
    build(host) {
      const prefixed = (prefix: string): string =>
        `<?php $databases['default']['default'] = ${connectionOf({ database: 'pool' }).replace(/\)$/, `, 'prefix' => ${prefix})`)};`;
      multisite(host, `${WWW}/seven`, '7.101', {
        'a.test': prefixed(`'a_'`),
        'b.test': prefixed(`array('default' => 'b_', 'users' => 'a_')`),
        'c.test': prefixed(`array('default' => '', 'users' => 'accounts.')`),
      });
    },
    sites: ['a', 'b', 'c'].map((name) => `www-data/${name}.test ${WWW}/seven/sites/${name}.test`),
    databases: ['a.test: mariadb pool@local a_', 'b.test: mariadb pool@local b_', 'c.test: mariadb pool@local'],
    problems: ['c.test: database-prefixes'],
    check: (found) =>
      assert.deepEqual(
        found.sites[0]?.databases[0]?.sharedWith.map(({ site, prefixes }) => [site, ...prefixes]),
        [
          ['www-data/b.test', 'b_', 'a_'],
          ['www-data/c.test', ''],
        ],
      ),
  },
  {
    name: 'Drupal 8 to 11: settings.local.php, an include above the docroot, several databases with a replica',
    build(host) {
      const tail = `if (file_exists($app_root . '/' . $site_path . '/settings.local.php')) { include $app_root . '/' . $site_path . '/settings.local.php'; }\n`;
      multisite(host, `${WWW}/shop.test/web`, '9.5.11', {
        'local.test': settingsOf({ database: 'x' }) + tail,
        'include.test': `<?php require DRUPAL_ROOT . '/../database.php';`,
        'many.test':
          settingsOf({ database: 'first' }) +
          `$databases['default']['replica'][] = ${connectionOf({ database: 'first', host: 'replica.test' })};\n` +
          `$databases['migrate']['default'] = ${connectionOf({ database: 'second', host: 'db.test', port: '3307' })};\n`,
      });
      host.write(
        `${WWW}/shop.test/web/sites/local.test/settings.local.php`,
        `<?php $databases['default']['default']['database'] = 'real';`,
      );
      host.write(
        `${WWW}/shop.test/database.php`,
        `<?php $databases['default']['default'] = ${connectionOf({ database: 'above' })};`,
      );
    },
    sites: ['include', 'local', 'many'].map((name) => `www-data/${name}.test ${WWW}/shop.test/web/sites/${name}.test`),
    databases: [
      'include.test: mariadb above@local',
      'local.test: mariadb real@local',
      'many.test: mariadb first@local',
      'many.test: mariadb second@db.test:3307',
    ],
  },
  {
    name: 'one Drupal per docroot in sites/default, called by its path, with the names of its virtual host beside it',
    build(host) {
      for (const [root, database] of [
        ['html', 'a'],
        ['example.com/web', 'b'],
        ['example.org/htdocs/blog', 'c'],
      ] as const)
        multisite(host, `${WWW}/${root}`, '10.3.6', { default: settingsOf({ database }) });
      host.write(
        'etc/nginx/sites-available/a',
        `server { listen 80 default_server; server_name _ www.a.test a.test ~^x; root ${host.at(`${WWW}/html`)}/; }`,
      );
      host.link('etc/nginx/sites-enabled/a', '../sites-available/a');
      host.write('etc/nginx/sites-available/off', `server { server_name off.test; root ${host.at(`${WWW}/html`)}; }`);
    },
    sites: [
      `www-data/html ${WWW}/html/sites/default`,
      `www-data/example.com ${WWW}/example.com/web/sites/default`,
      `www-data/example.org.blog ${WWW}/example.org/htdocs/blog/sites/default`,
    ],
    check: (found) =>
      assert.deepEqual(found.sites.find(({ uri }) => uri === 'html')?.aliases, ['www.a.test', 'a.test']),
  },
  {
    name: 'sites/default beside other sites is one where it has a database of its own, and none where it has theirs',
    build(host) {
      multisite(host, `${WWW}/own.test`, '10.3.6', {
        default: settingsOf({ database: 'main' }),
        'a.test': settingsOf({ database: 'a' }),
      });
      multisite(host, `${WWW}/same.test`, '10.3.6', {
        default: settingsOf({ database: 'b' }),
        'b.test': settingsOf({ database: 'b' }),
      });
      multisite(host, `${WWW}/stub.test`, '10.3.6', {
        default: '<?php $databases = [];',
        'c.test': settingsOf({ database: 'c' }),
      });
    },
    sites: [
      `www-data/own.test ${WWW}/own.test/sites/default`,
      `www-data/a.test ${WWW}/own.test/sites/a.test`,
      `www-data/b.test ${WWW}/same.test/sites/b.test`,
      `www-data/c.test ${WWW}/stub.test/sites/c.test`,
    ],
    notSites: [`default ${WWW}/same.test/sites/default`, `no-database ${WWW}/stub.test/sites/default`],
  },
  {
    name: 'releases: the one that current leads to is the site, under a name that stays, with what is shared beside it',
    build(host) {
      for (const release of ['1', '2', '3']) {
        const root = `${WWW}/app.test/releases/${release}/web`;
        host.drupal(root, '10.3.6');
        host.link(`${root}/sites/default/settings.php`, '../../../../../shared/settings.php');
        host.link(`${root}/sites/default/files`, '../../../../../shared/files');
      }
      host.write(`${WWW}/app.test/shared/settings.php`, settingsOf({ database: 'app' }));
      host.directories(`${WWW}/app.test/shared/files`);
      host.link(`${WWW}/app.test/current`, 'releases/2');
    },
    sites: [`www-data/app.test ${WWW}/app.test/releases/2/web/sites/default`],
    notSites: ['1', '3'].map((release) => `copy ${WWW}/app.test/releases/${release}/web/sites/default`),
    check: (found, host) =>
      assert.deepEqual(
        found.sites[0]?.movedOut.map(({ target, type, reason }) => [target, type, reason]),
        [
          [host.at(`${WWW}/app.test/shared/files`), 'directory', null],
          [host.at(`${WWW}/app.test/shared/settings.php`), 'file', null],
        ],
      ),
  },
  {
    name: 'Backdrop: one site with its settings in the docroot, several in sites',
    build(host) {
      host.backdrop(`${WWW}/bd.test`);
      host.write(
        `${WWW}/bd.test/settings.php`,
        `<?php\n$database = 'mysql://bd%5F:p%2Fw@127.0.0.1:3308/backdrop';\n$database_prefix = 'bd_';\n`,
      );
      host.backdrop(`${WWW}/many`);
      host.write(`${WWW}/many/settings.php`, `<?php\n$database = 'mysql://user:pass@localhost/database_name';\n`);
      host.write(`${WWW}/many/sites/x.test/settings.php`, `<?php\n$database = 'mysql://u:p@localhost/x';\n`);
    },
    sites: [`www-data/bd.test ${WWW}/bd.test`, `www-data/x.test ${WWW}/many/sites/x.test`],
    notSites: [`no-database ${WWW}/many`],
    databases: ['bd.test: mariadb backdrop@127.0.0.1:3308 bd_', 'x.test: mariadb x@local'],
    check: (found) =>
      assert.deepEqual([found.sites[0]?.version, found.sites[0]?.databases[0]?.login.password], ['1.27.1', 'p/w']),
  },
  {
    name: 'WordPress in its docroot, and another one in a directory of the first, which is told to hold it',
    build(host) {
      host.wordpress(`${WWW}/html`);
      host.write(`${WWW}/html/wp-config.php`, wpConfigOf('main', `define('WP_HOME', 'https://www.press.test');`));
      host.wordpress(`${WWW}/html/blog`);
      host.write(`${WWW}/html/blog/wp-config.php`, wpConfigOf('blog', '', 'b_'));
      host.wordpress(`${WWW}/new.test`);
      host.write(`${WWW}/new.test/wp-config-sample.php`, wpConfigOf('sample'));
    },
    sites: [`www-data/html ${WWW}/html`, `www-data/blog ${WWW}/html/blog`],
    databases: ['blog: mariadb blog@local b_', 'html: mariadb main@local wp_'],
    check(found, host) {
      const html = found.sites.find(({ uri }) => uri === 'html');
      assert.deepEqual([html?.aliases, html?.holds], [['www.press.test'], [host.at(`${WWW}/html/blog`)]]);
    },
  },
  {
    name: 'WordPress with its settings one level above: beside the docroot, and in a directory that is served itself',
    build(host) {
      host.wordpress(`${WWW}/safe.test/public`);
      host.write(`${WWW}/safe.test/wp-config.php`, wpConfigOf('safe'));
      host.wordpress(`${WWW}/own.test/wordpress`);
      host.write(`${WWW}/own.test/wp-config.php`, wpConfigOf('own'));
      host.write(`${WWW}/own.test/index.php`, `<?php require __DIR__ . '/wordpress/wp-blog-header.php';`);
      host.write(`${WWW}/alone.test/wp-config.php`, wpConfigOf('alone'));
    },
    sites: [`www-data/safe.test ${WWW}/safe.test/public`, `www-data/own.test ${WWW}/own.test`],
    notSites: [`no-platform ${WWW}/alone.test`],
    check: (found, host) =>
      assert.deepEqual(
        found.sites.map(({ settings }) => settings),
        ['own.test', 'safe.test'].map((name) => host.at(`${WWW}/${name}/wp-config.php`)),
      ),
  },
  {
    name: 'a network of WordPress is one site, with the names that settings and virtual host know',
    build(host) {
      host.wordpress(`${WWW}/net`);
      host.write(
        `${WWW}/net/wp-config.php`,
        wpConfigOf('net', `define('MULTISITE', true);\ndefine('DOMAIN_CURRENT_SITE', 'net.test');`),
      );
      host.directories(`${WWW}/net/wp-content/uploads/sites/2`, `${WWW}/net/wp-content/uploads/sites/3`);
      host.write(
        'etc/apache2/sites-enabled/net.conf',
        `<VirtualHost *:443>\n ServerName net.test:443\n ServerAlias two.net.test *.net.test\n DocumentRoot "${host.at(`${WWW}/net`)}"\n</VirtualHost>\n`,
      );
    },
    sites: [`www-data/net ${WWW}/net`],
    databases: ['net: mariadb net@local wp_'],
    check: (found) =>
      assert.deepEqual([found.sites[0]?.isNetwork, found.sites[0]?.aliases], [true, ['net.test', 'two.net.test']]),
  },
  {
    name: 'many sites of WordPress from one code base, whose own settings only choose among them',
    build(host) {
      host.wordpress(`${WWW}/wp`);
      host.write(
        `${WWW}/wp/wp-config.php`,
        `<?php require __DIR__ . '/sites/' . $_SERVER['HTTP_HOST'] . '/wp-config.php';`,
      );
      for (const name of ['a', 'b']) host.write(`${WWW}/wp/sites/${name}.test/wp-config.php`, wpConfigOf(name));
    },
    sites: ['a', 'b'].map((name) => `www-data/${name}.test ${WWW}/wp/sites/${name}.test`),
    notSites: [`no-database ${WWW}/wp`],
  },
  {
    name: 'a code base of WordPress for many sites that has none, as behind the delete of the last one',
    build(host) {
      host.wordpress(`${WWW}/wp`);
      host.write(
        `${WWW}/wp/wp-config.php`,
        `<?php require __DIR__ . '/sites/' . $_SERVER['HTTP_HOST'] . '/wp-config.php';`,
      );
      host.directories(`${WWW}/wp/sites`);
      host.wordpress(`${WWW}/one.test`);
      host.write(`${WWW}/one.test/wp-config.php`, wpConfigOf('one'));
    },
    sites: [`www-data/one.test ${WWW}/one.test`],
    notSites: [`no-database ${WWW}/wp`],
  },
  {
    name: 'remote servers over TCP, with TLS asked for by PDO’s constants, their PHP 8.4 names, or WordPress’ flags',
    build(host) {
      const pdo = (options: string): string =>
        `<?php $databases['default']['default'] = ${connectionOf({ database: 'd', host: 'db.test', port: '3307' }).replace(/\)$/, `, 'pdo' => [${options}])`)};`;
      multisite(host, `${WWW}/d`, '11.1.0', {
        'tls.test': pdo(
          `PDO::MYSQL_ATTR_SSL_CA => '/etc/ssl/ca.pem', \\PDO::MYSQL_ATTR_SSL_VERIFY_SERVER_CERT => false`,
        ),
        'new.test': pdo(`\\Pdo\\Mysql::ATTR_SSL_KEY => 'k.pem', \\Pdo\\Mysql::ATTR_SSL_CERT => 'c.pem'`),
        'number.test': pdo(`1009 => '/ca.pem', PDO::ATTR_TIMEOUT => 5`),
        'clear.test': pdo(`PDO::MYSQL_ATTR_INIT_COMMAND => 'SET NAMES utf8mb4'`),
        'unknown.test': pdo(`PDO::MYSQL_ATTR_SSL_CA => getenv('CA')`),
      });
      host.wordpress(`${WWW}/wp.test`);
      const remote = wpConfigOf(
        'w',
        `define('MYSQL_CLIENT_FLAGS', MYSQLI_CLIENT_SSL | MYSQLI_CLIENT_SSL_DONT_VERIFY_SERVER_CERT);`,
      );
      host.write(`${WWW}/wp.test/wp-config.php`, remote.replace(`'localhost'`, `'db.test:3309'`));
    },
    sites: [
      ...['clear', 'new', 'number', 'tls', 'unknown'].map(
        (name) => `www-data/${name}.test ${WWW}/d/sites/${name}.test`,
      ),
      `www-data/wp.test ${WWW}/wp.test`,
    ],
    databases: [
      'clear.test: mariadb d@db.test:3307',
      'new.test: mariadb d@db.test:3307 tls',
      'number.test: mariadb d@db.test:3307 tls',
      'tls.test: mariadb d@db.test:3307 tls',
      'wp.test: mariadb w@db.test:3309 wp_ tls',
    ],
    problems: ['unknown.test: database-unresolved'],
    check(found) {
      const tls = found.sites.map(({ databases }) => {
        const address = databases[0]?.login.address;
        return address !== undefined && 'tls' in address ? address.tls : undefined;
      });
      const { reader, ...asked } = tls[3] ?? { reader: null };
      assert.deepEqual(asked, { ca: '/etc/ssl/ca.pem', caPath: null, cert: null, key: null, verify: false });
      const docroot = found.sites[1]?.platform.root ?? '';
      assert.deepEqual(reader?.homes[0], found.sites[3]?.account.home);
      assert.deepEqual(
        [tls[1]?.cert, tls[1]?.key, tls[1]?.verify, tls[5]?.verify],
        [`${docroot}/c.pem`, `${docroot}/k.pem`, null, false],
      );
    },
  },
  {
    name: 'sites on PostgreSQL and SQLite are listed with their engine, SQLite’s file by its whole path',
    build(host) {
      multisite(host, `${WWW}/d`, '10.3.6', {
        'pg.test': settingsOf({ driver: 'pgsql', database: 'pg', host: 'db.test' }),
        'lite.test': `<?php $databases['default']['default'] = ['driver' => 'sqlite', 'database' => 'sites/lite.test/files/.ht.sqlite'];`,
      });
    },
    sites: ['lite', 'pg'].map((name) => `www-data/${name}.test ${WWW}/d/sites/${name}.test`),
    databases: [`lite.test: sqlite ${WWW}/d/sites/lite.test/files/.ht.sqlite`, 'pg.test: postgres pg@db.test:5432'],
  },
  {
    name: 'what nobody has installed yet: code bases without settings, with those they were delivered with, or with none in them',
    build(host) {
      multisite(host, `${WWW}/a`, '10.3.6', { 'x.test': `<?php $databases = [];` });
      host.wordpress(`${WWW}/b`);
      host.write(
        `${WWW}/b/wp-config.php`,
        wpConfigOf('database_name_here').replace(`'u'`, `'username_here'`).replace(`'pw'`, `'password_here'`),
      );
      host.drupal(`${WWW}/c`, '10.3.6');
      multisite(host, `${WWW}/d`, '10.3.6', { 'real.test': settingsOf({ database: 'real' }) });
    },
    sites: [`www-data/real.test ${WWW}/d/sites/real.test`],
    notSites: [`no-database ${WWW}/a/sites/x.test`, `no-database ${WWW}/b`],
  },
  {
    name: 'homes in homes: what lies in a customer’s home below the web server’s is the customer’s',
    build(host) {
      host.user('ann', 1001, `${WWW}/vhosts/ann.test`);
      host.user('empty', 1002, `${WWW}/vhosts/empty.test`);
      for (const [root, database] of [
        ['vhosts/ann.test/httpdocs', 'ann'],
        ['html', 'main'],
      ] as const) {
        host.wordpress(`${WWW}/${root}`);
        host.write(`${WWW}/${root}/wp-config.php`, wpConfigOf(database));
      }
    },
    sites: [`ann/httpdocs ${WWW}/vhosts/ann.test/httpdocs`, `www-data/html ${WWW}/html`],
    check: (found) =>
      assert.deepEqual(
        found.accounts.map(({ name, uid }) => [name, uid]),
        [
          ['www-data', 33],
          ['ann', 1001],
        ],
      ),
  },
  {
    name: 'people’s homes: those that hold a site are accounts, the others are none, and files, vendor and hidden directories are not searched',
    build(host) {
      host.user('alice', 1001, 'home/alice');
      host.user('bob', 1002, 'home/bob');
      host.user('www', 1003, 'srv/www');
      for (const place of [
        'home/alice/public_html',
        'home/bob/.cache/p',
        'home/bob/node_modules/p',
        'home/bob/vendor/p',
        'home/bob/files/p',
        'srv/www/shop.test',
      ]) {
        host.wordpress(place);
        host.write(`${place}/wp-config.php`, wpConfigOf(place.replace(/\W/g, '')));
      }
    },
    sites: ['alice/public_html home/alice/public_html', 'www/shop.test srv/www/shop.test'],
    check: (found) =>
      assert.deepEqual(
        found.accounts.map(({ name }) => name),
        ['alice', 'www'],
      ),
  },
  {
    name: 'two docroots of one project that hold different sites are no twins',
    build(host) {
      for (const docroot of ['public', 'web']) {
        host.wordpress(`${WWW}/shop/${docroot}`);
        host.write(`${WWW}/shop/${docroot}/wp-config.php`, wpConfigOf(docroot));
      }
    },
    sites: ['public', 'web'].map((docroot) => `www-data/shop.${docroot} ${WWW}/shop/${docroot}`),
  },
];

testLayouts('a host of plain Drupal, Backdrop and WordPress', layouts);
