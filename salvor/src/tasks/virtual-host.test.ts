/** Virtual hosts as a real nginx serves them and a real Apache reads them. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { findFreePort } from '../../../demo/web-server.ts';
import { hasCode } from '../../test/fault/fault-host.ts';
import { type TestNginx, openNginx } from '../../test/e2e/open-nginx.ts';
import { presetPolicy } from '../policies/policy.ts';
import type { Policy } from '../policies/settings.ts';
import type { Site } from '../sites/site.ts';
import { bareSite } from '../sites/bare-site.ts';
import { switchVhostOff } from '../sites/switch-off-vhost.ts';
import { makeMove } from './move-site.ts';
import { planAvailability } from './plan-availability.ts';
import { makeStaging } from './staging.ts';
import {
  type Switch,
  type SwitchTools,
  makeSwitch,
  planSwitchBack,
  revertSwitch,
  surveySwitch,
  finishSwitch,
} from './switch-site.ts';
import { parseTaskId } from './task-id.ts';
import { VHOST_TEMPLATES, fillTemplate } from './virtual-host-template.ts';
import { type VirtualHostPlan, buildVirtualHosts, planVirtualHost, planWithoutVirtualHost } from './virtual-host.ts';

describe('the virtual host of a site', { concurrency: 1 }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'salvor-vhost-'));
  const home = join(directory, 'o1');
  const vhosts = join(home, 'config/server_master/nginx/vhost.d');
  const root = join(home, 'platforms/d10');
  const staging = join(directory, 'staging');
  let nginx: TestNginx;
  let policy: Policy;
  let tasks = 0;

  before(async () => {
    mkdirSync(vhosts, { recursive: true });
    nginx = await openNginx(directory, vhosts);
    policy = {
      ...presetPolicy('standard'),
      webServer: 'nginx',
      webServerListen: `127.0.0.1:${nginx.port}`,
      webServerPhp: nginx.php,
      webServerTest: nginx.test,
      webServerReload: nginx.reload,
    };
    for (const [path, text] of Object.entries({
      'index.php': '<?php',
      'sites/old.test/settings.php': '<?php // secret',
      'sites/old.test/drushrc.php': '<?php // secret',
      'sites/old.test/database.sql': 'secret',
      'sites/old.test/files/a b.txt': 'public',
      'sites/old.test/files/evil.php': '<?php',
      'sites/old.test/files/private/a.txt': 'secret',
      'sites/old.test/files/backup_migrate/manual/a.mysql.gz': 'secret',
      'sites/old.test/private/files/a.txt': 'secret',
      'sites/old.test/private/backup.tar': 'secret',
      'sites/old.test/modules/x/x.module': '<?php // code',
      'sites/old.test/modules/x/x.js': 'public',
      '.git/config': 'secret',
      'core/install.php': '<?php',
    })) {
      mkdirSync(join(root, path, '..'), { recursive: true });
      writeFileSync(join(root, path), text);
    }
  });
  after(async () => {
    await nginx[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  });
  beforeEach(() => {
    for (const name of readdirSync(vhosts)) rmSync(join(vhosts, name));
    rmSync(staging, { recursive: true, force: true });
  });

  const { uid = 0, gid = 0 } = { uid: process.getuid?.(), gid: process.getgid?.() };
  const site = (uri: string, password = 'pw', said: Partial<Site> = {}): Site =>
    bareSite({
      uri,
      path: join(root, 'sites', uri),
      account: { name: 'o1', home, uid, gid, logins: [], webGroup: null },
      platform: { name: 'd10', root, cms: 'drupal', version: '10.3.1' },
      databases: [
        {
          engine: 'mariadb',
          name: 'base',
          login: { address: { host: '127.0.0.1', port: 3307 }, user: 'user', password },
          prefix: '',
          otherPrefixes: [],
          sharedWith: [],
        },
      ],
      ...said,
    });
  const lines: string[] = [];
  const say = (line: string): void => void lines.push(line);
  const tools: SwitchTools = {
    administratorOf: () => assert.fail('no database is asked'),
    say,
    audit: (_what, _path, body) => Promise.resolve(body()),
  };
  const build = async (plan: VirtualHostPlan | null): Promise<Switch> => {
    assert.deepEqual(plan?.obstacles, []);
    const id = parseTaskId(String((tasks += 1)).padStart(12, '0')) ?? assert.fail();
    await makeStaging(join(staging, 'o1', id));
    const virtualHosts = await buildVirtualHosts(plan, { account: 'o1', staging }, { id });
    return { tables: [], moves: [], ...(virtualHosts === undefined ? {} : { virtualHosts }) };
  };
  const apply = async (plan: VirtualHostPlan | null): Promise<Switch> => {
    const wanted = await build(plan);
    assert.deepEqual(await makeSwitch(wanted, home, tools), []);
    return wanted;
  };

  it('is none where the policy names no web server', async () => {
    assert.equal(await planVirtualHost(site('old.test'), presetPolicy('standard'), null, say), null);
    assert.equal(await planWithoutVirtualHost(site('old.test'), policy, say), null, 'it has none');
  });

  it('serves what is public, hands scripts the log-in as it is, and keeps the rest from visitors', async () => {
    const password = 'a"b\\c;d}e \'f#';
    await apply(
      await planVirtualHost(site('old.test', password, { aliases: ['www.old.test', '*.bad'] }), policy, null, say),
    );
    assert.equal(lstatSync(join(vhosts, 'old.test')).mode & 0o777, 0o600);
    assert.equal((await nginx.ask('www.old.test', '/sites/old.test/files/a%20b.txt')).body, 'public');
    assert.equal((await nginx.ask('old.test', '/sites/old.test/modules/x/x.js')).body, 'public');
    const page = JSON.parse((await nginx.ask('old.test', '/node/1?x=y')).body) as Record<string, string>;
    assert.equal(page['SCRIPT_FILENAME'], join(root, 'index.php'));
    assert.equal(page['QUERY_STRING'], 'x=y');
    const { db_name, db_user, db_passwd, db_host, db_port } = page;
    assert.deepEqual([db_name, db_user, db_passwd, db_host, db_port], ['base', 'user', password, '127.0.0.1', '3307']);
    assert.equal((await nginx.ask('old.test', '/core/install.php/a')).status, 200);
    for (const path of [
      '/sites/old.test/private/files/a.txt',
      '/sites/old.test/PRIVATE/backup.tar',
      '/sites/old.test/files/../private/files/a.txt',
      '/sites/old.test/%70rivate/files/a.txt',
      '/sites/old.test//private/files/a.txt',
      '/sites/old.test/files/private/a.txt',
      '/sites/old.test/files/backup_migrate/manual/a.mysql.gz',
      '/sites/old.test/settings.php',
      '/sites/old.test/drushrc.php',
      '/sites/old.test/database.sql',
      '/sites/old.test/files/evil.php',
      '/sites/old.test/modules/x/x.module',
      '/.git/config',
    ]) {
      const { status, body } = await nginx.ask('old.test', path);
      assert.deepEqual([path, status, /secret|code/.test(body)], [path, 403, false]);
    }
    writeFileSync(join(root, 'sites/old.test/.maintenance'), '');
    assert.equal((await nginx.ask('old.test', '/sites/old.test/files/a%20b.txt')).status, 503);
    rmSync(join(root, 'sites/old.test/.maintenance'));
  });

  it('that nginx refuses is not there afterwards: the old one is, and nginx’s words say why', async () => {
    const own = site('old.test');
    await apply(await planVirtualHost(own, policy, null, say));
    const was = readFileSync(join(vhosts, 'old.test'));
    const { ino } = lstatSync(join(vhosts, 'old.test'));
    const template = join(directory, 'template');
    writeFileSync(template, 'server {\n  server_name {{names}};\n  root {{root}};\n  nonsense on;\n}\n');
    const wanted = await build(await planVirtualHost(own, { ...policy, virtualHostTemplate: template }, null, say));
    await assert.rejects(makeSwitch(wanted, home, tools), (error: unknown) => {
      assert.ok(hasCode('virtual-host-refused')(error));
      return (
        assert.match(String(error), /nginx refuses .*old\.test: .*unknown directive "nonsense".*old\.test:4/) ?? true
      );
    });
    assert.deepEqual([readFileSync(join(vhosts, 'old.test')), lstatSync(join(vhosts, 'old.test')).ino], [was, ino]);
    assert.ok((await surveySwitch(wanted, home, tools)).isUntouched);
  });

  it('is not planned while nginx refuses what is there already, or where a value can’t be written', async () => {
    writeFileSync(join(vhosts, 'other.test'), 'nonsense;\n');
    const plan = await planVirtualHost(site('old.test', 'a$b'), { ...policy, webServerPhp: null }, null, say);
    assert.deepEqual(
      plan?.obstacles.map(({ code }) => code),
      ['web-server-broken', 'virtual-host-value', 'virtual-host-value'],
    );
    assert.match(plan?.obstacles[0]?.message ?? '', /unknown directive "nonsense"/);
    assert.match(plan?.obstacles.at(-1)?.message ?? '', /asks for php, and there is none: name where PHP listens/);
  });

  it('follows its site to another name and log-in, and comes back by the way back', async () => {
    const old = site('old.test', 'pw', { virtualHosts: [join(vhosts, 'old.test')] });
    writeFileSync(
      join(vhosts, 'old.test'),
      `server {\n  listen 127.0.0.1:${nginx.port};\n  server_name old.test gone.test;\n  root ${root};\n  location / { return 200 own; }\n  fastcgi_param db_name base;\n  fastcgi_param db_passwd a%2Bb;\n}\n`,
      { mode: 0o640 },
    );
    const renamed = site('new.test', 'p+w');
    const done = await apply(await planVirtualHost(renamed, policy, { site: old, isCopy: false }, say));
    assert.equal((await nginx.ask('new.test', '/')).body, 'own');
    assert.equal((await nginx.ask('old.test', '/')).status, 404);
    assert.equal((await nginx.ask('gone.test', '/')).status, 404);
    assert.match(readFileSync(join(vhosts, 'new.test'), 'latin1'), /db_passwd "p%2Bw";/);
    assert.equal(lstatSync(join(vhosts, 'new.test')).mode & 0o777, 0o640);
    assert.deepEqual(readdirSync(vhosts), ['new.test']);
    const back = await planSwitchBack(done, home, () => '', tools);
    await makeSwitch(back, home, tools);
    assert.equal((await nginx.ask('old.test', '/')).body, 'own');
    assert.deepEqual(readdirSync(vhosts), ['old.test']);

    // A copy leaves its original alone, and the way back of it takes only the copy away.
    const was = readFileSync(join(vhosts, 'old.test'));
    const copied = await apply(await planVirtualHost(renamed, policy, { site: old, isCopy: true }, say));
    assert.equal((await nginx.ask('new.test', '/')).status, 200);
    assert.deepEqual(readFileSync(join(vhosts, 'old.test')), was);
    await revertSwitch(copied, home, tools);
    assert.equal((await nginx.ask('new.test', '/')).status, 404);
    assert.deepEqual(readdirSync(vhosts), ['old.test']);

    const gone = await apply(await planWithoutVirtualHost(old, policy, say));
    assert.equal((await nginx.ask('old.test', '/')).status, 404);
    await makeSwitch(await planSwitchBack(gone, home, () => '', tools), home, tools);
    assert.equal((await nginx.ask('old.test', '/')).status, 200);
  });

  it('goes on sending visitors of www. and of its further names to the site, by its new name', async () => {
    const listen = `listen 127.0.0.1:${nginx.port}`;
    writeFileSync(
      join(vhosts, 'old.test'),
      `server {\n  ${listen};\n  server_name www.old.test shop.test;\n  return 301 http://old.test$request_uri;\n}\n` +
        `server {\n  ${listen};\n  server_name old.test;\n  root ${root};\n  location / { return 200 own; }\n}\n`,
    );
    const aliases = ['shop.test'];
    const old = site('old.test', 'pw', { aliases, virtualHosts: [join(vhosts, 'old.test')] });
    const plan = await planVirtualHost(site('new.test', 'pw', { aliases }), policy, { site: old, isCopy: false }, say);
    const done = await apply(plan);
    for (const name of ['www.new.test', 'shop.test']) {
      const { status, location } = await nginx.ask(name, '/a?b');
      assert.deepEqual([name, status, location], [name, 301, 'http://new.test/a?b']);
    }
    assert.equal((await nginx.ask('new.test', '/')).body, 'own');
    assert.equal((await nginx.ask('www.old.test', '/')).status, 404);
    await makeSwitch(await planSwitchBack(done, home, () => '', tools), home, tools);
    assert.equal((await nginx.ask('www.old.test', '/')).location, 'http://old.test/');

    // Out of the template, where there is no file to follow.
    rmSync(join(vhosts, 'old.test'));
    await apply(await planVirtualHost(site('new.test', 'pw', { aliases }), policy, null, say));
    for (const name of ['new.test', 'shop.test'])
      assert.equal((await nginx.ask(name, '/sites/old.test/files/a%20b.txt')).body, 'public', name);
  });

  it('is each file that serves the site: one for TLS beside it, and one that the server reads by a link', async () => {
    const enabled = join(directory, 'enabled');
    const available = join(directory, 'available');
    for (const path of [enabled, available]) mkdirSync(path);
    const linked = { ...policy, virtualHost: join(enabled, '{uri}.conf') };
    const serve = (listen: string): string =>
      `server {\n  listen ${listen};\n  server_name old.test;\n  root ${root};\n}\n`;
    const main = join(available, 'old.test.conf');
    writeFileSync(main, serve(`127.0.0.1:${nginx.port}`));
    symlinkSync(main, join(enabled, 'old.test.conf'));
    writeFileSync(join(vhosts, 'old.test-ssl'), serve(`unix:${directory}/ssl.sock`));
    const old = site('old.test', 'pw', { virtualHosts: [main, join(vhosts, 'old.test-ssl')] });
    const files = async (plan: Promise<VirtualHostPlan | null>): Promise<readonly (readonly [string, boolean])[]> =>
      ((await plan)?.files ?? []).map(({ path, text }) => [path, text !== null] as const);
    assert.deepEqual(await files(planVirtualHost(site('new.test'), linked, { site: old, isCopy: false }, say)), [
      [join(enabled, 'new.test.conf'), true],
      [join(enabled, 'old.test.conf'), false],
      [join(vhosts, 'new.test-ssl'), true],
      [join(vhosts, 'old.test-ssl'), false],
    ]);
    const gone = await apply(await planWithoutVirtualHost(old, linked, say));
    assert.deepEqual([readdirSync(enabled), readdirSync(available), readdirSync(vhosts)], [[], ['old.test.conf'], []]);
    await revertSwitch(gone, home, tools);
    assert.deepEqual([readdirSync(enabled), readdirSync(vhosts)], [['old.test.conf'], ['old.test-ssl']]);
    // In place: the file behind the link, and both of them.
    const { document } = await planAvailability(old, 'off', { policy: linked, unfinished: [] }, say);
    assert.deepEqual(
      document.places.map(({ path }) => path),
      [main, join(vhosts, 'old.test-ssl')],
    );
  });

  it('that somebody else has written since stays his on the way back', async () => {
    const done = await apply(await planVirtualHost(site('old.test'), policy, null, say));
    writeFileSync(join(directory, 'his'), '# his\n');
    renameSync(join(directory, 'his'), join(vhosts, 'old.test'));
    await revertSwitch(done, home, tools);
    assert.equal(readFileSync(join(vhosts, 'old.test'), 'utf8'), '# his\n');
    assert.deepEqual((await planSwitchBack(done, home, () => '', tools)).virtualHosts?.moves, []);
  });

  it('is not written where a tenant’s link leads, nor where others may write', async () => {
    const outside = join(directory, 'outside');
    mkdirSync(outside);
    renameSync(vhosts, `${vhosts}.away`);
    symlinkSync(outside, vhosts);
    const plan = await planVirtualHost(site('old.test'), policy, null, say);
    await assert.rejects(build(plan), hasCode('path-leads-out'));
    assert.deepEqual(readdirSync(outside), []);
    rmSync(vhosts);
    renameSync(`${vhosts}.away`, vhosts);
    execFileSync('chmod', ['777', outside]);
    const open = { ...policy, virtualHost: join(outside, '{uri}.conf') };
    const refused = await planVirtualHost(site('old.test'), open, null, say);
    assert.deepEqual(
      refused?.obstacles.map(({ code }) => code),
      ['virtual-host-place'],
    );
  });

  it('is served by a real Apache: what is public, and nothing of the rest; nothing at all where it is switched off', async () => {
    const port = await findFreePort();
    const values = {
      uri: 'old.test',
      aliases: ['www.old.test'],
      root,
      sitePath: join(root, 'sites/old.test'),
      maintenance: join(root, 'sites/old.test/.maintenance'),
      listen: String(port),
      php: null,
      environment: new Map([['db_passwd', 'a"b\\c #d']]),
    };
    const full = fillTemplate('apache', VHOST_TEMPLATES.apache, values);
    const bare = fillTemplate('apache', VHOST_TEMPLATES.apache, {
      ...values,
      uri: 'bare.test',
      aliases: [],
      php: 'unix:/run/php.sock',
      environment: new Map(),
    });
    assert.deepEqual([full.problems, bare.problems], [[], []]);
    assert.match(full.text, /SetEnv db_passwd "a\\"b\\\\c #d"/);
    assert.ok(!bare.text.includes('SetEnv') && !bare.text.includes('ServerAlias'));
    // A rewriting that comes first elsewhere, and a section that lets everybody in.
    const open = full.text.replace(
      '</VirtualHost>',
      '<Location "/">\n    Require all granted\n  </Location>\n  RewriteRule ^/old$ /sites/old.test/modules/x/x.js [L]\n</VirtualHost>',
    );
    const conf = join(directory, 'apache.conf');
    chmodSync(directory, 0o755);
    const modules = ['mpm_event', 'authz_core', 'dir', 'env', 'rewrite', 'alias', 'proxy', 'proxy_fcgi'].map(
      (name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so\n`,
    );
    const head = `ServerName x.test
PidFile ${directory}/apache.pid
ErrorLog ${directory}/apache.log
DefaultRuntimeDir ${directory}
${uid === 0 ? 'User nobody\nGroup nogroup\n' : ''}Listen 127.0.0.1:${port}
${modules.join('')}`;
    /** As its first virtual host Apache takes the one before for all other names. */
    const serve = async (text: string): Promise<readonly (readonly [string, number])[]> => {
      writeFileSync(conf, `${head}${bare.text}${text}`);
      execFileSync('apache2', ['-t', '-f', conf], { stdio: 'pipe' });
      const apache = spawn('apache2', ['-f', conf, '-DFOREGROUND'], { stdio: 'ignore' });
      const gone = once(apache, 'exit');
      try {
        const statuses: [string, number][] = [];
        for (const path of [
          '/sites/old.test/files/a%20b.txt',
          '/old',
          '/sites/old.test/private/files/a.txt',
          '/sites/old.test/files/../Private/backup.tar',
          '/sites/old.test/files/private/a.txt',
          '/sites/old.test/settings.php',
          '/sites/old.test/database.sql',
          '/.git/config',
        ])
          statuses.push([path, await askApache(port, path)]);
        return statuses;
      } finally {
        apache.kill('SIGTERM');
        await gone;
      }
    };
    const [plain, opened, off] = [await serve(full.text), await serve(open), await serve(switchVhostOff(open))];
    const statusesOf = (served: typeof plain): readonly number[] => served.map(([, status]) => status);
    assert.deepEqual(statusesOf(plain), [200, 404, 403, 403, 403, 403, 403, 403]);
    assert.equal(statusesOf(opened)[1], 200);
    assert.deepEqual(
      statusesOf(off),
      plain.map(() => 503),
    );
    writeFileSync(conf, `${head}${full.text.replace('DocumentRoot', 'DocumentRot')}`);
    assert.throws(() => execFileSync('apache2', ['-t', '-f', conf], { stdio: 'pipe' }));
  });

  it('that a crash left half in place is finished, or taken back where nginx does not take it any more', async () => {
    const old = site('old.test', 'pw', { virtualHosts: [join(vhosts, 'old.test')] });
    await apply(await planVirtualHost(old, policy, null, say));
    const was = readFileSync(join(vhosts, 'old.test'));
    const half = async (): Promise<Switch> => {
      const plan = await planVirtualHost(site('new.test'), policy, { site: old, isCopy: false }, say);
      const wanted = await build(plan);
      const [first] = wanted.virtualHosts?.moves ?? [];
      makeMove(first ?? assert.fail());
      assert.deepEqual(readdirSync(vhosts).toSorted(), ['new.test', 'old.test']);
      assert.ok(!(await surveySwitch(wanted, home, tools)).isUntouched);
      return wanted;
    };
    await revertSwitch(await half(), home, tools);
    assert.deepEqual([readdirSync(vhosts), readFileSync(join(vhosts, 'old.test'))], [['old.test'], was]);
    const refused = await half();
    writeFileSync(join(vhosts, 'zzz'), 'nonsense;');
    await assert.rejects(finishSwitch(refused, home, tools), hasCode('virtual-host-refused'));
    rmSync(join(vhosts, 'zzz'));
    assert.ok((await surveySwitch(refused, home, tools)).isUntouched);
    await finishSwitch(await half(), home, tools);
    assert.deepEqual(readdirSync(vhosts), ['new.test']);
    assert.equal((await nginx.ask('new.test', '/sites/old.test/files/a%20b.txt')).status, 200);
    assert.equal((await nginx.ask('old.test', '/')).status, 404);
  });
});

/** The status; until it listens it is asked again. */
async function askApache(port: number, path: string): Promise<number> {
  for (let tries = 0; ; tries++) {
    try {
      return await new Promise<number>((settle, fail) => {
        const asked = request(
          { host: '127.0.0.1', port, path, headers: { Host: 'old.test' }, agent: false },
          (response) => {
            response.resume();
            settle(response.statusCode ?? 0);
          },
        );
        asked.on('error', fail);
        asked.end();
      });
    } catch (error) {
      if (tries > 400) throw error;
      await sleep(25);
    }
  }
}
