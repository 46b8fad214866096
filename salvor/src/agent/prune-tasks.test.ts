import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { after, before, describe, it } from 'node:test';
import { type Store, openStore } from '../store/open-store.ts';
import { TEST_TASK } from '../store/test-task.ts';
import { type TaskId, parseTaskId } from '../tasks/task-id.ts';
import { LINES_KEPT_MS, ROWS_KEPT_MS, type Pruned, planPruneTasks, pruneTasks } from './prune-tasks.ts';

const DAY_MS = 86_400_000;
const BEGIN = Date.parse('2026-01-01T00:00:00Z');
const OLD = new Date(BEGIN).toISOString();

/** A clock that went as the host lived. */
const lived = (now: Date) => ({ stretches: [{ wall: BEGIN, lived: 0, until: null }], lived: now.getTime() - BEGIN });
const dayAfter = (days: number): Date => new Date(BEGIN + days * DAY_MS);

describe('the list of tasks', { concurrency: 1 }, () => {
  let directory: string;
  let store: Store;

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'salvor-prune-tasks-'));
    store = await openStore(directory);
  });
  after(async () => {
    await store[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  });

  const add = async (id: string, change: object = {}): Promise<void> => {
    const row = { ...TEST_TASK, id, state: 'succeeded', ended: OLD, ...change };
    await store.insertInto('tasks').values(row).execute();
    const line = { task: id, time: OLD, line: 'said', kind: 'info', code: null };
    await store
      .insertInto('task_log')
      .values([0, 1].map((number) => ({ ...line, number })))
      .execute();
  };
  const prune = async (now: Date, journals: Parameters<typeof planPruneTasks>[0] = []): Promise<Pruned> =>
    await pruneTasks(store, planPruneTasks(journals, lived(now), now));
  const tasks = async (): Promise<readonly string[]> =>
    (await store.selectFrom('tasks').select('id').orderBy('id').execute()).map(({ id }) => id);
  const saying = async (): Promise<readonly string[]> =>
    (await store.selectFrom('task_log').select('task').distinct().orderBy('task').execute()).map(({ task }) => task);
  const clear = async (): Promise<void> => {
    for (const table of ['tasks', 'task_log', 'points', 'archives'] as const) await store.deleteFrom(table).execute();
  };

  it('loses what a task said after 60 days and the task after 400, not a day before', async () => {
    await add('plain');
    assert.deepEqual(await prune(dayAfter(60)), { tasks: 0, lines: 0 });
    assert.deepEqual(await prune(dayAfter(61)), { tasks: 0, lines: 2 });
    assert.deepEqual([await tasks(), await saying()], [['plain'], []]);
    assert.deepEqual(await prune(dayAfter(400)), { tasks: 0, lines: 0 });
    assert.deepEqual(await prune(dayAfter(401)), { tasks: 1, lines: 0 });
    assert.deepEqual(await tasks(), []);
  });

  it('keeps whole what a journal, an undo, a point, an archive or a task that stays names, and what has not ended', async () => {
    await clear();
    const [task, of] = ['0000000000j1', '0000000000j2'].map((id) => parseTaskId(id)) as [TaskId, TaskId];
    await add(task);
    await add(of);
    await add('undoable', { undo_until: dayAfter(3).toISOString() });
    await add('of-point');
    await add('with-point', { point: 'cafe' });
    await add('of-archive');
    await add('queued', { state: 'queued', ended: null });
    await add('running', { state: 'running', ended: null });
    await add('undone');
    await add('undo', { of_task: 'undone', point: 'cafe' });
    await add('forgotten-1');
    await add('forgotten-2', { of_task: 'forgotten-1' });
    const point = { id: 'cafe', copy: 'local', account: 'o1', uri: 'a.test', time: OLD, origin: 'task', reason: null };
    const parts = { holds_files: 1, holds_databases: 1, bytes: 1, complete: 1, safety: 0, pinned: 0, snapshot: 's' };
    await store
      .insertInto('points')
      .values({ ...point, ...parts, task: 'of-point' })
      .execute();
    const manifest = JSON.stringify({ about: { task: 'of-archive' } });
    const archive = { path: '/a', account: 'o1', bytes: 1, mtime_ns: '1', look: '{}' };
    await store
      .insertInto('archives')
      .values([
        { ...archive, manifest },
        { ...archive, path: '/b', manifest: null },
      ])
      .execute();
    assert.deepEqual(await prune(dayAfter(5000), [{ task, of }]), { tasks: 2, lines: 6 });
    const left = [task, of, 'of-archive', 'of-point', 'queued', 'running', 'undo', 'undoable', 'undone', 'with-point'];
    assert.deepEqual(await tasks(), left.toSorted());
    // Of a task that only another task names the row is what is named.
    assert.deepEqual(await saying(), left.filter((id) => id !== 'undone').toSorted());
  });

  it('takes more of them than one statement does', async () => {
    await clear();
    await add('first');
    const [row] = await store.selectFrom('tasks').selectAll().execute();
    assert.ok(row !== undefined);
    const many = Array.from({ length: 1000 }, (_, number) => ({ ...row, id: `many-${number}` }));
    await store.insertInto('tasks').values(many).execute();
    const line = { number: 0, time: OLD, line: 'said', kind: 'info', code: null };
    await store
      .insertInto('task_log')
      .values(many.map(({ id }) => ({ ...line, task: id })))
      .execute();
    await add('young', { ended: dayAfter(390).toISOString() });
    assert.deepEqual(await prune(dayAfter(401)), { tasks: 1001, lines: 1002 });
    assert.deepEqual([await tasks(), await saying()], [['young'], ['young']]);
  });

  it('does not grow older by what the clock jumped ahead', () => {
    const now = dayAfter(1000);
    const jumped = {
      stretches: [
        { wall: BEGIN, lived: 0, until: 10 * DAY_MS },
        { wall: BEGIN + 990 * DAY_MS, lived: 10 * DAY_MS, until: null },
      ],
      lived: 20 * DAY_MS,
    };
    const { rowsBefore, linesBefore } = planPruneTasks([], jumped, now);
    // What is of the very beginning is twenty days old.
    assert.deepEqual(
      [rowsBefore.getTime(), linesBefore.getTime()],
      [BEGIN - ROWS_KEPT_MS + 20 * DAY_MS, BEGIN - LINES_KEPT_MS + 20 * DAY_MS],
    );
  });
});
