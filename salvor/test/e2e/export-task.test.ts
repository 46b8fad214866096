/** An export is a task: in the list, in its log, cancelled, killed; what it had begun to write is gone then. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, lstatSync, mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, describe, it } from 'node:test';
import { BackupDeletePlan, BackupPlan, ExportPlan, TaskLogDocument, TasksDocument } from '@salvor/contract';
import { Random } from '../../../demo/random.ts';
import type { DemoSite } from '../../../demo/host.ts';
import { salvorPlaces } from '../../../demo/salvor-command.ts';
import type { Agent } from '../../src/agent/agent.ts';
import { openAgentFor } from '../../src/compose.ts';
import { loadConfig } from '../../src/config.ts';
import { SALVOR } from '../cli/run-cli.ts';
import { EVERYTHING, hasCode } from '../fault/fault-host.ts';
import { chooseSeed } from '../fault/kill-loop.ts';
import { type TestHost, openTestHost } from './open-test-host.ts';

/** Each takes seconds. */
const KILLS = 3;
const MAX_AFTER_MS = 150;

describe('an export', { concurrency: 1 }, () => {
  let test: TestHost;
  let site: DemoSite;
  let agent: Agent;
  let point: string;
  let out: string;

  before(async () => {
    test = await openTestHost({ withoutWordPress: true, nodes: 20, files: 20, archives: true });
    site = test.host.site('market.example.org');
    ({ point } = await test.backUp(site));
    agent = await openAgentFor(loadConfig([salvorPlaces(test.host).config]), { clock: () => new Date() });
    out = join(test.host.directory, 'out');
    mkdirSync(out);
  });
  after(async () => {
    await agent[Symbol.asyncDispose]();
    await test[Symbol.asyncDispose]();
  });

  const tasks = (): Promise<TasksDocument> => agent.tasks({ site: null, states: [], count: 3 });
  const planOf = async (output: string): Promise<ExportPlan> => {
    const last = await tasks();
    const { plan, task, archive, problems } = await agent.export(site.uri, { point, output, dryRun: true });
    assert.deepEqual([task, archive, problems], [null, null, plan?.obstacles]);
    assert.deepEqual(await tasks(), last, 'asking is no task');
    return ExportPlan.parse(plan);
  };
  const namesIn = (file: string): readonly string[] => execFileSync('tar', ['-tzf', file]).toString().split('\n');

  it('says what it would write, and what is in its way; then writes that, as a task with a log', async () => {
    const output = join(out, 'site.tar.gz');
    const plan = await planOf(output);
    assert.deepEqual([plan.path, plan.compression, plan.obstacles], [output, 'gzip', []]);
    assert.deepEqual(readdirSync(out), []);
    const done = await agent.export(site.uri, { point, output });
    assert.deepEqual([done.state, done.plan, done.archive?.bytes], ['succeeded', null, lstatSync(output).size]);
    assert.equal(namesIn(output).filter((name) => !name.endsWith('/')).length > (plan.files?.count ?? 0), true);
    const [task] = await tasks();
    assert.deepEqual([task?.id, task?.operation, task?.state, task?.point], [done.task, 'export', 'succeeded', null]);
    const log = await test.run(['task', 'log', done.task ?? ''], TaskLogDocument);
    const said = log.lines.map(({ text }) => text);
    assert.ok(said.includes('export: begins') && said.some((text) => text.includes(point)), said.join('\n'));

    symlinkSync('/etc', join(test.host.home, 'elsewhere'));
    const ways = [
      [output, 'archive-exists'],
      [join(out, 'none/site.tar'), 'path-missing'],
      [join(test.host.home, 'elsewhere/site.tar'), 'path-leads-out'],
    ] as const;
    for (const [path, code] of ways)
      assert.deepEqual(
        (await planOf(path)).obstacles.map((one) => one.code),
        [code],
      );
    rmSync(join(test.host.home, 'elsewhere'));
    await assert.rejects(agent.export(site.uri, { point, output }), hasCode('archive-exists'));
    assert.deepEqual(readdirSync(out), ['site.tar.gz']);
  });

  it('goes on beside a restore of its site, which does not wait for it; cancelled, it leaves nothing', async () => {
    const began = Promise.withResolvers<void>();
    const output = join(test.host.home, 'beside.tar.gz');
    const stop = new AbortController();
    const restoring: Promise<unknown>[] = [];
    const exporting = agent.export(site.uri, {
      point,
      output,
      signal: stop.signal,
      onProgress: ({ step }) => {
        if (step === 'export' && restoring.length === 0) {
          restoring.push(agent.restore(site.uri, { ...EVERYTHING, point, only: 'files' }));
          began.resolve();
        }
      },
    });
    await Promise.race([began.promise, exporting]);
    assert.equal(restoring.length, 1, 'it was in its turn');
    const done = await exporting;
    assert.equal(done.state, 'succeeded');
    await Promise.all(restoring);
    rmSync(output);

    const halted = agent.export(site.uri, { point, output, signal: stop.signal, onProgress: () => stop.abort() });
    await assert.rejects(halted, hasCode('cancelled'));
    const [task] = await tasks();
    assert.deepEqual([task?.operation, task?.state], ['export', 'cancelled']);
    assert.ok(!existsSync(output));
    assert.deepEqual(
      readdirSync(test.host.home).filter((name) => name.startsWith('.salvor')),
      [],
    );
  });

  it('that is killed has written all of its file or none, and the next command leaves nothing unfinished', async (t) => {
    const seed = chooseSeed();
    t.diagnostic(`SALVOR_TEST_SEED=${seed}`);
    const random = new Random(seed);
    for (let kill = 0; kill < KILLS; kill++) {
      const directory = kill % 2 === 0 ? test.host.home : out;
      const output = join(directory, `killed-${kill}.tar.gz`);
      const afterMs = random.between(0, MAX_AFTER_MS);
      const [last] = await tasks();
      const child = spawn(SALVOR, ['export', site.uri, point ?? '', '--output', output, '--json'], {
        env: { ...process.env, HOME: test.host.directory, SALVOR_CONFIG: salvorPlaces(test.host).config },
        stdio: 'ignore',
      });
      const exited = once(child, 'exit');
      for (;;) {
        const [task] = await tasks();
        if ((task?.id !== last?.id && task?.progress?.step === 'export') || child.exitCode !== null) break;
        await sleep(1);
      }
      await sleep(afterMs);
      child.kill('SIGKILL');
      await exited;
      const [task] = await test.run(['tasks', '--limit', '1'], TasksDocument);
      t.diagnostic(`killed ${afterMs} ms after it began: ${task?.state}, ${existsSync(output) ? 'whole' : 'absent'}`);
      assert.ok(task !== undefined && ['failed', 'succeeded'].includes(task.state));
      if (existsSync(output)) assert.ok(namesIn(output).includes('./.salvor-manifest.json'));
      else assert.equal(task.state, 'failed');
      const names = readdirSync(directory).filter((name) => name.startsWith('.salvor-archive'));
      assert.deepEqual(names, []);
      rmSync(output, { force: true });
    }
  });

  it('and a backup are planned alike: of that the plan has what the point then holds, and why it can’t be made', async () => {
    await test.host.mariadb.query(`CREATE TABLE \`${site.database}\`.old_style (id INT) ENGINE = MyISAM`);
    const dry = await agent.planBackup(site.uri);
    const plan = BackupPlan.parse(dry.plan);
    assert.deepEqual([dry.task, dry.state, plan.obstacles], [null, 'succeeded', []]);
    assert.deepEqual(
      plan.notes.map(({ code, path }) => [code, path]),
      [['table-not-consistent', `${site.database}.old_style`]],
    );
    const made = await agent.backup(site.uri, { reason: null });
    assert.equal(
      plan.directories.reduce((sum, { files }) => sum + files, 0),
      made.files,
    );
    assert.equal(
      plan.databases.reduce((sum, { tables }) => sum + tables, 0),
      made.tables,
    );
    const nameless = (path: string | undefined): string | undefined => path?.replace(/\d{8}\.\d{6}/, 'TIME');
    assert.equal(nameless(plan.archive ?? undefined), nameless(made.archive?.path));
    await test.host.mariadb.query(
      `DROP TABLE \`${site.database}\`.old_style; RENAME USER '${site.user}'@localhost TO away@localhost`,
    );
    const refused = await agent.planBackup(site.uri);
    assert.deepEqual([refused.state, refused.problems.map(({ code }) => code)], ['warned', ['database-login-refused']]);
    await test.host.mariadb.query(`RENAME USER away@localhost TO '${site.user}'@localhost`);
  });

  it('and the deletion of a point are planned alike: backup-delete says what would go with a point, and why one must stay', async () => {
    const newest = await agent.backup(site.uri, { reason: null });
    const dry = await agent.deleteBackup(point, { dryRun: true });
    const plan = BackupDeletePlan.parse(dry.plan);
    assert.deepEqual([dry.task, dry.removed, plan.obstacles, plan.uri], [null, [], [], site.uri]);
    assert.ok(plan.archives.length === 1 && plan.snapshot !== null);
    for (const { path, bytes } of plan.archives) assert.equal(lstatSync(path).size, bytes);
    const held = await agent.deleteBackup(newest.point, { dryRun: true });
    assert.deepEqual([held.state, held.problems.map(({ code }) => code)], ['warned', ['point-held']]);
    const done = await agent.deleteBackup(point);
    assert.deepEqual(
      done.removed.map(({ path }) => path),
      [...plan.archives.map(({ path }) => path), plan.snapshot],
    );
  });
});
