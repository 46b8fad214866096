/** What an undo and a confirmation say beforehand is what they do; asking changes nothing. */
import assert from 'node:assert/strict';
import { existsSync, lchownSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConfirmPlan, UndoPlan } from '@salvor/contract';
import type { DemoSite } from '../../../demo/host.ts';
import { observeSite } from '../../../demo/observe-site.ts';
import type { Agent } from '../../src/agent/agent.ts';
import { EVERYTHING, type FaultHost, hasCode, openFaultHost } from '../fault/fault-host.ts';
import { assertSameSite } from './open-test-host.ts';

const DRY = { dryRun: true } as const;

describe('the plan of an undo and of a confirmation', { concurrency: 1 }, () => {
  let test: FaultHost;
  let site: DemoSite;
  let agent: Agent;
  let point: string;

  before(async () => {
    test = await openFaultHost();
    site = test.site;
    agent = await test.open();
    ({ point } = await agent.backup(site.uri, { reason: null }));
  });
  after(async () => {
    await agent[Symbol.asyncDispose]();
    await test[Symbol.asyncDispose]();
  });

  const query = (sql: string): Promise<string> => test.host.mariadb.query(sql);
  const tablesOf = async (database: string): Promise<number> =>
    Number(
      await query(
        `SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = '${database}' AND TABLE_TYPE <> 'VIEW'`,
      ),
    );
  const undoPlanOf = async (task: string | null): Promise<UndoPlan> => {
    const tasks = await agent.tasks({ site: null, states: [], count: 1 });
    const { plan, task: none, state, problems } = await agent.undo(task ?? '', DRY);
    assert.ok(plan !== null);
    assert.deepEqual([none, problems], [null, plan.obstacles]);
    assert.equal(state, plan.obstacles.length === 0 ? 'succeeded' : 'warned');
    assert.deepEqual(await agent.tasks({ site: null, states: [], count: 1 }), tasks, 'asking is no task');
    return UndoPlan.parse(plan);
  };
  const confirmPlanOf = async (task: string | null): Promise<ConfirmPlan> =>
    ConfirmPlan.parse((await agent.confirm(task ?? '', DRY)).plan);
  const codesOf = (problems: UndoPlan['obstacles']): readonly string[] => problems.map(({ code }) => code);

  it('of a restore counts tables that come back, go and stay, and names what was written since', async () => {
    await query(`CREATE TABLE \`${site.database}\`.since_the_point (id INT PRIMARY KEY)`);
    writeFileSync(join(site.path, 'files/since.txt'), 'since the point\n');
    const ruined = await observeSite(test.host, site);
    const whole = await tablesOf(site.database);
    const restored = await agent.restore(site.uri, { ...EVERYTHING, point });
    const quiet = await undoPlanOf(restored.task);
    assert.deepEqual([quiet.uri, quiet.newUri, quiet.operation], [site.uri, site.uri, 'restore']);
    assert.deepEqual([quiet.undoUntil, quiet.obstacles, quiet.notes], [restored.undoUntil, [], []]);
    assert.deepEqual(quiet.databases, [{ name: site.database, restored: whole, deleted: 0, kept: 0 }]);
    assert.deepEqual(quiet.places, [{ path: site.path, change: 'replaced', newPath: null }]);
    assert.deepEqual(quiet.written, { files: 0, tables: 0, names: [] });

    // The server says in whole seconds when a table was written: what comes now must be of a later one than the switch.
    while (Date.now() < Math.floor(Date.parse(quiet.since ?? '') / 1000 + 1) * 1000) await sleep(20);
    const late = join(site.path, 'files/late.txt');
    writeFileSync(late, 'after the restore\n');
    lchownSync(late, test.host.account.uid, test.host.account.gid);
    await query(
      `CREATE TABLE \`${site.database}\`.late_one (id INT PRIMARY KEY); INSERT INTO \`${site.database}\`.late_one VALUES (1)`,
    );
    const now = await observeSite(test.host, site);
    const plan = await undoPlanOf(restored.task);
    assert.deepEqual(plan.databases, [{ name: site.database, restored: whole, deleted: 1, kept: 0 }]);
    assert.deepEqual(plan.written, {
      files: 1,
      tables: 1,
      names: [`${site.database}.late_one`, 'files/late.txt'],
    });
    assertSameSite(now, await observeSite(test.host, site));

    const undone = await agent.undo(restored.task ?? '');
    assert.equal(undone.plan, null);
    assertSameSite(ruined, await observeSite(test.host, site), { refreshed: undone.refreshed, since: new Date(0) });
    assert.equal(await tablesOf(site.database), whole);
  });

  it('of a confirmation names the databases and directories that it drops, with their sizes, and the pin that ends', async () => {
    const [undone, restored] = await agent.tasks({ site: null, states: [], count: 2 });
    const plan = await confirmPlanOf(undone?.id ?? '');
    const [database, ...others] = plan.databases;
    assert.deepEqual(others, []);
    assert.equal(database?.of, site.database);
    assert.equal(database.tables, await tablesOf(database.name));
    assert.ok(database.tables > 0 && database.bytes > 0);
    assert.equal(plan.places.length, 1);
    for (const { path, files, bytes } of plan.places) assert.ok(existsSync(path) && files > 10 && bytes > 1000, path);
    assert.deepEqual([plan.operation, plan.safetyPoint, plan.obstacles, plan.notes], ['undo', null, [], []]);
    // The safety point is the restore's, which keeps nothing else any more.
    const pin = await confirmPlanOf(restored?.id ?? '');
    assert.deepEqual([pin.operation, pin.safetyPoint, pin.databases, pin.places], ['restore', restored?.point, [], []]);

    const done = await agent.confirm(undone?.id ?? '');
    assert.deepEqual([done.isDropped, done.plan], [true, null]);
    for (const { path } of plan.places) assert.ok(!existsSync(path));
    assert.equal(await query(`SHOW DATABASES LIKE '${database.name}'`), '');
    assert.equal((await agent.confirm(restored?.id ?? '')).safetyPoint, restored?.point);
    assert.deepEqual(codesOf((await confirmPlanOf(restored?.id ?? '')).obstacles), ['nothing-to-confirm']);
    await assert.rejects(agent.confirm('mw0000000000', DRY), hasCode('task-unknown'));
    await assert.rejects(agent.undo(undone?.id ?? '', DRY), hasCode('nothing-to-undo'));
  });

  it('says all that is in the way at once: a later task, a place that somebody has moved, a table that is not kept', async () => {
    const first = await agent.restore(site.uri, { ...EVERYTHING, point });
    const second = await agent.restore(site.uri, { ...EVERYTHING, point });
    const [old] = (await confirmPlanOf(first.task)).databases;
    const [table] = (await query(`SHOW TABLES IN \`${old?.name}\``)).split('\n');
    await query(`RENAME TABLE \`${old?.name}\`.\`${table}\` TO \`${old?.name}\`.elsewhere`);
    renameSync(site.path, `${site.path}.away`);
    try {
      const { obstacles, databases } = await undoPlanOf(first.task);
      assert.deepEqual(codesOf(obstacles), ['nothing-to-undo', 'nothing-to-undo', 'swap-obstructed']);
      assert.match(
        obstacles.map(({ message }) => message).join('\n'),
        new RegExp(`task ${second.task} has switched[^]*is not where[^]*${table} is not kept`),
      );
      assert.deepEqual(databases, []);
    } finally {
      renameSync(`${site.path}.away`, site.path);
      await query(`RENAME TABLE \`${old?.name}\`.elsewhere TO \`${old?.name}\`.\`${table}\``);
    }
    assert.deepEqual((await undoPlanOf(second.task)).obstacles, []);
    for (const { task } of [second, first]) await agent.confirm(task ?? '');
  });

  it('of a clone says that it goes, with what stops that; of its undo, which database is dropped with its user', async () => {
    const wish = { newUri: 'second.example.org', platform: null, mask: false, dryRun: false };
    const made = await agent.clone(site.uri, wish);
    const name = made.plan.databases[0]?.newName ?? '';
    const plan = await undoPlanOf(made.task);
    assert.deepEqual([plan.uri, plan.newUri, plan.operation], [wish.newUri, null, 'clone']);
    assert.deepEqual(plan.databases, [{ name, restored: 0, deleted: await tablesOf(name), kept: 0 }]);
    assert.deepEqual(plan.places, [{ path: made.plan.newPath, change: 'deleted', newPath: null }]);
    assert.deepEqual(
      plan.names.map(({ path, change }) => `${change} ${path}`).toSorted(),
      made.plan.names.map(({ path, change }) => `${change === 'made' ? 'removed' : change} ${path}`).toSorted(),
    );
    const { user } = test.host.site('harbour.example.org');
    await query(`GRANT SELECT ON \`${name}\`.* TO '${user}'@localhost`);
    assert.deepEqual(codesOf((await undoPlanOf(made.task)).obstacles), ['grant-from-outside']);
    await query(`REVOKE SELECT ON \`${name}\`.* FROM '${user}'@localhost`);
    const undone = await agent.undo(made.task ?? '');
    const confirm = await confirmPlanOf(undone.task);
    assert.deepEqual(
      confirm.databases.map(({ of, tables }) => [of, tables > 0]),
      [
        [name, true],
        [null, false],
      ],
    );
    await agent.confirm(undone.task ?? '');
    assert.equal(await query(`SHOW DATABASES LIKE '${name}'`), '');
  });

  it('of a delete and of a rename says what comes back, under which name and where', async () => {
    const deleted = await agent.delete(site.uri, { dryRun: false });
    const back = await undoPlanOf(deleted.task);
    assert.deepEqual([back.uri, back.newUri], [site.uri, site.uri]);
    assert.deepEqual(
      back.places.toSorted((one, other) => (one.path < other.path ? -1 : 1)),
      deleted.plan.places
        .map(({ path }) => ({ path, change: 'restored', newPath: null }))
        .toSorted((one, other) => (one.path < other.path ? -1 : 1)),
    );
    assert.equal(back.databases[0]?.restored, deleted.plan.databases[0]?.tables);
    await agent.undo(deleted.task ?? '');

    const wish = { newUri: 'renamed.example.org', platform: null, mask: false, dryRun: false };
    const renamed = await agent.rename(site.uri, wish);
    const plan = await undoPlanOf(renamed.task);
    assert.deepEqual([plan.uri, plan.newUri], [wish.newUri, site.uri]);
    assert.deepEqual(plan.places, [{ path: renamed.plan.newPath, change: 'moved', newPath: site.path }]);
    assert.ok(plan.names.length > 0);
    // What is written in a directory that only moves goes along.
    rmSync(join(renamed.plan.newPath, 'files', readdirSync(join(renamed.plan.newPath, 'files'))[0] ?? ''), {
      recursive: true,
    });
    writeFileSync(join(renamed.plan.newPath, 'files/late.txt'), 'after the rename\n');
    assert.equal((await undoPlanOf(renamed.task)).written.files, 0);
    await agent.undo(renamed.task ?? '');
    assert.ok(existsSync(join(site.path, 'files/late.txt')));
  });
});
