import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openStore } from './open-store.ts';
import { TEST_TASK } from './test-task.ts';

test('what one opening of the store wrote the next one reads', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'salvor-store-'));
  try {
    {
      await using store = await openStore(join(directory, 'state'));
      await store.insertInto('tasks').values(TEST_TASK).execute();
    }
    assert.equal(statSync(join(directory, 'state')).mode & 0o777, 0o700);
    await using store = await openStore(join(directory, 'state'));
    assert.deepEqual(await store.selectFrom('tasks').selectAll().execute(), [TEST_TASK]);
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
        .values({ ...TEST_TASK, id: `a${i}` })
        .execute();
      await two
        .insertInto('tasks')
        .values({ ...TEST_TASK, id: `b${i}` })
        .execute();
    }
    assert.equal((await one.selectFrom('tasks').select('id').execute()).length, 40);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
