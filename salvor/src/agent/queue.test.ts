import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import { SalvorError } from '../errors.ts';
import { hasCode } from '../../test/fault/fault-host.ts';
import { NO_LEVELS, policyOfHost } from '../policies/policy-levels.ts';
import { limitsOf } from './queue-limits.ts';
import type { WaitOptions } from './queue.ts';
import type { TaskBody } from './run-task.ts';
import { documentOfTask } from './task-documents.ts';
import { openTestRoom } from './test-room.ts';

const siteOf = (uri: string) => ({ account: 'o1', uri, path: `/data/disk/o1/sites/${uri}`, home: '/data/disk/o1' });
const backupOf = (uri: string) => ({ operation: 'backup' as const, site: siteOf(uri), of: null });
const restoreOf = (uri: string) => ({ operation: 'restore' as const, site: siteOf(uri), of: null });

function options(change: Partial<WaitOptions> = {}): WaitOptions {
  return { signal: new AbortController().signal, onProgress: () => {}, wait: false, onWait: () => {}, ...change };
}

/** A body that begins, and goes on when it is let. */
function gate(): { readonly body: TaskBody<void>; readonly begun: Promise<void>; readonly open: () => void } {
  const begun = Promise.withResolvers<void>();
  const opened = Promise.withResolvers<void>();
  return {
    begun: begun.promise,
    open: opened.resolve,
    body: async (run) => {
      begun.resolve();
      await Promise.race([opened.promise, once(run.signal, 'abort')]);
      await run.step('keep', async () => {});
    },
  };
}

test('a site that is busy is refused at once, or waited for; two of its tasks never run side by side', async () => {
  await using one = await openTestRoom();
  await using other = await openTestRoom({}, one.room.state);
  const first = gate();
  const running = one.queue.perform(backupOf('a.test'), options(), first.body);
  await first.begun;
  await assert.rejects(
    other.queue.perform(backupOf('a.test'), options(), async () => {}),
    hasCode('site-busy'),
  );
  assert.equal((await one.room.log.readLast({ count: 10 })).length, 1, 'who was refused has wanted nothing');

  const told = Promise.withResolvers<string>();
  let isOver = false;
  const waiting = other.queue.perform(backupOf('a.test'), options({ wait: true, onWait: told.resolve }), async () => {
    assert.ok(isOver, 'the first one still ran');
  });
  assert.match(await told.promise, /^task \w{12} \(backup\)$/);
  // Another site does not wait.
  await other.queue.perform(backupOf('b.test'), options(), async () => {});
  isOver = true;
  first.open();
  assert.equal((await running).state, 'succeeded');
  assert.equal((await waiting).state, 'succeeded');
});

test('an export of a site that another task has begins at once, and is in nobody’s way', async () => {
  await using one = await openTestRoom();
  const exportOf = { operation: 'export' as const, site: siteOf('a.test'), of: null };
  const [restore, first] = [gate(), gate()];
  const exporting = one.queue.perform(exportOf, options(), first.body);
  await first.begun;
  const running = one.queue.perform(restoreOf('a.test'), options(), restore.body);
  await restore.begun;
  assert.equal((await one.queue.perform(exportOf, options(), async () => {})).state, 'succeeded');
  first.open();
  restore.open();
  assert.deepEqual([(await exporting).state, (await running).state], ['succeeded', 'succeeded']);
});

test('a restore that waits for a site goes before a backup that has waited for longer', async () => {
  await using room = await openTestRoom();
  const order: string[] = [];
  const first = gate();
  const running = room.queue.perform(backupOf('a.test'), options(), first.body);
  await first.begun;
  const later: Promise<unknown>[] = [];
  for (const wanted of [backupOf('a.test'), restoreOf('a.test')]) {
    const told = Promise.withResolvers<string>();
    const body = async (): Promise<void> => void order.push(wanted.operation);
    later.push(room.queue.perform(wanted, options({ wait: true, onWait: told.resolve }), body));
    await told.promise;
  }
  first.open();
  await Promise.all([running, ...later]);
  assert.deepEqual(order, ['restore', 'backup']);
});

test('a task that is cancelled while it waits never begins', async () => {
  await using one = await openTestRoom();
  await using other = await openTestRoom({}, one.room.state);
  const first = gate();
  const running = one.queue.perform(backupOf('a.test'), options(), first.body);
  await first.begun;
  const told = Promise.withResolvers<string>();
  const waiting = one.queue.perform(restoreOf('a.test'), options({ wait: true, onWait: told.resolve }), () =>
    assert.fail('it began'),
  );
  await told.promise;
  const [row] = await other.room.log.readLast({ count: 1, states: ['queued'] });
  assert.equal(await other.queue.cancel(row?.id ?? ''), 'queued');
  await assert.rejects(waiting, hasCode('cancelled'));
  await assert.rejects(other.queue.cancel(row?.id ?? ''), hasCode('task-ended'));
  first.open();
  await running;
});

test('a running task is cancelled from another process, says by whom, and its row is closed', async () => {
  await using one = await openTestRoom();
  await using other = await openTestRoom({}, one.room.state);
  const first = gate();
  const running = one.queue.perform(backupOf('a.test'), options(), first.body);
  await first.begun;
  const [row] = await other.room.log.readLast({ count: 1 });
  const id = row?.id ?? '';
  assert.equal(await other.queue.cancel(id), 'running');
  await assert.rejects(running, hasCode('cancelled'));
  assert.equal((await one.room.log.read(id))?.state, 'cancelled');
  const lines = (await one.room.log.readLines(id)).map(({ kind, code, text }) => `${kind} ${code}: ${text}`);
  assert.ok(lines.includes('warning cancelled: asked to stop by the test'), lines.join('\n'));
  await assert.rejects(other.queue.cancel('000000000000'), hasCode('task-unknown'));
});

test('a task that runs for too long is stopped and taken back, and is not tried again', async () => {
  await using room = await openTestRoom({ timeoutMs: 30 });
  const { body } = gate();
  await assert.rejects(
    room.queue.perform({ ...restoreOf('a.test'), attempts: 3 }, options(), body),
    hasCode('task-overdue'),
  );
  const [row] = await room.room.log.readLast({ count: 1 });
  assert.deepEqual([row?.state, row?.attempt, row?.error_code], ['rolled-back', 1, 'task-overdue']);
});

test('only an error that may pass by itself is tried again, and only as often as was wanted', async () => {
  await using room = await openTestRoom();
  const failing = (code: 'database-unreachable' | 'dump-empty', times: number) => {
    const left = { times };
    return async (): Promise<string> => {
      if (left.times-- > 0) throw new SalvorError(code, { server: 'here', words: 'no', database: 'd', user: 'u' });
      return 'done';
    };
  };
  const thrice = { ...backupOf('a.test'), attempts: 3 };
  const { result, task } = await room.queue.perform(thrice, options(), failing('database-unreachable', 2));
  assert.equal(result, 'done');
  assert.equal((await room.room.log.read(task))?.attempt, 3);
  const said = (await room.room.log.readLines(task)).map(({ text }) => text);
  assert.equal(said.filter((text) => text.startsWith('begins again at ')).length, 2, said.join('\n'));

  const twice = { ...backupOf('a.test'), attempts: 2 };
  await assert.rejects(
    room.queue.perform(twice, options(), failing('database-unreachable', 2)),
    hasCode('database-unreachable'),
  );
  await assert.rejects(room.queue.perform(twice, options(), failing('dump-empty', 1)), hasCode('dump-empty'));
  const [last] = await room.room.log.readLast({ count: 1 });
  assert.deepEqual([last?.state, last?.attempt], ['failed', 1]);
});

test('tasks that are nobody’s are run by whoever runs the queue: best first, so many at once, not under load', async () => {
  await using room = await openTestRoom({ atOnce: 2, maxLoad: 5 });
  const running = new Set<string>();
  let most = 0;
  const order: string[] = [];
  const bodyOf =
    ({ uri, operation }: { uri: string; operation: string }): TaskBody<void> =>
    async () => {
      assert.ok(!running.has(uri), `${uri} has two tasks`);
      running.add(uri);
      if (operation === 'backup') most = Math.max(most, running.size);
      order.push(`${operation} ${uri}`);
      await new Promise((resolve) => setTimeout(resolve, 3));
      running.delete(uri);
    };
  for (const uri of ['a.test', 'b.test', 'c.test', 'a.test']) await room.queue.enqueue(backupOf(uri));
  await room.queue.enqueue(restoreOf('c.test'));
  room.setLoad(6);
  const run = { signal: new AbortController().signal, onProgress: () => {} };
  // Under load only the restore begins.
  assert.notEqual(await room.queue.runNext(bodyOf, run), null);
  assert.equal(await room.queue.runNext(bodyOf, run), null);
  await room.queue.runReady(bodyOf, run);
  assert.equal((await room.room.log.readLast({ count: 10, states: ['queued'] })).length, 4);
  room.setLoad(0);
  await room.queue.runReady(bodyOf, run);
  assert.equal(order[0], 'restore c.test');
  assert.deepEqual(order.toSorted(), [
    'backup a.test',
    'backup a.test',
    'backup b.test',
    'backup c.test',
    'restore c.test',
  ]);
  assert.equal(most, 2);
  assert.ok((await room.room.log.readLast({ count: 10 })).every(({ state }) => state === 'succeeded'));
});

test('what a dead process had in hand is finished or undone by whoever waits for its site', async () => {
  await using room = await openTestRoom();
  const dead = { pid: spawnSync('true').pid, start: 'of a process that is gone' };
  const id = await room.queue.enqueue(backupOf('a.test'), { isMine: true });
  const now = { now: new Date(), load: 0, isAlive: () => true };
  await room.room.log.start(id, dead, now);
  const left = await room.queue.enqueue(backupOf('b.test'));
  const { state } = await room.queue.perform(backupOf('a.test'), options({ wait: true }), async () => {});
  assert.equal(state, 'succeeded');
  assert.equal((await room.room.log.read(id))?.state, 'failed');
  assert.equal((await room.room.log.read(left))?.state, 'queued', 'a task that is nobody’s is not lost with a process');
});

test('a task whose process lives and shows no sign of life is called hung', async () => {
  await using room = await openTestRoom({ beatMs: 60_000 });
  const first = gate();
  const running = room.queue.perform(backupOf('a.test'), options(), first.body);
  await first.begun;
  const [row] = await room.room.log.readLast({ count: 1 });
  assert.ok(row !== undefined);
  const at = (seconds: number) => ({
    at: new Date(Date.parse(row.seen ?? '') + seconds * 1000),
    hungAfterMs: 60_000,
    waitsFor: null,
  });
  assert.deepEqual([documentOfTask(row, at(59)).isHung, documentOfTask(row, at(61)).isHung], [false, true]);
  first.open();
  await running;
});

test('how many tasks run at once, how long and up to which load is the host’s policy', () => {
  const host = { tasksAtOnce: 1, loadPerProcessor: 2, taskTimeoutMs: 3_600_000 };
  const limits = limitsOf(policyOfHost({ ...NO_LEVELS, host }));
  assert.deepEqual([limits.atOnce, limits.maxLoad, limits.timeoutMs], [1, 2 * availableParallelism(), 3_600_000]);
});
