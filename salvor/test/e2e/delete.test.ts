/** A site is taken away and brought back, or for good; what somebody else needs of it stops that. */
import assert from 'node:assert/strict';
import { cpSync, existsSync, lstatSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout } from 'node:timers/promises';
import { after, before, describe, it } from 'node:test';
import {
  ConfirmDocument,
  DeleteDocument,
  ErrorDocument,
  PointsDocument,
  SitesDocument,
  TasksDocument,
} from '@salvor/contract';
import type { DemoSite } from '../../../demo/host.ts';
import { type ObservedSite, observeSite } from '../../../demo/observe-site.ts';
import { salvorPlaces } from '../../../demo/salvor-command.ts';
import { openAgentFor } from '../../src/compose.ts';
import { loadConfig } from '../../src/config.ts';
import { SALVOR } from '../cli/run-cli.ts';
import { hasCode } from '../fault/fault-host.ts';
import { chooseSeed } from '../fault/kill-loop.ts';
import { Random } from '../../../demo/random.ts';
import { type TestHost, assertSameSite, openTestHost } from './open-test-host.ts';
import { openAgent } from '../../src/agent/agent.ts';

const STEPS = ['plan', 'safety point', 'prepare the switch', 'switch', 'switch', 'keep'];
const MAX_AFTER_MS = 150;
/** Each takes seconds. */
const KILLS = 2;

describe('delete', { concurrency: 1 }, () => {
  let test: TestHost;
  let site: DemoSite;
  let other: DemoSite;
  let was: ObservedSite;
  let otherWas: ObservedSite;

  before(async () => {
    test = await openTestHost({ withoutWordPress: true, nodes: 5, files: 5 });
    site = test.host.site('market.example.org');
    other = test.host.site('harbour.example.org');
    was = await observeSite(test.host, site);
    otherWas = await observeSite(test.host, other);
  });
  after(() => test[Symbol.asyncDispose]());

  const remove = (): Promise<DeleteDocument> =>
    test.run(['delete', site.uri, '--confirm', site.uri, '--yes'], DeleteDocument);
  const tablesOf = async (database: string): Promise<string> =>
    test.host.mariadb.query(`SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = '${database}'`);
  const usersOf = (name: string): Promise<string> =>
    test.host.mariadb.query(`SELECT COUNT(*) FROM mysql.user WHERE User = '${name}'`);
  const assertAsBefore = async (): Promise<void> => {
    assertSameSite(was, await observeSite(test.host, site));
    assertSameSite(otherWas, await observeSite(test.host, other));
  };

  it('with --dry-run names all that would go, and changes nothing', async () => {
    const { plan, task } = await test.run(['delete', site.uri, '--dry-run'], DeleteDocument);
    assert.equal(task, null);
    assert.ok(plan.places.some(({ path, kind }) => kind === 'site' && path === site.path));
    assert.ok(plan.places.some(({ kind }) => kind === 'context'));
    assert.deepEqual(
      plan.databases.map(({ name, tables }) => [name, tables > 0]),
      [[site.database, true]],
    );
    assert.deepEqual(plan.obstacles, []);
    await assertAsBefore();
  });

  it('without the name of the site, or with that of another one, does nothing', async () => {
    for (const flags of [['--yes'], ['--yes', '--confirm', other.uri]]) {
      const { exit, document } = await test.attempt(['delete', site.uri, ...flags]);
      assert.deepEqual(
        [exit, ['usage', 'consent-missing'].includes(ErrorDocument.parse(document).error.code)],
        [2, true],
      );
    }
    await assertAsBefore();
  });

  it('is stopped by what somebody else needs: rights on its database, and rights of its user elsewhere', async () => {
    const [theirs, ours] = await Promise.all([other, site].map((one) => userOf(test, one)));
    const grant = (verb: 'GRANT' | 'REVOKE', database: string, user: string | undefined): Promise<string> =>
      test.host.mariadb.query(
        `${verb} SELECT ON \`${database}\`.* ${verb === 'GRANT' ? 'TO' : 'FROM'} '${user}'@'localhost'`,
      );
    for (const [database, user, code] of [
      [site.database, theirs, 'grant-from-outside'],
      [other.database, ours, 'user-has-more'],
    ] as const) {
      await grant('GRANT', database, user);
      const { document } = await test.attempt(['delete', site.uri, '--dry-run']);
      assert.deepEqual(
        DeleteDocument.parse(document).plan.obstacles.map((obstacle) => obstacle.code),
        [code],
      );
      if (code === 'grant-from-outside') {
        const refused = await test.attempt(['delete', site.uri, '--confirm', site.uri, '--yes']);
        assert.equal(ErrorDocument.parse(refused.document).error.code, 'delete-obstructed');
      }
      await grant('REVOKE', database, user);
    }
    await assertAsBefore();
  });

  it('is stopped by a copy that has its settings: the database and the user are those of both', async () => {
    const copy = join(dirname(site.path), 'copy.example.org');
    const context = (uri: string): string => join(test.host.account.home, '.drush', `${uri}.alias.drushrc.php`);
    cpSync(site.path, copy, { recursive: true });
    const text = readFileSync(context(site.uri), 'utf8').replaceAll(site.uri, 'copy.example.org');
    writeFileSync(context('copy.example.org'), text);
    const { document } = await test.attempt(['delete', 'copy.example.org', '--dry-run']);
    const codes = DeleteDocument.parse(document).plan.obstacles.map(({ code }) => code);
    assert.ok(codes.includes('database-shared') && codes.includes('user-shared'), codes.join());
    rmSync(copy, { recursive: true });
    rmSync(context('copy.example.org'));
  });

  for (const step of ['prepare the switch', 'switch'])
    it(`leaves the site as it was, or away as a whole, when the database server dies at “${step}”`, async () => {
      const config = loadConfig([salvorPlaces(test.host).config]);
      let isKilled = false;
      {
        await using agent = await openAgent(config, {
          clock: () => new Date(),
          who: 'the test',
          random: Math.random,
          randomBytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
          uptime: () => ({ boot: 'one', seconds: 0 }),
          say: (line) => {
            if (line !== `${step}: begins` || isKilled) return;
            isKilled = true;
            process.kill(test.host.mariadb.pid, 'SIGKILL');
          },
        });
        await assert.rejects(
          agent.delete(site.uri, { dryRun: false }),
          hasCode('database-unreachable', 'database-failed', 'dump-failed'),
        );
      }
      assert.ok(isKilled);
      await test.host.mariadb.kill('SIGKILL');
      await test.host.mariadb.start();
      await using agent = await openAgentFor(config, { clock: () => new Date() });
      const [task] = await agent.tasks({ site: null, states: [], count: 1 });
      assert.ok(['rolled-back', 'succeeded'].includes(task?.state ?? ''), String(task?.state));
      if (task?.state === 'succeeded') await agent.undo(task?.id ?? '');
      await assertAsBefore();
    });

  it('that is killed at any instant leaves the site as it was, or away as a whole', async (t) => {
    const seed = chooseSeed();
    t.diagnostic(`SALVOR_TEST_SEED=${seed}`);
    const random = new Random(seed);
    const { config, stateDir } = salvorPlaces(test.host);
    using log = new DatabaseSync(join(stateDir, 'salvor.sqlite'), { readOnly: true });
    const said = log.prepare('SELECT COUNT(*) AS lines FROM task_log WHERE line = ?');
    const linesOf = (step: string): number => Number(said.get(`${step}: begins`)?.['lines']);
    for (let kills = 0; kills < KILLS; kills++) {
      const step = STEPS[random.between(0, STEPS.length - 1)] ?? 'switch';
      const afterMs = random.between(0, MAX_AFTER_MS);
      const before = linesOf(step);
      const child = spawn(SALVOR, ['delete', site.uri, '--confirm', site.uri, '--yes'], {
        env: { ...process.env, HOME: test.host.directory, SALVOR_CONFIG: config },
        stdio: 'ignore',
      });
      const exited = once(child, 'exit');
      while (linesOf(step) === before && child.exitCode === null) await setTimeout(1);
      await setTimeout(afterMs);
      child.kill('SIGKILL');
      await exited;
      const [task] = await test.run(['tasks', '--limit', '1'], TasksDocument);
      t.diagnostic(`killed ${afterMs} ms after “${step}” began: ${task?.state}`);
      const scratch = await test.host.mariadb.query(`SHOW DATABASES LIKE 'salvor\\_${task?.id}\\_new%'`);
      assert.equal(scratch.trim(), '');
      if (task?.state === 'succeeded') {
        assert.ok(!existsSync(site.path));
        assert.match(await tablesOf(site.database), /^0\s*$/);
        await test.undo(task.id);
      } else assert.equal(task?.state, 'rolled-back');
      await assertAsBefore();
    }
  });

  it('is stopped by an alias of its name that leads to another site', async () => {
    const context = join(test.host.account.home, '.drush', `${site.uri}.alias.drushrc.php`);
    const text = readFileSync(context, 'utf8');
    writeFileSync(context, text.replaceAll(dirname(dirname(site.path)), '/data/disk/o1/static/production'));
    const { document } = await test.attempt(['delete', site.uri, '--dry-run']);
    const codes = DeleteDocument.parse(document).plan.obstacles.map(({ code }) => code);
    writeFileSync(context, text);
    assert.deepEqual(codes, ['alias-elsewhere']);
  });

  it('takes the site away whole with its names, keeps its neighbour, and undo brings all of it back', async () => {
    const sitesPhp = join(dirname(site.path), 'sites.php');
    const named = readFileSync(sitesPhp, 'utf8');
    const deleted = await remove();
    assert.equal(deleted.state, 'succeeded');
    assert.deepEqual(deleted.plan.names, [{ path: sitesPhp, change: 'changed' }]);
    const own = /^.*= '(?:market\.example\.org)';\n/gm;
    assert.ok(own.test(named));
    assert.equal(readFileSync(sitesPhp, 'utf8'), named.replace(own, ''));
    for (const { path } of deleted.plan.places) assert.ok(!existsSync(path) && !isThere(path), path);
    assert.match(await tablesOf(site.database), /^0\s*$/);
    assertSameSite(otherWas, await observeSite(test.host, other));
    assert.ok(!(await test.run(['sites'], SitesDocument)).some(({ uri }) => uri === site.uri));
    const point = (await test.run(['points', site.uri], PointsDocument)).find(({ id }) => id === deleted.safetyPoint);
    assert.deepEqual([point?.complete, point?.safety], [true, true]);

    await test.undo(deleted.task);
    await assertAsBefore();
    assert.equal(readFileSync(sitesPhp, 'utf8'), named);
    for (const { path } of deleted.plan.places) assert.ok(isThere(path), path);
  });

  it('that is confirmed drops its database and its user, and nothing of its neighbour', async () => {
    const user = await userOf(test, site);
    const { task, safetyPoint } = await remove();
    const confirmed = await test.run(['confirm', task ?? ''], ConfirmDocument);
    assert.deepEqual([confirmed.isDropped, confirmed.safetyPoint], [true, safetyPoint]);
    const left = await test.host.mariadb.query(
      `SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME IN ('${site.database}') OR SCHEMA_NAME LIKE 'salvor_${task}%'`,
    );
    assert.equal(left.trim(), '');
    assert.match(await usersOf(user), /^0\s*$/);
    assertSameSite(otherWas, await observeSite(test.host, other));
    const staging = join(salvorPlaces(test.host).staging, test.host.account.name);
    assert.ok(!existsSync(staging) || !readdirSync(staging).includes(task ?? ''));
    assert.ok((await test.run(['points', site.uri], PointsDocument)).some(({ id }) => id === safetyPoint));
  });
});

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** The user of the site's settings: of the demo's sites the one that has rights on its database. */
async function userOf(test: TestHost, { database }: DemoSite): Promise<string> {
  const users = await test.host.mariadb.query(
    `SELECT DISTINCT User FROM mysql.db WHERE REPLACE(Db, '\\\\', '') = '${database}'`,
  );
  return users.trim().split('\n')[0] ?? '';
}
