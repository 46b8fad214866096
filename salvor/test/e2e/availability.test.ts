/** Sites are switched off and on: by nginx as Aegir lays it out, and by the file where nothing else is known. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, lstatSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  AvailabilityDocument,
  type BackupDocument,
  EXIT_OF_STATE,
  ErrorDocument,
  type RestoreDocument,
  TaskLogDocument,
  type TaskSummary,
  type UndoDocument,
  VERIFY_CHECKS,
  VerifyDocument,
} from '@salvor/contract';
import type { DemoSite } from '../../../demo/host.ts';
import { type ObservedSite, observeSite } from '../../../demo/observe-site.ts';
import { Random } from '../../../demo/random.ts';
import { salvorPlaces } from '../../../demo/salvor-command.ts';
import type { Agent } from '../../src/agent/agent.ts';
import { openAgentFor } from '../../src/compose.ts';
import { loadConfig } from '../../src/config.ts';
import { parseVhosts } from '../../src/sites/read-vhosts.ts';
import { SALVOR } from '../cli/run-cli.ts';
import { EVERYTHING } from '../fault/fault-host.ts';
import { chooseSeed } from '../fault/kill-loop.ts';
import { type TestNginx, openNginx } from './open-nginx.ts';
import { killInStep } from './kill-in-step.ts';
import { type TestHost, assertSameSite, openTestHost } from './open-test-host.ts';

/** Each takes a second. */
const KILLS = 3;
const STEPS = ['plan', 'prepare the switch', 'switch', 'switch', 'ask the page', 'keep'];
const MAX_AFTER_MS = 50;

describe('a site is switched off and on', { concurrency: 1 }, () => {
  let test: TestHost;
  let nginx: TestNginx;
  let cloaked: DemoSite;
  let plain: DemoSite;
  let vhost: string;
  let context: string;
  let was: ObservedSite;

  before(async () => {
    test = await openTestHost({ withoutWordPress: true, nodes: 5, files: 5 });
    cloaked = test.host.site('harbour.example.org');
    plain = test.host.site('market.example.org');
    const vhosts = join(test.host.home, 'config/server_master/nginx/vhost.d');
    vhost = join(vhosts, cloaked.uri);
    context = join(test.host.home, '.drush', `${cloaked.uri}.alias.drushrc.php`);
    nginx = await openNginx(test.host.directory, vhosts);
    const served = readFileSync(vhost, 'utf8')
      .replace('*:80', `127.0.0.1:${nginx.port}`)
      .replace(/\}\n$/, "  location / { add_header X-Is on; return 200 'served'; }\n}\n");
    writeFileSync(vhost, served);
    const { config } = salvorPlaces(test.host);
    writeFileSync(
      config,
      readFileSync(config, 'utf8').replace(
        'policy: { archives: { format: none } }',
        `policy:
  archives: { format: none }
  webServer: { kind: nginx, test: ${JSON.stringify(nginx.test)}, reload: ${JSON.stringify(nginx.reload)} }
  page: { url: 'http://{uri}/', connectTo: '127.0.0.1:${nginx.port}', within: 3s }
sites: { ${plain.uri}: { policy: { page: { url: '${plain.url}', connectTo: , within: 0 } } } }`,
      ),
    );
    reload();
    was = await observeSite(test.host, cloaked);
  });
  after(async () => {
    await nginx[Symbol.asyncDispose]();
    await test[Symbol.asyncDispose]();
  });

  const reload = (): void => {
    const [program = '', ...args] = nginx.reload;
    execFileSync(program, args);
  };
  /** In this process: a command of its own costs half a second each time. */
  const call = async <T>(body: (agent: Agent) => Promise<T>): Promise<T> => {
    await using agent = await openAgentFor(loadConfig([salvorPlaces(test.host).config]), { clock: () => new Date() });
    return await body(agent);
  };
  const switchTo = async (verb: 'disable' | 'enable', dryRun = false): Promise<AvailabilityDocument> =>
    AvailabilityDocument.parse(
      await call((agent) => agent.switchSite(cloaked.uri, verb === 'disable' ? 'off' : 'on', { dryRun })),
    );
  const backUp = (site: DemoSite): Promise<BackupDocument> => call((agent) => agent.backup(site.uri, { reason: null }));
  const restore = (site: DemoSite, change: object = {}): Promise<RestoreDocument> =>
    call((agent) => agent.restore(site.uri, { ...EVERYTHING, ...change }));
  const undo = (task: string | null): Promise<UndoDocument> => call((agent) => agent.undo(task ?? ''));
  const lastTask = async (): Promise<TaskSummary | undefined> =>
    (await call((agent) => agent.tasks({ site: null, states: [], count: 1 })))[0];
  const statusOf = async (site: DemoSite): Promise<number> => (await nginx.ask(site.uri, '/')).status;
  const enabledOf = async (site: DemoSite): Promise<boolean | null | undefined> =>
    (await call((agent) => agent.sites())).sites.find(({ uri }) => uri === site.uri)?.enabled;
  const kindsOf = ({ plan }: AvailabilityDocument): readonly string[] => plan.places.map(({ kind }) => kind);

  it('with --dry-run names what would change, and changes nothing', async () => {
    const before = [vhost, context].map((path) => readFileSync(path, 'utf8'));
    const planned = await switchTo('disable', true);
    assert.deepEqual(
      [planned.task, kindsOf(planned), planned.plan.webServer],
      [null, ['virtual-host', 'context'], 'nginx'],
    );
    assert.deepEqual(
      [vhost, context].map((path) => readFileSync(path, 'utf8')),
      before,
    );
    assert.equal(await statusOf(cloaked), 200);
    const already = await switchTo('enable');
    assert.deepEqual([already.task, already.state, already.plan.places], [null, 'succeeded', []]);
  });

  it('by its virtual host and its context; it is listed so, backed up, and on again with the very files of before', async () => {
    const files = [vhost, context].map((path) => ({ text: readFileSync(path, 'utf8'), mode: lstatSync(path).mode }));
    const off = await switchTo('disable');
    assert.deepEqual([off.state, off.page], ['succeeded', 'closed']);
    assert.equal(await statusOf(cloaked), 503);
    assert.deepEqual([await enabledOf(cloaked), await enabledOf(plain)], [false, true]);
    assert.deepEqual(
      [lstatSync(vhost).mode, lstatSync(context).mode],
      files.map(({ mode }) => mode),
    );
    assert.ok((await backUp(cloaked)).tables > 0, 'its log-in is still known');
    const again = await switchTo('disable');
    assert.deepEqual([again.task, again.plan.places], [null, []]);

    const on = await switchTo('enable');
    assert.deepEqual([on.state, on.page], ['succeeded', 'well']);
    assert.deepEqual(
      [vhost, context].map((path) => ({ text: readFileSync(path, 'utf8'), mode: lstatSync(path).mode })),
      files,
    );
    assert.deepEqual([await statusOf(cloaked), await enabledOf(cloaked)], [200, true]);
    assertSameSite(was, await observeSite(test.host, cloaked));

    const { lines } = await test.run(['task', 'log', off.task ?? ''], TaskLogDocument);
    const said = lines.map(({ text }) => text);
    assert.ok(
      said.some((line) => line.startsWith('reload of the web server: ')),
      said.join('\n'),
    );
  });

  it('and back by undo, and by undo of that', async () => {
    const restored = await restore(cloaked, { only: 'files' });
    const off = await switchTo('disable');
    // What it has changed lies beside the site: the restore before it can still be undone.
    await undo(restored.task);
    assert.equal(await statusOf(cloaked), 503);
    const back = await undo(off.task);
    assert.deepEqual([await statusOf(cloaked), await enabledOf(cloaked), back.problems], [200, true, []]);
    const forth = await undo(back.task);
    assert.deepEqual([await statusOf(cloaked), await enabledOf(cloaked), forth.problems], [503, false, []]);
    await undo(forth.task);
    assertSameSite(was, await observeSite(test.host, cloaked));
    assert.equal(await statusOf(cloaked), 200);
  });

  it('not at all where nginx refuses it: all is as it was, and its words say why', async () => {
    const before = [vhost, context].map((path) => readFileSync(path, 'utf8'));
    // It refuses what is new, and not what is there: a test that knows the marked line.
    const { config } = salvorPlaces(test.host);
    const text = readFileSync(config, 'utf8');
    const grumbles = [
      'sh',
      '-c',
      `if grep -rq 'salvor disable' ${join(vhost, '..')}; then echo 'nginx: [emerg] too dark' >&2; exit 1; fi`,
    ];
    writeFileSync(config, text.replace(JSON.stringify(nginx.test), JSON.stringify(grumbles)));
    const { exit, document } = await test.attempt(['disable', cloaked.uri]);
    writeFileSync(config, text);
    const { error } = ErrorDocument.parse(document);
    assert.deepEqual([exit, error.code], [1, 'virtual-host-refused']);
    assert.match(error.message, /too dark/);
    assert.deepEqual(
      [vhost, context].map((path) => readFileSync(path, 'utf8')),
      before,
    );
    const task = await lastTask();
    assert.deepEqual([task?.operation, task?.state], ['disable', 'rolled-back']);
    assert.equal(await statusOf(cloaked), 200);
  });

  it('by the file where it has no virtual host: said that only a web server that looks for it is closed by it', async () => {
    const own = await observeSite(test.host, plain);
    const { exit, document } = await test.attempt(['disable', plain.uri]);
    const off = AvailabilityDocument.parse(document);
    assert.deepEqual([exit, off.state, kindsOf(off), off.page], [3, 'warned', ['context', 'maintenance'], 'open']);
    assert.deepEqual(
      off.problems.map(({ code }) => code),
      ['closed-by-web-server-only', 'site-still-open'],
    );
    assert.match(readFileSync(join(plain.path, '.maintenance'), 'utf8'), /^<\?php \$upgrading = time\(\);/);
    assert.equal(await enabledOf(plain), false);
    // What was saved before, and what is saved now, bring back the site and not whether it is on.
    const point = await backUp(plain);
    rmSync(join(plain.path, 'files'), { recursive: true });
    await restore(plain);
    assert.equal(await enabledOf(plain), false);
    const on = await test.attempt(['enable', plain.uri]);
    assert.deepEqual(kindsOf(AvailabilityDocument.parse(on.document)), ['context', 'maintenance']);
    assert.ok(!existsSync(join(plain.path, '.maintenance')));
    assert.equal(await enabledOf(plain), true);
    await restore(plain, { point: point.point });
    assert.ok(!existsSync(join(plain.path, '.maintenance')));
    assertSameSite(own, await observeSite(test.host, plain));
  });

  it('keeps a file of somebody else’s, and is refused', async () => {
    writeFileSync(join(plain.path, '.maintenance'), '<?php $upgrading = 1;');
    const { exit, document } = await test.attempt(['disable', plain.uri]);
    assert.deepEqual([exit, ErrorDocument.parse(document).error.code], [1, 'availability-obstructed']);
    assert.equal(readFileSync(join(plain.path, '.maintenance'), 'utf8'), '<?php $upgrading = 1;');
    rmSync(join(plain.path, '.maintenance'));
  });

  it('in words for people: the plan, and what verify came to', async () => {
    const { config } = salvorPlaces(test.host);
    const options = {
      env: { ...process.env, HOME: test.host.directory, SALVOR_CONFIG: config },
      encoding: 'utf8',
    } as const;
    const plan = execFileSync(SALVOR, ['disable', cloaked.uri, '--dry-run'], options);
    assert.match(
      plan,
      /^harbour\.example\.org \(o1\) would be switched off:\n {2}virtual host {2}\/.*\n {2}Aegir context \/.*\n {2}web server {4}nginx is tested/,
    );
    const verified = execFileSync(SALVOR, ['verify', cloaked.uri], options);
    assert.match(verified, /^harbour\.example\.org works\.\n(?:.*\n)*private is private +passed +3 files/);
  });

  describe('and verified', () => {
    const verify = async (exit: number): Promise<VerifyDocument> => {
      const document = VerifyDocument.parse(await call((agent) => agent.verify(cloaked.uri)));
      assert.equal(EXIT_OF_STATE[document.state], exit, JSON.stringify(document));
      return document;
    };
    const outcomes = ({ proof }: VerifyDocument): Record<string, string> =>
      Object.fromEntries(proof.checks.map(({ check, outcome }) => [check, outcome]));
    const findings = ({ problems }: VerifyDocument): readonly string[] => problems.map(({ code }) => code).toSorted();
    const ALL_WELL = Object.fromEntries(VERIFY_CHECKS.map((check) => [check, 'passed']));
    const sql = (text: string): Promise<string> => test.host.mariadb.query(text);

    it('one that works passes every check, and nothing of it changes', async () => {
      const { state, proof } = await verify(0);
      assert.deepEqual([state, outcomes({ proof } as VerifyDocument)], ['succeeded', ALL_WELL]);
      const counts = Object.fromEntries(proof.checks.map(({ check, count }) => [check, count]));
      assert.ok(
        (counts['tables'] ?? 0) > 20 && (counts['files'] ?? 0) > 20 && counts['private'] === 3,
        JSON.stringify(counts),
      );
      assertSameSite(was, await observeSite(test.host, cloaked));
    });

    it('what is not as it should be is named, and the site works all the same', async () => {
      const picture = join(cloaked.path, 'files/pictures/2.png');
      const { mode } = lstatSync(picture);
      const [stranger = ''] = (
        await sql(`SELECT DISTINCT User FROM mysql.db WHERE REPLACE(Db, '\\\\', '') = '${plain.database}'`)
      ).split('\n');
      chmodSync(picture, 0o600);
      await sql(`GRANT SELECT ON \`${cloaked.database}\`.* TO '${stranger}'@'localhost'`);
      const warned = await verify(3);
      chmodSync(picture, mode & 0o777);
      await sql(`REVOKE SELECT ON \`${cloaked.database}\`.* FROM '${stranger}'@'localhost'`);
      assert.deepEqual([warned.state, findings(warned)], ['warned', ['grant-from-outside', 'web-unreadable']]);
      assert.deepEqual(outcomes(warned), { ...ALL_WELL, grants: 'warned', files: 'warned' });
      assert.equal(warned.problems.find(({ code }) => code === 'web-unreadable')?.path, picture);
    });

    it('what keeps it from working, or lays open what is private, fails it: each is named, also in the list of tasks', async () => {
      const text = readFileSync(vhost, 'utf8');
      writeFileSync(vhost, text.replace(/location \/ \{[^}]*\}/, ''));
      reload();
      await sql(
        `CREATE TABLE \`${cloaked.database}\`.gone (id INT); CREATE VIEW \`${cloaked.database}\`.broken AS SELECT id FROM \`${cloaked.database}\`.gone; DROP TABLE \`${cloaked.database}\`.gone`,
      );
      const failed = await verify(1);
      writeFileSync(vhost, text);
      reload();
      await sql(`DROP VIEW \`${cloaked.database}\`.broken`);
      // The front page is a listing that nginx refuses.
      assert.deepEqual(findings(failed), [
        'page-broken',
        'private-readable',
        'settings-readable',
        'settings-readable',
        'table-unanswered',
      ]);
      assert.deepEqual(outcomes(failed), { ...ALL_WELL, tables: 'failed', page: 'failed', private: 'failed' });
      const row = await lastTask();
      assert.deepEqual([row?.operation, row?.state, row?.error?.code], ['verify', 'failed', 'verify-failed']);
    });

    it('without its database server it fails by the codes of that, and a site that is off is asked whether it is', async () => {
      await switchTo('disable');
      await test.host.mariadb.kill('SIGKILL');
      const failed = await verify(1);
      await test.host.mariadb.start();
      assert.deepEqual(findings(failed), ['database-unreachable']);
      assert.deepEqual(outcomes(failed), { ...ALL_WELL, 'log-in': 'failed', private: 'not-asked' });
      assert.equal(
        failed.proof.checks.find(({ check }) => check === 'page')?.why,
        'the site is switched off, and says so',
      );
      await switchTo('enable');
    });
  });

  it('copied and renamed with its virtual host: nginx answers for the new name, with the log-in of the new one', async () => {
    const copy = { ...cloaked, uri: 'copy.example.org' };
    const wish = { newUri: copy.uri, platform: null, mask: false, dryRun: false };
    const { task } = await call((agent) => agent.clone(cloaked.uri, wish));
    assert.deepEqual([await statusOf(copy), await statusOf(cloaked)], [200, 200]);
    const of = (uri: string): ReadonlyMap<string, string> =>
      parseVhosts(readFileSync(join(vhost, '..', uri), 'utf8'), uri)[0]?.environment ?? new Map();
    assert.equal(of(cloaked.uri).get('db_name'), cloaked.database);
    assert.notEqual(of(copy.uri).get('db_name'), cloaked.database);
    assert.notEqual(of(copy.uri).get('db_passwd'), of(cloaked.uri).get('db_passwd'));
    await undo(task);
    assert.deepEqual([await statusOf(copy), existsSync(join(vhost, '..', copy.uri))], [404, false]);

    const renamed = await call((agent) => agent.rename(cloaked.uri, wish));
    assert.deepEqual([await statusOf(copy), await statusOf(cloaked)], [200, 404]);
    await undo(renamed.task);
    assert.deepEqual([await statusOf(copy), await statusOf(cloaked)], [404, 200]);
    assertSameSite(was, await observeSite(test.host, cloaked));
  });

  it('and taken away with its virtual host: nginx no longer answers for it, until undo brings it back', async () => {
    const deleted = await call((agent) => agent.delete(cloaked.uri, { dryRun: false }));
    assert.deepEqual([await statusOf(cloaked), existsSync(vhost), deleted.problems], [404, false, []]);
    assert.ok(deleted.plan.places.some(({ path, kind }) => path === vhost && kind === 'virtual-host'));
    await undo(deleted.task);
    assert.equal(await statusOf(cloaked), 200);
    assertSameSite(was, await observeSite(test.host, cloaked));
  });

  it('whole or not at all when salvor is killed at any instant, and nginx serves what the files say', async (t) => {
    const seed = chooseSeed();
    t.diagnostic(`SALVOR_TEST_SEED=${seed}`);
    const random = new Random(seed);
    for (let kills = 0; kills < KILLS; kills++) {
      const verb = (await statusOf(cloaked)) === 200 ? 'disable' : 'enable';
      const before = [vhost, context].map((path) => readFileSync(path, 'utf8'));
      const step = STEPS[random.between(0, STEPS.length - 1)] ?? 'switch';
      const afterMs = random.between(0, MAX_AFTER_MS);
      await killInStep(test.host, [verb, cloaked.uri], step, afterMs);
      const task = await lastTask();
      t.diagnostic(`${verb} killed ${afterMs} ms after “${step}” began: ${task?.state}`);
      const isDone = task?.state === 'succeeded' || task?.state === 'warned';
      assert.ok(isDone || task?.state === 'rolled-back', String(task?.state));
      const isOff = (verb === 'disable') === isDone;
      assert.deepEqual([await statusOf(cloaked), await enabledOf(cloaked)], isOff ? [503, false] : [200, true]);
      if (!isDone)
        assert.deepEqual(
          [vhost, context].map((path) => readFileSync(path, 'utf8')),
          before,
        );
      const place = join(salvorPlaces(test.host).staging, test.host.account.name);
      if (!isDone) assert.ok(!existsSync(place) || !readdirSync(place).includes(task?.id ?? ''));
    }
    if ((await statusOf(cloaked)) === 503) await switchTo('enable');
    assertSameSite(was, await observeSite(test.host, cloaked));
  });
});
