import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openStore } from './open-store.ts';

const ROW = {
  id: 'a1',
  operation: 'backup',
  account: 'o1',
  uri: 'x.test',
  state: 'running',
  started: '2026-01-01T00:00:00.000Z',
  ended: null,
  point: null,
  undo_until: null,
  error: null,
  pid: 1,
  process_start: '1',
  path: null,
  home: null,
  priority: 2,
  queued: '2026-01-01T00:00:00.000Z',
  error_code: null,
  of_task: null,
  wish: null,
  seen: null,
  progress: null,
  cancel_asked: null,
  cancelled_by: null,
  attempt: 1,
  attempts: 1,
  not_before: null,
  timeout_ms: null,
  problems: 0,
};

test('what one opening of the store wrote the next one reads', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'salvor-store-'));
  try {
    {
      await using store = await openStore(join(directory, 'state'));
      await store.insertInto('tasks').values(ROW).execute();
    }
    assert.equal(statSync(join(directory, 'state')).mode & 0o777, 0o700);
    await using store = await openStore(join(directory, 'state'));
    assert.deepEqual(await store.selectFrom('tasks').selectAll().execute(), [ROW]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('two openings write at the same time without an error', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'salvor-store-'));
  try {
    await using one = await openStore(directory);
    await using two = await openStore(directory);
    for (let i = 0; i < 20; i++) {
      await one
        .insertInto('tasks')
        .values({ ...ROW, id: `a${i}` })
        .execute();
      await two
        .insertInto('tasks')
        .values({ ...ROW, id: `b${i}` })
        .execute();
    }
    assert.equal((await one.selectFrom('tasks').select('id').execute()).length, 40);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
