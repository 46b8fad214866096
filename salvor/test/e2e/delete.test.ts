/** A site is taken away and brought back, or for good; what somebody else needs of it stops that. */
import assert from 'node:assert/strict';
import {
  cpSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
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
import { type ObservedSite, differences, observeSite, observeTree } from '../../../demo/observe-site.ts';
import { salvorPlaces } from '../../../demo/salvor-command.ts';
import { openAgentFor } from '../../src/compose.ts';
import { type Config, loadConfig } from '../../src/config.ts';
import { SalvorError } from '../../src/errors.ts';
import type { Terminal } from '../../src/cli/terminal.ts';
import { openConnection } from '../../src/databases/mariadb/connect.ts';
import type { Site } from '../../src/sites/site.ts';
import { judgeDeleted } from '../../src/tasks/drop-kept.ts';
import { type Ran, runCli } from '../cli/run-cli.ts';
import { hasCode } from '../fault/fault-host.ts';
import { chooseSeed } from '../fault/kill-loop.ts';
import { Random } from '../../../demo/random.ts';
import { killInStep } from './kill-in-step.ts';
import { type TestHost, assertSameSite, openTestHost } from './open-test-host.ts';
import { type Agent, openAgent } from '../../src/agent/agent.ts';
import { readHost } from '../../src/agent/host-sites.ts';

const STEPS = ['plan', 'safety point', 'prepare the switch', 'switch', 'switch', 'keep'];
const MAX_AFTER_MS = 150;
/** Each takes seconds. */
const KILLS = 2;
const URIS = ['market.example.org', 'harbour.example.org', 'quay.example.org', 'wharf.example.org'];

describe('delete', { concurrency: 1 }, () => {
  let test: TestHost;
  let site: DemoSite;
  let other: DemoSite;
  let was: ObservedSite;
  let otherWas: ObservedSite;

  before(async () => {
    test = await openTestHost({ withoutWordPress: true, nodes: 5, files: 5, drupalSites: URIS });
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
      const config = configOf(test);
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
    for (let kills = 0; kills < KILLS; kills++) {
      const step = STEPS[random.between(0, STEPS.length - 1)] ?? 'switch';
      const afterMs = random.between(0, MAX_AFTER_MS);
      await killInStep(test.host, ['delete', site.uri, '--confirm', site.uri, '--yes'], step, afterMs);
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

  describe('of a site whose database can’t be saved', { concurrency: 1 }, () => {
    const openHere = (): Promise<Agent> => openAgentFor(configOf(test), { clock: () => new Date() });
    /** Refused, then done all the same: the site is gone, the database is as it was, and undo brings the site back. */
    const assertLeftBehind = async (
      code: string,
      says: RegExp,
      options: { readonly repair: () => Promise<unknown> },
    ): Promise<void> => {
      await using agent = await openHere();
      await assert.rejects(agent.delete(site.uri, { dryRun: false }), (error: unknown) => {
        assert.ok(hasCode(code)(error) && error instanceof SalvorError);
        assert.match(error.message, says);
        return assert.match(error.hint, /salvor delete SITE --without-backup/) ?? true;
      });
      const { plan } = await agent.delete(site.uri, { dryRun: true, withoutBackup: true });
      assert.deepEqual(plan.obstacles, []);
      assert.ok(existsSync(site.path));
      const deleted = await agent.delete(site.uri, { dryRun: false, withoutBackup: true });
      const codes = deleted.problems.map((problem) => [problem.code, problem.path]);
      assert.deepEqual([deleted.state, codes], ['warned', [['database-stays', site.database]]]);
      assert.deepEqual([deleted.plan.databases, existsSync(site.path)], [[], false]);
      for (const told of [deleted.plan.notes, deleted.problems]) {
        const message = told.find((problem) => problem.code === 'database-stays')?.message ?? '';
        assert.match(
          message,
          /nothing of it is dumped into the safety point.* stays on its server as it is, with its user/,
        );
        assert.match(message, says);
      }
      const point = (await agent.points(site.uri)).find(({ id }) => id === deleted.safetyPoint);
      assert.deepEqual([point?.holds, point?.complete, point?.safety], [['files'], false, true]);
      await options.repair();
      await agent.undo(deleted.task ?? '');
      await assertAsBefore();
    };

    it('because its server is down, leaves it behind with --without-backup alone', async () => {
      await test.host.mariadb.kill('SIGTERM');
      await assertLeftBehind('delete-obstructed', /does not answer/, { repair: () => test.host.mariadb.start() });
    });

    it('because a table of it is damaged, leaves it behind with --without-backup alone', async () => {
      const table = `\`${site.database}\`.broken`;
      await test.host.mariadb.query(
        `CREATE TABLE ${table} (a INT PRIMARY KEY) ENGINE=MyISAM; INSERT INTO ${table} VALUES (1), (2); FLUSH TABLES`,
      );
      const data = (await test.host.mariadb.query('SELECT @@datadir')).trim();
      truncateSync(join(data, site.database, 'broken.MYI'), 0);
      await assertLeftBehind('delete-unsaved', /broken/, {
        repair: () => test.host.mariadb.query(`DROP TABLE ${table}`),
      });
    });

    it('because its user is gone and no grant tells whose its database is, leaves it behind with --without-backup alone', async () => {
      const user = await userOf(test, site);
      const made = await test.host.mariadb.query(`SHOW CREATE USER '${user}'@'localhost'`);
      const grants = await test.host.mariadb.query(`SHOW GRANTS FOR '${user}'@'localhost'`);
      await test.host.mariadb.query(`DROP USER '${user}'@'localhost'`);
      await assertLeftBehind('delete-obstructed', /no rights of its user/, {
        repair: () => test.host.mariadb.query([made, ...grants.trim().split('\n')].join(';\n')),
      });
    });
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

  it('on a terminal asks for its name, and any other answer changes nothing', async () => {
    for (const answer of [other.uri, 'yes', '', site.uri.toUpperCase()]) {
      const { exit, err } = await askedWith(test, site.uri, `${answer}\n`);
      assert.deepEqual([exit, err.includes('you did not type its name, and nothing was changed')], [1, true], err);
    }
    const [last] = await test.run(['tasks', '--limit', '1'], TasksDocument);
    assert.equal(last?.operation, 'undo');
    await assertAsBefore();
  });

  describe('of a site with files that lie elsewhere', { concurrency: 1 }, () => {
    let quay: DemoSite;
    let wharf: DemoSite;
    let target: string;
    let outside: string;
    let tasks: { readonly quay: string; readonly wharf: string };
    const openAfter = (hours: number): Promise<Agent> =>
      openAgentFor(configOf(test), { clock: () => new Date(Date.now() + hours * 3_600_000) });
    const databasesOf = async (one: DemoSite): Promise<boolean> =>
      (await test.host.mariadb.query(`SHOW DATABASES LIKE '${one.database}'`)).trim() === one.database;

    before(() => {
      quay = test.host.site('quay.example.org');
      wharf = test.host.site('wharf.example.org');
      target = join(test.host.home, 'static/quay.files');
      outside = join(test.host.directory, 'outside');
      mkdirSync(dirname(target), { recursive: true });
      mkdirSync(outside);
      writeFileSync(join(outside, 'theirs.txt'), 'not of the site\n');
      renameSync(join(quay.path, 'files'), target);
      symlinkSync(target, join(quay.path, 'files'));
      symlinkSync(outside, join(quay.path, 'abroad'));
      const { uid, gid } = test.host.account;
      for (const path of [dirname(target), join(quay.path, 'files'), join(quay.path, 'abroad')])
        lchownSync(path, uid, gid);
    });

    it('takes them along where they are its own, leaves what lies outside of the homes, and brings them back', async () => {
      const before = [observeTree(quay.path), observeTree(target)];
      const { exit, err } = await askedWith(test, quay.uri, `${quay.uri}\n`);
      assert.deepEqual([exit, existsSync(quay.path), existsSync(target)], [3, false, false], err);
      assert.equal(readFileSync(join(outside, 'theirs.txt'), 'utf8'), 'not of the site\n');
      const [{ id } = { id: '' }] = await test.run(['tasks', '--limit', '1'], TasksDocument);
      await test.undo(id);
      const isDirectory = (name: string): boolean => name === '.';
      assert.deepEqual(
        [observeTree(quay.path), observeTree(target)].map((now, at) =>
          differences(before[at] ?? now, now, isDirectory),
        ),
        [[], []],
      );
      await assertAsBefore();
    });

    it('that nobody takes back keeps all of it for as long as the policy says, by the clock', async () => {
      {
        await using agent = await openAfter(0);
        const of = async (one: DemoSite): Promise<string> =>
          (await agent.delete(one.uri, { dryRun: false })).task ?? '';
        tasks = { quay: await of(quay), wharf: await of(wharf) };
      }
      await using agent = await openAfter(71);
      await agent.backup(other.uri, { reason: null });
      for (const [one, task] of [
        [quay, tasks.quay],
        [wharf, tasks.wharf],
      ] as const) {
        assert.ok(await databasesOf(one));
        assert.match(await tablesOf(`salvor_${task}_old`), /^[1-9]/);
        assert.match(await usersOf(await userOf(test, one)), /^1\s*$/);
      }
      assert.ok(readdirSync(stagingOf(test)).includes(tasks.quay));
    });

    it('has a database and a user that stay for good where a site, somebody’s rights or what is in it speak against it', async () => {
      const [user, theirs] = [await userOf(test, wharf), await userOf(test, other)];
      const { mariadb } = test.host;
      const dropped = { server: { socket: mariadb.socket }, name: wharf.database, user };
      await using connection = await openConnection(mariadb.rootLogin);
      const judge = async (sites: readonly Site[] = []): Promise<string | null> =>
        (await judgeDeleted(connection, dropped, sites)).why;
      const grant = (verb: 'GRANT' | 'REVOKE', database: string, whose: string): Promise<string> =>
        mariadb.query(`${verb} SELECT ON \`${database}\`.* ${verb === 'GRANT' ? 'TO' : 'FROM'} '${whose}'@'localhost'`);
      assert.equal(await judge(), null);
      const { sites } = await readHost(configOf(test), new AbortController().signal);
      const using = sites.find(({ uri }) => uri === other.uri);
      assert.ok(using !== undefined);
      assert.equal(await judge(sites), null);
      const naming = (change: object): Site => ({
        ...using,
        databases: using.databases.map((database) => ({ ...database, ...change })),
      });
      const named = /harbour\.example\.org names them in its settings/;
      assert.match((await judge([naming({ name: wharf.database })])) ?? '', named);
      const [own] = using.databases;
      assert.match((await judge([naming({ login: { ...own?.login, user } })])) ?? '', named);
      await grant('GRANT', wharf.database, theirs);
      assert.match((await judge()) ?? '', /has rights on it/);
      await grant('REVOKE', wharf.database, theirs);
      await grant('GRANT', other.database, user);
      assert.match((await judge()) ?? '', /the user has rights on/);
      await grant('REVOKE', other.database, user);
      await mariadb.query(`REVOKE ALL ON \`${wharf.database}\`.* FROM '${user}'@'localhost'`);
      assert.match((await judge()) ?? '', /no rights of the user on it can be seen/);
      await mariadb.query(`GRANT ALL ON \`${wharf.database}\`.* TO '${user}'@'localhost'`);
      await mariadb.query(`CREATE VIEW \`${wharf.database}\`.seen AS SELECT 1 AS one`);
      assert.equal(await judge(), 'there is something in it');
    });

    it('is gone for good after that time, with its files, its database and its user; what somebody has put into a database keeps that', async () => {
      const user = await userOf(test, quay);
      await using agent = await openAfter(73);
      await agent.backup(other.uri, { reason: null });
      assert.deepEqual([await databasesOf(quay), await databasesOf(wharf)], [false, true]);
      assert.match(await usersOf(user), /^0\s*$/);
      assert.match(await usersOf(await userOf(test, wharf)), /^1\s*$/);
      for (const task of Object.values(tasks)) {
        assert.equal((await test.host.mariadb.query(`SHOW DATABASES LIKE 'salvor\\_${task}%'`)).trim(), '');
        assert.ok(!existsSync(stagingOf(test)) || !readdirSync(stagingOf(test)).includes(task));
      }
      assert.equal(readFileSync(join(outside, 'theirs.txt'), 'utf8'), 'not of the site\n');
      await assert.rejects(agent.undo(tasks.quay), hasCode('nothing-to-undo'));
      await assertAsBefore();
    });
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

function configOf(test: TestHost): Config {
  return loadConfig([salvorPlaces(test.host).config]);
}

function stagingOf(test: TestHost): string {
  return join(salvorPlaces(test.host).staging, test.host.account.name);
}

/** `salvor delete URI` on a terminal where somebody types this. */
async function askedWith(test: TestHost, uri: string, answer: string): Promise<Ran> {
  const stdin = new PassThrough();
  const stderr = new PassThrough();
  let err = '';
  stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
    if (chunk.toString().includes('To delete it')) stdin.end(answer);
  });
  const terminal: Partial<Terminal> = { stdin, stderr, canAsk: true };
  const ran = await runCli(['delete', uri, '--config', salvorPlaces(test.host).config], { terminal });
  if (!stderr.writableFinished) await once(stderr.end(), 'finish');
  return { ...ran, err };
}

/** The user of the site's settings: of the demo's sites the one that has rights on its database. */
async function userOf(test: TestHost, { database }: DemoSite): Promise<string> {
  const users = await test.host.mariadb.query(
    `SELECT DISTINCT User FROM mysql.db WHERE REPLACE(Db, '\\\\', '') = '${database}'`,
  );
  return users.trim().split('\n')[0] ?? '';
}
