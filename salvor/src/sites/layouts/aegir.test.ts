import assert from 'node:assert/strict';
import { homesOf } from '../account.ts';
import { CLOAKED, drushrcOf, settingsOf } from './test-host.ts';
import type { TestHost } from './test-host.ts';
import { type Layout, testLayouts } from './test-layout.ts';

const O1 = 'data/disk/o1';

/** A BOA tenant with one built-in platform of Drupal 10. */
function boa(host: TestHost): string {
  const root = `${O1}/distro/001/drupal-10.3-prod`;
  host.user('o1', 2001, O1);
  host.aegirHome(O1);
  host.drupal(root, '10.3.6');
  host.context(O1, 'platform_Drupal10', {
    context_type: 'platform',
    root: host.at(root),
    web_server: '@server_master',
  });
  return root;
}

const layouts: readonly Layout[] = [
  {
    name: 'vanilla Aegir: the panel’s own site and a site with cloaked settings, on platforms anywhere in the home',
    build(host) {
      host.user('aegir', 999, 'var/aegir');
      host.aegirHome('var/aegir');
      host.context('var/aegir', 'server_master', {
        context_type: 'server',
        remote_host: 'aegir.test',
        web_group: 'www-data',
      });
      for (const root of ['var/aegir/hostmaster-7.x-3.19', 'var/aegir/platforms/drupal-7']) host.drupal(root, '7.98');
      host.context('var/aegir', 'platform_hostmaster', {
        context_type: 'platform',
        root: host.at('var/aegir/hostmaster-7.x-3.19'),
      });
      host.aegirSite('var/aegir', 'var/aegir/hostmaster-7.x-3.19', 'panel.test');
      host.aegirSite('var/aegir', 'var/aegir/platforms/drupal-7', 'a.test', { cloaked: true });
    },
    sites: [
      'aegir/panel.test var/aegir/hostmaster-7.x-3.19/sites/panel.test',
      'aegir/a.test var/aegir/platforms/drupal-7/sites/a.test',
    ],
    databases: ['a.test: mariadb atest@local', 'panel.test: mariadb paneltest@local'],
    check(found) {
      assert.deepEqual(found.accounts[0]?.webGroup, { name: 'www-data', gid: 33 });
      assert.equal(found.sites[1]?.platform.name, 'hostmaster');
    },
  },
  {
    name: 'BOA: the main log-in and those of clients with their homes are of the account, and PHP’s user is none of them',
    build(host) {
      const root = boa(host);
      host.aegirSite(O1, root, 'a.test');
      host.user('o1.ftp', 902, 'home/o1.ftp');
      host.user('o1.acme', 903, 'home/o1.acme');
      host.user('o1.web', 904, 'home/o1.web');
      host.link('home/o1.ftp/static', host.at(`${O1}/static`));
      host.link('home/o1.ftp/platforms/001/drupal', host.at(`${root}/sites`));
      host.link('home/o1.acme/sites', host.at(`${O1}/clients/acme`));
      host.link(`${O1}/clients/acme/a.test`, host.at(`${root}/sites/a.test`));
    },
    sites: [`o1/a.test ${O1}/distro/001/drupal-10.3-prod/sites/a.test`],
    check(found, host) {
      const [account] = found.accounts;
      assert.deepEqual(
        account?.logins.map(({ name, kind }) => [name, kind]),
        [
          ['o1.ftp', 'main'],
          ['o1.acme', 'client'],
        ],
      );
      assert.deepEqual([account?.uid, found.accounts.length], [2001, 1]);
      assert.deepEqual(
        account && homesOf(account),
        [O1, 'home/o1.ftp', 'home/o1.acme'].map((path) => host.at(path)),
      );
    },
  },
  {
    name: 'BOA: custom platforms at any depth of static, and the docroots of Composer projects, also where the context names the project',
    build(host) {
      boa(host);
      host.drupal(`${O1}/static/a/b/c/d/deep`, '7.98');
      host.aegirSite(O1, `${O1}/static/a/b/c/d/deep`, 'deep.test');
      for (const docroot of ['docroot', 'html', 'web']) {
        host.drupal(`${O1}/static/${docroot}-project/${docroot}`, '11.0.1');
        host.write(`${O1}/static/${docroot}-project/vendor/drupal/core/lib/Drupal.php`, '<?php');
        host.aegirSite(O1, `${O1}/static/${docroot}-project/${docroot}`, `${docroot}.test`, {
          values: { root: host.at(`${O1}/static/${docroot}-project`) },
        });
      }
    },
    sites: [
      `o1/deep.test ${O1}/static/a/b/c/d/deep/sites/deep.test`,
      ...['docroot', 'html', 'web'].map(
        (name) => `o1/${name}.test ${O1}/static/${name}-project/${name}/sites/${name}.test`,
      ),
    ],
    check: (found) => assert.equal(found.sites[1]?.platform.name, 'docroot-project'),
  },
  {
    name: 'BOA: big directories that were moved into static/files are the site’s',
    build(host) {
      const root = boa(host);
      host.aegirSite(O1, root, 'a.test');
      host.directories(`${O1}/static/files/b.test.files`, `${O1}/static/files/b.test.private/files`);
      host.aegirSite(O1, root, 'b.test');
      for (const [name, target] of [
        ['files', 'files'],
        ['private', 'private'],
      ] as const) {
        host.remove(`${root}/sites/b.test/${name}`);
        host.link(`${root}/sites/b.test/${name}`, host.at(`${O1}/static/files/b.test.${target}`));
      }
    },
    sites: ['a', 'b'].map((name) => `o1/${name}.test ${O1}/distro/001/drupal-10.3-prod/sites/${name}.test`),
    check(found, host) {
      assert.deepEqual(
        found.sites.map(({ movedOut }) => movedOut.map(({ target, type, reason }) => [target, type, reason])),
        [
          [],
          [
            [host.at(`${O1}/static/files/b.test.files`), 'directory', null],
            [host.at(`${O1}/static/files/b.test.private`), 'directory', null],
          ],
        ],
      );
    },
  },
  {
    name: 'a disabled site, and the names that contexts, links of Drupal 6 and sites.php give',
    build(host) {
      boa(host);
      host.drupal(`${O1}/static/six`, '6.38');
      host.aegirSite(O1, `${O1}/static/six`, 'six.test', { values: { site_enabled: false } });
      host.link(`${O1}/static/six/sites/old.test`, 'six.test');
      host.drupal(`${O1}/static/seven`, '7.98');
      host.aegirSite(O1, `${O1}/static/seven`, 'seven.test', { values: { aliases: ['www.seven.test'] } });
      host.write(`${O1}/static/seven/sites/sites.php`, `<?php $sites = array('shop.seven.test' => 'seven.test');`);
    },
    sites: [`o1/six.test ${O1}/static/six/sites/six.test`, `o1/seven.test ${O1}/static/seven/sites/seven.test`],
    notSites: [`symlink ${O1}/static/six/sites/old.test`],
    check(found) {
      assert.deepEqual(
        found.sites.map(({ uri, enabled, aliases, version }) => [uri, enabled, [...aliases].sort(), version]),
        [
          ['seven.test', true, ['shop.seven.test', 'www.seven.test'], '7.98'],
          ['six.test', false, ['old.test'], '6.38'],
        ],
      );
    },
  },
  {
    name: 'cloaked settings without drushrc.php take the log-in from the virtual host, of nginx or of Apache',
    build(host) {
      const root = boa(host);
      for (const uri of ['n.test', 'a.test', 'none.test']) {
        host.aegirSite(O1, root, uri, { cloaked: true });
        host.remove(`${root}/sites/${uri}/drushrc.php`);
      }
      const nginx = (login: string, uri: string): string =>
        `# a comment; with { braces\nserver {\n  server_name "${uri}" www.${uri};\n  root ${host.at(root)};\n` +
        ['type', 'name', 'user', 'passwd', 'host']
          .map((key) => `  fastcgi_param db_${key} ${key === 'type' ? 'mysql' : login};\n`)
          .join('') +
        `  fastcgi_param db_port 3306;\n  location / { fastcgi_param SCRIPT $document_root; }\n}\n`;
      const directory = `${O1}/config/server_master`;
      host.write(`${directory}/nginx/vhost.d/n.test`, nginx('localhost', 'n.test'));
      host.write(`${directory}/nginx/vhost.d/none.test`, nginx('none', 'none.test'));
      host.write(
        `${directory}/apache/vhost.d/a.test`,
        `<VirtualHost *:80>\n  DocumentRoot ${host.at(root)}\n  ServerName a.test\n  ServerAlias www.a.test\n  SetEnv db_type mysql\n` +
          `  SetEnv db_name "adb"\n  SetEnv db_user adb\n  SetEnv db_passwd p\n  SetEnv db_host localhost\n  SetEnv db_port 3306\n</VirtualHost>\n`,
      );
    },
    sites: ['a', 'n', 'none'].map((name) => `o1/${name}.test ${O1}/distro/001/drupal-10.3-prod/sites/${name}.test`),
    databases: ['a.test: mariadb adb@local', 'n.test: mariadb localhost@local'],
    problems: ['none.test: database-unresolved'],
    check: (found) =>
      assert.deepEqual(
        found.sites.map(({ aliases }) => aliases),
        [['www.a.test'], ['www.n.test'], ['www.none.test']],
      ),
  },
  {
    name: 'aliases of Drush 10 are evidence like contexts: which of two directories is the site, and what is a ghost',
    build(host) {
      boa(host);
      for (const name of ['old', 'new']) {
        host.drupal(`${O1}/static/${name}`, '10.3.6');
        host.write(`${O1}/static/${name}/sites/y.test/settings.php`, settingsOf({ database: 'y' }));
        host.directories(`${O1}/static/${name}/sites/y.test/files`);
      }
      host.write(
        `${O1}/.drush/sites/y-test.site.yml`,
        `live:\n  root: ${host.at(`${O1}/static/new`)}\n  uri: https://y.test/\n`,
      );
      host.write(
        `${O1}/.drush/sites/gone.site.yml`,
        `live:\n  root: ${host.at(`${O1}/static/gone`)}\n  uri: gone.test\n`,
      );
      host.write(`${O1}/.drush/sites/elsewhere.site.yml`, `live:\n  host: other.test\n  root: /x\n  uri: far.test\n`);
      host.write(`${O1}/.drush/sites/bomb.site.yml`, `a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\nd: [\n`);
    },
    sites: [`o1/y.test ${O1}/static/new/sites/y.test`],
    notSites: [`elsewhere ${O1}/static/old/sites/y.test`, `ghost-context ${O1}/.drush/sites/gone.site.yml`],
  },
  {
    name: 'ghosts: contexts of sites and platforms that are gone, and a directory that Aegir does not know and that has no marks',
    build(host) {
      const root = boa(host);
      host.aegirSite(O1, root, 'real.test');
      host.write(`${root}/sites/ghost.test/settings.php`, settingsOf({ database: 'ghost' }));
      host.context(O1, 'gone.test', { context_type: 'site', uri: 'gone.test', root: host.at(root) });
      host.context(O1, 'lost.test', { context_type: 'site', uri: 'lost.test', root: host.at(`${O1}/static/lost`) });
      host.context(O1, 'platform_Gone', { context_type: 'platform', root: host.at(`${O1}/static/platform-gone`) });
      host.directories(`${O1}/static/hollow/vendor`, `${O1}/static/empty`);
      host.context(O1, 'platform_Empty', { context_type: 'platform', root: host.at(`${O1}/static/empty`) });
    },
    sites: [`o1/real.test ${O1}/distro/001/drupal-10.3-prod/sites/real.test`],
    notSites: [
      `ghost-context ${O1}/.drush/gone.test.alias.drushrc.php`,
      `ghost-context ${O1}/.drush/lost.test.alias.drushrc.php`,
      `ghost-directory ${O1}/distro/001/drupal-10.3-prod/sites/ghost.test`,
      `ghost-platform ${O1}/static/empty`,
      `ghost-platform ${O1}/static/hollow`,
      `ghost-platform ${O1}/static/platform-gone`,
    ],
  },
  {
    name: 'debris beside a site: what a restore left, default, links, a directory without settings, WordPress on Drupal',
    build(host) {
      const root = boa(host);
      host.aegirSite(O1, root, 'real.test');
      for (const name of ['real.test.restore', 'default', 'all'])
        host.write(`${root}/sites/${name}/settings.php`, settingsOf({ database: name }));
      host.write(`${root}/sites/press.test/wp-config.php`, '<?php');
      host.directories(`${root}/sites/bare.test/files`, `${root}/sites/simpletest/1234`);
      host.link(`${root}/sites/www.real.test`, 'real.test');
      host.write(`${root}/sites/example.sites.php`, '<?php');
    },
    sites: [`o1/real.test ${O1}/distro/001/drupal-10.3-prod/sites/real.test`],
    notSites: [
      'default default',
      'no-settings bare.test',
      'other-cms press.test',
      'restore-debris real.test.restore',
      'symlink www.real.test',
    ].map((text) => text.replace(' ', ` ${O1}/distro/001/drupal-10.3-prod/sites/`)),
  },
  {
    name: 'what was removed: sites and platforms in undo, backups, backup-exports and static/trash',
    build(host) {
      const root = boa(host);
      host.aegirSite(O1, root, 'real.test');
      host.drupal(`${O1}/undo/dist/240101/old`, '7.98');
      host.write(`${O1}/undo/dist/240101/old/sites/a.test/settings.php`, settingsOf({ database: 'a' }));
      for (const place of ['undo/b.test', 'backups/c.test', 'static/trash/d.test', 'backup-exports/e.test']) {
        host.write(`${O1}/${place}/settings.php`, settingsOf({ database: 'x' }));
        host.write(`${O1}/${place}/drushrc.php`, '<?php');
      }
      host.write(`${O1}/backups/real.test-20240101.000000.tar.gz`, 'not a directory');
    },
    sites: [`o1/real.test ${O1}/distro/001/drupal-10.3-prod/sites/real.test`],
    notSites: [
      'undo/dist/240101/old/sites/a.test',
      'undo/b.test',
      'backups/c.test',
      'static/trash/d.test',
      'backup-exports/e.test',
    ].map((place) => `discarded ${O1}/${place}`),
  },
  {
    name: 'copies: a site left in static without a platform, and one beside its original whose drushrc.php tells',
    build(host) {
      const root = boa(host);
      host.aegirSite(O1, root, 'real.test');
      for (const place of [`${root}/sites/real.test.bak`, `${O1}/static/real.test`]) {
        host.write(`${place}/settings.php`, settingsOf({ database: 'realtest' }));
        host.write(`${place}/drushrc.php`, drushrcOf('real.test', { database: 'realtest' }));
        host.directories(`${place}/files`, `${place}/private`);
      }
      // The core of a platform was removed and its sites were not.
      host.write(`${O1}/static/coreless/sites/s.test/settings.php`, settingsOf({ database: 's' }));
    },
    sites: [`o1/real.test ${O1}/distro/001/drupal-10.3-prod/sites/real.test`],
    notSites: [
      `copy ${O1}/distro/001/drupal-10.3-prod/sites/real.test.bak`,
      `no-platform ${O1}/static/real.test`,
      `no-platform ${O1}/static/coreless/sites/s.test`,
    ],
  },
  {
    name: 'a copy of a whole platform: the context tells which site is meant; without one both stay and say so',
    build(host) {
      host.user('o1', 2001, O1);
      for (const name of ['live', 'copy']) {
        host.drupal(`${O1}/static/${name}`, '10.3.6');
        host.aegirSite(O1, `${O1}/static/${name}`, 'known.test');
        host.write(`${O1}/static/${name}/sites/twin.test/settings.php`, settingsOf({ database: 'twin' }));
        host.directories(`${O1}/static/${name}/sites/twin.test/files`);
      }
    },
    sites: [
      `o1/known.test ${O1}/static/copy/sites/known.test`,
      `o1/twin.test ${O1}/static/copy/sites/twin.test`,
      `o1/twin.test ${O1}/static/live/sites/twin.test`,
    ],
    notSites: [`elsewhere ${O1}/static/live/sites/known.test`],
    problems: ['twin.test: site-twice', 'twin.test: site-twice'],
  },
  {
    name: 'code bases that were unpacked among the files of a site, also where those were moved out',
    build(host) {
      const root = boa(host);
      host.aegirSite(O1, root, 'a.test');
      host.drupal(`${root}/sites/a.test/files/drupal-7.98`, '7.98');
      host.write(
        `${root}/sites/a.test/files/drupal-7.98/sites/inner.test/settings.php`,
        settingsOf({ database: 'inner' }),
      );
      host.wordpress(`${O1}/static/files/a.test.private/wordpress`);
      host.remove(`${root}/sites/a.test/private`);
      host.link(`${root}/sites/a.test/private`, host.at(`${O1}/static/files/a.test.private`));
    },
    sites: [`o1/a.test ${O1}/distro/001/drupal-10.3-prod/sites/a.test`],
    notSites: [
      `nested-platform ${O1}/distro/001/drupal-10.3-prod/sites/a.test/files/drupal-7.98`,
      `nested-platform ${O1}/static/files/a.test.private/wordpress`,
    ],
  },
  {
    name: 'a platform on a remote web server is named as not supported, one on the master by any name is not',
    build(host) {
      const root = boa(host);
      host.context(O1, 'server_master', {
        context_type: 'server',
        remote_host: 'panel.host.test',
        http_service_type: 'nginx',
      });
      host.context(O1, 'server_web2', {
        context_type: 'server',
        remote_host: 'web2.host.test',
        http_service_type: 'nginx',
      });
      host.aegirSite(O1, root, 'here.test');
      host.drupal(`${O1}/static/far`, '7.98');
      host.context(O1, 'platform_Far', {
        context_type: 'platform',
        root: host.at(`${O1}/static/far`),
        web_server: '@server_web2',
      });
      host.aegirSite(O1, `${O1}/static/far`, 'far.test');
    },
    sites: [
      `o1/far.test ${O1}/static/far/sites/far.test`,
      `o1/here.test ${O1}/distro/001/drupal-10.3-prod/sites/here.test`,
    ],
    problems: ['far.test: web-server-remote'],
  },
  {
    name: 'two accounts that carry the same URI each have theirs, and one database between them is told',
    build(host) {
      for (const name of ['o1', 'o2']) {
        host.user(name, 2000 + Number(name.slice(1)), `data/disk/${name}`);
        host.aegirHome(`data/disk/${name}`);
        host.drupal(`data/disk/${name}/distro/001/d`, '10.3.6');
        host.aegirSite(`data/disk/${name}`, `data/disk/${name}/distro/001/d`, 'twin.test');
      }
    },
    sites: ['o1', 'o2'].map((name) => `${name}/twin.test data/disk/${name}/distro/001/d/sites/twin.test`),
    check: (found) =>
      assert.deepEqual(
        found.sites.map(({ databases }) => databases[0]?.sharedWith.map(({ site }) => site)),
        [['o2/twin.test'], ['o1/twin.test']],
      ),
  },
  {
    name: 'Backdrop under Aegir, with its settings cloaked',
    build(host) {
      host.user('o1', 2001, O1);
      host.aegirHome(O1);
      host.backdrop(`${O1}/static/backdrop`);
      host.write(
        `${O1}/static/backdrop/settings.php`,
        `<?php\n$database = 'mysql://user:pass@localhost/database_name';\n`,
      );
      host.aegirSite(O1, `${O1}/static/backdrop`, 'bd.test', { cloaked: true });
    },
    sites: [`o1/bd.test ${O1}/static/backdrop/sites/bd.test`],
    notSites: [`no-database ${O1}/static/backdrop`],
    databases: ['bd.test: mariadb bdtest@local'],
  },
  {
    name: 'settings that Aegir wrote and the owner’s local.settings.php after them, with the host’s own configuration between',
    build(host) {
      const root = boa(host);
      host.aegirSite(O1, root, 'a.test', { cloaked: true });
      host.write(
        `${root}/sites/a.test/settings.php`,
        `${CLOAKED}if (is_readable('sites/all/modules/fb/fb.inc')) { require_once 'sites/all/modules/fb/fb.inc'; }\n` +
          `foreach (array('a', 'b') as $name) { $conf[$name] = $name; }\n` +
          `if (is_readable('${host.at(`${root}/sites/a.test/local.settings.php`)}')) { include_once '${host.at(`${root}/sites/a.test/local.settings.php`)}'; }\n`,
      );
      host.write(`${root}/sites/a.test/local.settings.php`, `<?php $databases['default']['default']['prefix'] = 'x_';`);
    },
    sites: [`o1/a.test ${O1}/distro/001/drupal-10.3-prod/sites/a.test`],
    databases: ['a.test: mariadb atest@local x_'],
  },
];

testLayouts('a host of Aegir or BOA', layouts);
