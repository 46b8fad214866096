import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openStore } from '../store/open-store.ts';
import { STANDARD_LIMITS } from './queue-limits.ts';
import { TaskLog } from './task-log.ts';
import { Words } from './words.ts';

const clock = (): Date => new Date('2026-01-01T00:00:00Z');

test('what a task says is in the list of tasks as it is said, and what recovery says of it comes after', async () => {
  const state = mkdtempSync(join(tmpdir(), 'salvor-words-'));
  try {
    await using store = await openStore(state);
    await using other = await openStore(state);
    const said: string[] = [];
    const room = { log: new TaskLog(store, STANDARD_LIMITS), clock, say: (line: string) => said.push(line) };
    const words = new Words(room, 'a');
    words.say('one');
    words.say('two');
    await words.flush();
    // As another process sees it, and as one that recovers goes on.
    const seen = new TaskLog(other, STANDARD_LIMITS);
    assert.deepEqual(
      (await seen.readLines('a')).map(({ text }) => text),
      ['one', 'two'],
    );
    const after = new Words({ ...room, log: seen }, 'a');
    after.say('three');
    await after.flush();
    words.say('four');
    await words.flush();
    assert.deepEqual(
      (await seen.readLines('a')).map(({ text }) => text),
      ['one', 'two', 'three', 'four'],
    );
    assert.deepEqual(await seen.readLines('b'), []);
    assert.deepEqual(said, ['one', 'two', 'three', 'four']);
  } finally {
    rmSync(state, { recursive: true });
  }
});

test('a line that can’t be written goes with the next one, and fails nothing', async () => {
  const written: string[] = [];
  const said: string[] = [];
  let isFull = true;
  const log: Pick<TaskLog, 'say'> = {
    say: async (_task, lines) => {
      if (isFull) throw new Error('the disk is full');
      written.push(...lines.map(({ text }) => text));
    },
  };
  const words = new Words({ log: log as TaskLog, clock, say: (line) => said.push(line) }, 'a');
  words.say('one');
  await words.flush();
  assert.equal(said.at(-1), '1 lines of the task could not be kept');
  isFull = false;
  words.say('two');
  await words.flush();
  assert.deepEqual(written, ['one', 'two']);
});
