/** Two processes and one site: what one does the other sees, waits for, stops; and what dies leaves nothing waiting. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, watch } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import {
  DoctorDocument,
  ErrorDocument,
  PointsDocument,
  StatusDocument,
  TaskCancelDocument,
  TaskLogDocument,
  type TaskSummary,
  TasksDocument,
} from '@salvor/contract';
import type { DemoSite } from '../../../demo/host.ts';
import { salvorPlaces } from '../../../demo/salvor-command.ts';
import { openAgentFor } from '../../src/compose.ts';
import { loadConfig } from '../../src/config.ts';
import { SALVOR } from '../cli/run-cli.ts';
import { type TestHost, openTestHost } from './open-test-host.ts';
import { observeSite } from '../../../demo/observe-site.ts';
import { openStore } from '../../src/store/open-store.ts';

/** Each is a command, and takes a third of a second. */
const MAX_LOOKS = 200;

describe('tasks of two processes', { concurrency: 1 }, () => {
  let test: TestHost;
  let site: DemoSite;
  const started = new Set<ChildProcess>();

  before(async () => {
    test = await openTestHost({ withoutWordPress: true, nodes: 5, files: 5 });
    site = test.host.site('market.example.org');
    await test.backUp(site);
  });
  after(async () => {
    for (const child of started) child.kill('SIGKILL');
    await test[Symbol.asyncDispose]();
  });

  const start = (
    ...args: readonly string[]
  ): { readonly child: ChildProcess; readonly exit: Promise<number | null> } => {
    const child = spawn(SALVOR, [...args, '--json'], {
      env: { ...process.env, HOME: test.host.directory, SALVOR_CONFIG: salvorPlaces(test.host).config },
      stdio: 'ignore',
    });
    started.add(child);
    return { child, exit: once(child, 'exit').then(([code]) => code as number | null) };
  };
  const tasks = (...args: readonly string[]): Promise<TasksDocument> => test.run(['tasks', ...args], TasksDocument);
  const waitForTask = async (isIt: (task: TaskSummary) => boolean): Promise<TaskSummary> => {
    for (let looks = 0; looks < MAX_LOOKS; looks++) {
      const found = (await tasks()).find(isIt);
      if (found !== undefined) return found;
    }
    return assert.fail('no such task came');
  };
  const examine = async (): Promise<DoctorDocument['findings']> =>
    DoctorDocument.parse((await test.attempt(['doctor'])).document).findings;
  /** Not while it holds a lock of the store: who is stopped there stops all others too, which is not what is tested. */
  const stopBetweenWrites = (child: ChildProcess): void => {
    const { stateDir } = salvorPlaces(test.host);
    for (;;) {
      child.kill('SIGSTOP');
      try {
        for (const name of ['salvor.sqlite', 'locks/gate.sqlite']) {
          const database = new DatabaseSync(join(stateDir, name), { timeout: 0 });
          database.exec('BEGIN IMMEDIATE; ROLLBACK');
          database.close();
        }
        return;
      } catch {
        child.kill('SIGCONT');
      }
    }
  };
  /** A restore that stands where it is met: stopped by the kernel, so that nothing is raced. */
  const startRestore = async (): Promise<{ readonly task: TaskSummary } & ReturnType<typeof start>> => {
    const begun = start('restore', site.uri, '--yes');
    const task = await waitForTask(({ operation, state }) => operation === 'restore' && state === 'running');
    stopBetweenWrites(begun.child);
    return { ...begun, task: (await tasks()).find(({ id }) => id === task.id) ?? task };
  };

  it('shows a running restore to others, refuses them its site, and stops it without a trace when it is cancelled', async () => {
    const before = await observeSite(test.host, site);
    const { child, exit, task } = await startRestore();
    assert.deepEqual([task.state, task.isHung, task.process !== null], ['running', false, true]);
    const refused = await test.attempt(['backup', site.uri]);
    assert.equal(ErrorDocument.parse(refused.document).error.code, 'site-busy');
    const waiting = start('backup', site.uri, '--wait', '--reason', 'afterwards');
    const queued = await waitForTask(({ state }) => state === 'queued');
    assert.match(queued.waitsFor ?? '', new RegExp(`task ${task.id} \\(restore\\)`));

    const cancelling = test.run(['task', 'cancel', task.id], TaskCancelDocument);
    await waitForTask(({ id, cancelledBy }) => id === task.id && cancelledBy !== null);
    child.kill('SIGCONT');
    const cancelled = await cancelling;
    assert.deepEqual([cancelled.was, cancelled.state, await exit], ['running', 'rolled-back', 1]);
    assert.equal(await waiting.exit, 0, 'what waited ran when its turn came');
    assert.deepEqual(await observeSite(test.host, site), before);
    const { lines } = await test.run(['task', 'log', task.id], TaskLogDocument);
    assert.ok(lines.some(({ kind, code }) => kind === 'warning' && code === 'cancelled'));
  });

  it('tells of a task whose process shows no sign of life; of what is killed, running or waiting, nothing stays so', async () => {
    const { child, exit, task } = await startRestore();
    const waiting = start('backup', site.uri, '--wait');
    const queued = await waitForTask(({ state }) => state === 'queued');
    waiting.child.kill('SIGKILL');
    await waiting.exit;
    {
      // As it would be seen in two minutes.
      await using store = await openStore(salvorPlaces(test.host).stateDir);
      const seen = new Date(Date.now() - 120_000).toISOString();
      await store.updateTable('tasks').set({ seen }).where('id', '=', task.id).execute();
    }
    const { exit: three, document } = await test.attempt(['status']);
    const { sites } = StatusDocument.parse(document);
    assert.equal(three, 3);
    const codes = sites.find(({ uri }) => uri === site.uri)?.problems.map(({ code }) => code);
    assert.deepEqual(codes, ['task-hung']);
    const hung = (await examine()).find(({ code }) => code === 'task-hung');
    assert.equal(hung?.path, `o1/${site.uri}`);
    assert.match(hung.message, new RegExp(`${task.id} .*process ${task.process}`));
    const cancel = await test.attempt(['task', 'cancel', task.id]);
    assert.deepEqual(
      [cancel.exit, TaskCancelDocument.parse(cancel.document).problems.map(({ code }) => code)],
      [3, ['task-hung']],
    );
    child.kill('SIGKILL');
    await exit;
    const ended = await tasks();
    assert.equal(ended.find(({ id }) => id === task.id)?.state, 'rolled-back');
    const never = ended.find(({ id }) => id === queued.id);
    assert.deepEqual([never?.state, never?.startedAt], ['cancelled', null]);
  });

  it('is told of by the doctor where it can be neither finished nor taken back, and is when its cause is gone', async () => {
    const { mariadb } = test.host;
    const journals = join(salvorPlaces(test.host).stateDir, 'journals');
    const { child, exit } = start('restore', site.uri, '--yes');
    const isBuilding = (file: string): boolean =>
      file.endsWith('.json') && /"scratchDatabases": \[\s*\{/.test(readFileSync(join(journals, file), 'utf8'));
    const task = await new Promise<string>((resolve) => {
      const watching = watch(journals, (_, file) => {
        if (file === null || !isBuilding(file)) return;
        child.kill('SIGKILL');
        watching.close();
        resolve(file.replace('.json', ''));
      });
    });
    await exit;
    await mariadb.kill('SIGKILL');
    const left = (await examine()).find(({ code }) => code === 'task-unrecovered');
    assert.deepEqual([left?.severity, left?.path], ['error', `o1/${site.uri}`]);
    assert.match(left?.message ?? '', new RegExp(`^task ${task} \\(restore of o1/${site.uri}\\) could neither`));
    await mariadb.start();
    assert.ok((await examine()).every(({ code }) => code !== 'task-unrecovered'));
    assert.equal((await tasks()).find(({ id }) => id === task)?.state, 'rolled-back');
  });

  it('runs what was put into the queue from its rows alone, in whichever process serves the host', async () => {
    const loaded = loadConfig([salvorPlaces(test.host).config]);
    // Whatever else this machine has to do just now.
    const policies = { ...loaded.policies, host: { ...loaded.policies.host, loadPerProcessor: 1000 } };
    const config = { ...loaded, policies };
    const ids: string[] = [];
    {
      await using agent = await openAgentFor(config, { clock: () => new Date() });
      for (const { uri } of test.host.sites) ids.push(await agent.enqueueBackup(uri, 'asked for on a page'));
    }
    assert.deepEqual(
      (await tasks('--state', 'queued')).map(({ id, process }) => [id, process]),
      ids.toReversed().map((id) => [id, null]),
    );
    await using agent = await openAgentFor(config, { clock: () => new Date() });
    await agent.runQueue(new AbortController().signal);
    for (const task of await tasks('--limit', String(ids.length))) {
      assert.deepEqual([task.state, ids.includes(task.id)], ['succeeded', true]);
      const points = await test.run(['points', `${task.account}/${task.uri}`], PointsDocument);
      assert.equal(points.find(({ id }) => id === task.point)?.reason, 'asked for on a page');
    }
  });
});
