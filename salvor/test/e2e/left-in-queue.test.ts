/** A restore that waits for its turn when its process dies is done by whoever serves the host. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TaskSummary } from '@salvor/contract';
import { Locks } from '../../src/agent/locks.ts';
import { SALVOR } from '../cli/run-cli.ts';
import { EVERYTHING, openFaultHost } from '../fault/fault-host.ts';

it('a restore that waits when its process dies is done where somebody serves the host, and else cancelled', async () => {
  await using test = await openFaultHost();
  const { site, config } = test;
  const room = mkdtempSync(join(tmpdir(), 'salvor-left-'));
  chmodSync(room, 0o777);
  const [held, go] = [join(room, 'held'), join(room, 'go')];
  const file = join(config.state, '../left.yaml');
  const { homes, state, local, staging, mariadb } = config;
  const policy = { archives: { format: 'none' } };
  writeFileSync(file, JSON.stringify({ homes, state, local, staging, mariadb: { socket: mariadb.socket }, policy }));
  await using agent = await test.open();
  const { point } = await agent.backup(site.uri, { reason: null });
  const contentOf = async (): Promise<unknown> => (await test.observe()).files.get('files/pictures/2.png')?.content;
  const was = await contentOf();
  const lastTasks = (count: number): Promise<readonly TaskSummary[]> => agent.tasks({ site: null, states: [], count });

  /** While one stands in its hook, another waits behind it and is killed. Gives the id of the other. */
  const leaveOne = async (): Promise<string> => {
    for (const mark of [held, go]) rmSync(mark, { force: true });
    const hook = ['sh', '-c', `touch '${held}'; until [ -e '${go}' ]; do sleep 0.05; done`];
    const policies = { host: { archiveFormat: 'none', hooksBefore: { plan: hook } }, accounts: {}, sites: {} };
    await using first = await test.open(() => {}, { policies });
    const running = first.restore(site.uri, { ...EVERYTHING, point, only: 'databases' });
    for (let waited = 0; !existsSync(held) && waited < 30_000; waited += 20) await sleep(20);
    const args = ['restore', site.uri, point, '--path', 'files', '--wait', '--yes', '--config', file];
    const waiting = spawn(SALVOR, args, { stdio: 'ignore' });
    const ended = once(waiting, 'exit');
    let task: TaskSummary | undefined;
    for (let waited = 0; task?.state !== 'queued' && waited < 30_000; waited += 50) {
      await sleep(50);
      [task] = await lastTasks(1);
    }
    waiting.kill('SIGKILL');
    await ended;
    writeFileSync(go, '');
    await running;
    return task?.id ?? assert.fail('it did not wait');
  };

  const lost = await leaveOne();
  {
    await using next = await test.open();
    const [task] = (await next.tasks({ site: null, states: [], count: 9 })).filter(({ id }) => id === lost);
    assert.equal(task?.state, 'cancelled', 'nobody serves the host: nobody would do it');
  }
  writeFileSync(join(site.path, 'files/pictures/2.png'), 'changed');
  const changed = await contentOf();
  const left = await leaveOne();
  using locks = new Locks(config.state);
  using _ = locks.lockAgent();
  await using serving = await test.open();
  await serving.runQueue(new AbortController().signal);
  const done = (await lastTasks(9)).find(({ id }) => id === left);
  assert.deepEqual([done?.state, done?.operation, done?.attempt], ['succeeded', 'restore', 1]);
  assert.equal(await contentOf(), was);
  await serving.undo(left);
  assert.equal(await contentOf(), changed);
  rmSync(room, { recursive: true });
});
