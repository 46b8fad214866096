import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { CLOAKED, drushrcOf, settingsOf, wpConfigOf } from './test-host.ts';
import type { TestHost } from './test-host.ts';
import { type Layout, testLayouts } from './test-layout.ts';

const O1 = 'data/disk/o1';
const ROOT = `${O1}/distro/001/d`;

function tenant(host: TestHost): void {
  host.user('o1', 2001, O1);
  host.aegirHome(O1);
  host.drupal(ROOT, '10.3.6');
  host.aegirSite(O1, ROOT, 'real.test');
}

const REAL = `o1/real.test ${ROOT}/sites/real.test`;

/** A directory whose name is bytes. */
function makeNamed(host: TestHost, parent: string, name: Uint8Array): void {
  host.directories(parent);
  const path = Buffer.concat([Buffer.from(`${host.at(parent)}/`), name]);
  mkdirSync(path);
}

/** Of the chain, up to where its path is longer than the system takes. */
function tooLong(host: TestHost, parent: string): string {
  const levels = Math.ceil((4096 - host.at(parent).length) / 251);
  return Array.from({ length: levels }, () => 'x'.repeat(250)).join('/');
}

const layouts: readonly Layout[] = [
  {
    name: 'links in circles, to what is above them, and out of the home',
    build(host) {
      tenant(host);
      host.link(`${ROOT}/sites/loop.test`, 'pool.test');
      host.link(`${ROOT}/sites/pool.test`, 'loop.test');
      host.link(`${ROOT}/sites/up.test`, '../..');
      host.link(`${ROOT}/sites/etc.test`, '/etc');
      host.link(`${ROOT}/sites/gone.test`, 'nowhere');
      host.link(`${O1}/static/loop`, '..');
      host.link(`${O1}/static/root`, '/');
      host.link(`${O1}/current`, '/');
    },
    sites: [REAL],
    notSites: ['loop', 'pool', 'up', 'etc', 'gone'].map((name) => `symlink ${ROOT}/sites/${name}.test`),
  },
  {
    name: 'settings that are a link to /etc/shadow, a pipe, a device, a directory, a file of 2 GB or a hard link to a stranger’s',
    build(host) {
      tenant(host);
      host.link(`${ROOT}/sites/shadow.test/settings.php`, '/etc/shadow');
      host.directories(...['pipe', 'device'].map((name) => `${ROOT}/sites/${name}.test`));
      execFileSync('mkfifo', [host.at(`${ROOT}/sites/pipe.test/settings.php`)]);
      execFileSync('mknod', [host.at(`${ROOT}/sites/device.test/settings.php`), 'c', '1', '5']);
      host.directories(`${ROOT}/sites/directory.test/settings.php`);
      host.sparse(`${ROOT}/sites/huge.test/settings.php`, 2 * 1024 ** 3);
      host.write('data/disk/o2/settings.php', settingsOf({ database: 'stolen' }));
      host.hardLink(`${ROOT}/sites/hard.test/settings.php`, 'data/disk/o2/settings.php', 2002);
      for (const name of ['shadow', 'pipe', 'device', 'directory', 'huge', 'hard'])
        host.directories(`${ROOT}/sites/${name}.test/files`);
    },
    // Beside files of a site they are what somebody made of its settings: seen, with a problem, and never backed up as whole.
    sites: [
      REAL,
      ...['device', 'directory', 'hard', 'huge', 'pipe', 'shadow'].map(
        (name) => `o1/${name}.test ${ROOT}/sites/${name}.test`,
      ),
    ],
    databases: ['real.test: mariadb realtest@local'],
    problems: ['device', 'directory', 'hard', 'huge', 'pipe', 'shadow'].map(
      (name) => `${name}.test: settings-unreadable`,
    ),
  },
  {
    name: 'the same with nothing beside them, in a home that Aegir does not know: named, and no sites',
    build(host) {
      host.user('o1', 2001, O1);
      host.drupal(ROOT, '10.3.6');
      host.write(`${ROOT}/sites/real.test/settings.php`, settingsOf({ database: 'realtest' }));
      host.link(`${ROOT}/sites/shadow.test/settings.php`, '/etc/shadow');
      host.link(`${ROOT}/sites/circle.test/settings.php`, 'settings.php');
      host.sparse(`${ROOT}/sites/huge.test/settings.php`, 2 * 1024 ** 3);
      host.directories(`${ROOT}/sites/pipe.test`);
      execFileSync('mkfifo', [host.at(`${ROOT}/sites/pipe.test/settings.php`)]);
    },
    sites: [REAL],
    notSites: ['shadow', 'circle', 'huge', 'pipe'].map((name) => `settings-unreadable ${ROOT}/sites/${name}.test`),
  },
  {
    name: 'names with line breaks, of bytes that are not UTF-8, that look like flags, and a platform in a directory of such a name',
    build(host) {
      tenant(host);
      for (const name of ['line\nbreak.test', '-rf', 'blank name.test', 'rtl\u202etset.test']) {
        host.write(`${ROOT}/sites/${name}/settings.php`, settingsOf({ database: 'x' }));
        host.directories(`${ROOT}/sites/${name}/files`);
      }
      makeNamed(host, `${ROOT}/sites`, Buffer.from('na\xefve.test', 'latin1'));
      makeNamed(host, `${O1}/static`, Buffer.from([0xff, 0x0a, 0x41]));
      host.drupal(`${O1}/static/line\nbreak`, '7.98');
      host.aegirSite(O1, `${O1}/static/line\nbreak`, 'odd.test');
    },
    sites: [REAL, `o1/odd.test ${O1}/static/line\nbreak/sites/odd.test`],
    notSites: [
      ...['line\nbreak.test', '-rf', 'blank name.test', 'rtl\u202etset.test', 'na\\xefve.test'].map(
        (name) => `bad-name ${ROOT}/sites/${name}`,
      ),
      `not-searched ${O1}/static/\\xff\\x0aA`,
    ],
  },
  {
    name: '../ in the URIs and roots of contexts, in sites.php and in drushrc.php',
    build(host) {
      tenant(host);
      host.write('data/disk/o2/p/sites/x.test/settings.php', settingsOf({ database: 'stolen' }));
      host.drupal('data/disk/o2/p', '10.3.6');
      host.context(O1, 'evil', { context_type: 'site', uri: '../../../../o2/p/sites/x.test', root: host.at(ROOT) });
      host.context(O1, 'platform_Evil', { context_type: 'platform', root: host.at(`${O1}/../o2/p`) });
      host.context(O1, 'platform_Relative', { context_type: 'platform', root: '../o2/p' });
      host.context(O1, 'null', { context_type: 'site', uri: 'null.test', root: '/etc' });
      host.write(`${ROOT}/sites/sites.php`, `<?php $sites['alias.test'] = '../../../../o2/p/sites/x.test';`);
      host.write(`${ROOT}/sites/real.test/drushrc.php`, drushrcOf('../../o2', { database: 'realtest' }));
    },
    sites: [REAL, 'o2/x.test data/disk/o2/p/sites/x.test'],
    notSites: [
      `bad-name ${O1}/.drush/evil.alias.drushrc.php`,
      `ghost-context ${O1}/.drush/null.alias.drushrc.php`,
      `ghost-platform ../o2/p`,
      'outside-home data/disk/o2/p',
    ],
  },
  {
    name: 'settings that try to run programs, write files, load code from elsewhere or read it from the network',
    build(host) {
      tenant(host);
      const flag = host.at('ran');
      host.write(
        `${ROOT}/sites/real.test/settings.php`,
        settingsOf({ database: 'realtest' }) +
          `system('touch ${flag}');\n$x = \`touch ${flag}\`;\neval("touch('${flag}');");\nfile_put_contents('${flag}', 'x');\n` +
          `include 'data://text/plain,<?php touch("${flag}");';\ninclude '/proc/self/environ';\n`,
      );
    },
    sites: [REAL],
    databases: ['real.test: mariadb realtest@local'],
    problems: [
      'code-not-run',
      'code-not-run',
      'code-not-run',
      'code-not-run',
      'include-not-read',
      'include-not-read',
    ].map((code) => `real.test: settings-${code}`),
    check: (_, host) => assert.equal(existsSync(host.at('ran')), false),
  },
  {
    name: 'a site below 200 directories, and a chain of directories that is longer than a path can be',
    build(host) {
      tenant(host);
      const deep = `${O1}/static/${Array.from({ length: 200 }, (_, level) => `d${level}`).join('/')}/code`;
      host.drupal(deep, '10.3.6');
      host.aegirSite(O1, deep, 'deep.test');
      const name = 'x'.repeat(250);
      execFileSync(
        'sh',
        ['-c', `i=0; while [ $i -lt 20 ]; do mkdir ${name} && cd -P ${name} || exit 1; i=$((i+1)); done`],
        {
          cwd: host.at(`${O1}/static`),
        },
      );
    },
    sites: [
      REAL,
      `o1/deep.test ${O1}/static/${Array.from({ length: 200 }, (_, level) => `d${level}`).join('/')}/code/sites/deep.test`,
    ],
    notSites: (host) => [`not-searched ${O1}/static/${tooLong(host, `${O1}/static`)}`],
  },
  {
    name: 'more directories than are looked at: the near sites are found, and that something may be missing is a problem',
    build(host) {
      tenant(host);
      for (let i = 0; i < 300; i++) host.directories(`${O1}/static/many/${i}`);
    },
    options: { maxDirectories: 200 },
    sites: [REAL],
    problems: ['search-cut'],
  },
  {
    name: 'moved-out directories that lead to /etc, to another account, to the home, in a circle, to another site, or to one place for two',
    build(host) {
      tenant(host);
      host.user('o2', 2002, 'data/disk/o2');
      host.directories('data/disk/o2/files', `${O1}/static/files/two.files`);
      const links = {
        etc: '/etc',
        stranger: host.at('data/disk/o2/files'),
        home: host.at(O1),
        circle: 'files',
        real: '../real.test/files',
      };
      for (const [name, target] of Object.entries(links)) {
        host.aegirSite(O1, ROOT, `${name}.bad`);
        host.remove(`${ROOT}/sites/${name}.bad/files`);
        host.link(`${ROOT}/sites/${name}.bad/files`, target);
      }
      for (const uri of ['one', 'two']) {
        host.aegirSite(O1, ROOT, uri);
        host.remove(`${ROOT}/sites/${uri}/files`);
        host.link(`${ROOT}/sites/${uri}/files`, host.at(`${O1}/static/files/two.files`));
      }
    },
    sites: [
      REAL,
      ...['circle.bad', 'etc.bad', 'home.bad', 'one', 'real.bad', 'stranger.bad', 'two'].map(
        (uri) => `o1/${uri} ${ROOT}/sites/${uri}`,
      ),
    ],
    check(found) {
      const reasons = found.sites.map(({ uri, movedOut }) => [uri, movedOut.map(({ reason }) => reason).join()]);
      assert.deepEqual(Object.fromEntries(reasons), {
        'circle.bad': 'it leads in a circle',
        'etc.bad': "it leads out of the account's homes",
        'home.bad': "it leads out of the account's homes",
        'stranger.bad': "it leads out of the account's homes",
        'real.bad': 'what it leads to is a part of real.test, or holds it',
        'real.test': '',
        one: "two is linked to it too, and it counts as that one's",
        two: '',
      });
    },
  },
  {
    name: 'contexts, alias files and virtual hosts that are bombs, pipes, links out or of gigabytes cost a problem and no more',
    build(host) {
      tenant(host);
      host.write(
        `${O1}/.drush/bomb.alias.drushrc.php`,
        `<?php $a = 'x'; ${'$a .= $a;'.repeat(60)} $aliases['bomb'] = array('uri' => $a);`,
      );
      host.write(
        `${O1}/.drush/deep.alias.drushrc.php`,
        `<?php $aliases['deep'] = ${'array('.repeat(5000)}${')'.repeat(5000)};`,
      );
      host.link(`${O1}/.drush/out.alias.drushrc.php`, '/etc/passwd');
      host.sparse(`${O1}/.drush/huge.alias.drushrc.php`, 1024 ** 3);
      execFileSync('mkfifo', [host.at(`${O1}/.drush/pipe.alias.drushrc.php`)]);
      host.write(
        `${O1}/.drush/sites/bomb.site.yml`,
        `a: &a [${'x,'.repeat(50)}]\n${Array.from({ length: 20 }, (_, i) => `b${i}: &b${i} [*a,*a]`).join('\n')}\n`,
      );
      host.directories(`${O1}/config/server_master/nginx/vhost.d`);
      execFileSync('mkfifo', [host.at(`${O1}/config/server_master/nginx/vhost.d/pipe`)]);
      host.write(`${O1}/config/server_master/nginx/vhost.d/braces`, `server { ${'{'.repeat(100_000)}`);
    },
    sites: [REAL],
    notSites: [],
    // The sixty doublings leave a text that nobody knows, and with it a context without a type.
    problems: ['context-unreadable', 'context-unreadable', 'context-unreadable', 'context-unreadable'],
  },
  {
    name: 'a virtual host of the tenant’s that hands another site’s log-in to a docroot that is not its own',
    build(host) {
      tenant(host);
      host.aegirSite(O1, ROOT, 'cloaked.test', { cloaked: true });
      host.write(`${ROOT}/sites/cloaked.test/settings.php`, CLOAKED);
      host.remove(`${ROOT}/sites/cloaked.test/drushrc.php`);
      const root = host.at(`${O1}/static/other`);
      host.write(
        `${O1}/config/server_master/nginx/vhost.d/cloaked.test`,
        `server { server_name cloaked.test; root ${root}; fastcgi_param db_type mysql; fastcgi_param db_name stolen; fastcgi_param db_user u; fastcgi_param db_passwd p; fastcgi_param db_host h; fastcgi_param db_port 3306; }`,
      );
    },
    sites: [REAL, `o1/cloaked.test ${ROOT}/sites/cloaked.test`],
    databases: ['real.test: mariadb realtest@local'],
    problems: ['cloaked.test: database-unresolved'],
  },
  {
    name: 'a directory of sites and a platform that are links out of the home, to another account',
    build(host) {
      tenant(host);
      host.user('o2', 2002, 'data/disk/o2');
      host.drupal('data/disk/o2/p', '10.3.6');
      host.write('data/disk/o2/p/sites/theirs.test/settings.php', settingsOf({ database: 'theirs' }));
      host.drupal(`${O1}/static/q`, '10.3.6');
      host.remove(`${O1}/static/q/sites`);
      host.link(`${O1}/static/q/sites`, host.at('data/disk/o2/p/sites'));
      host.link(`${O1}/static/p`, host.at('data/disk/o2/p'));
      host.wordpress(`${O1}/static/w`);
      host.link(`${O1}/static/w/wp-config.php`, host.at('data/disk/o2/wp-config.php'));
      host.write('data/disk/o2/wp-config.php', wpConfigOf('theirs'));
    },
    sites: [REAL, 'o2/theirs.test data/disk/o2/p/sites/theirs.test'],
    notSites: [`outside-home ${O1}/static/q/sites`, `settings-unreadable ${O1}/static/w`, 'no-platform data/disk/o2'],
  },
];

testLayouts('a host whose tenants mean it badly', layouts);
