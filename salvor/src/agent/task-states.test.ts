import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { TASK_STATES, type TaskState } from '@salvor/contract';
import { makeTaskId } from '../tasks/task-id.ts';
import { openTestRoom } from './test-room.ts';
import { TRANSITIONS, isOver, statesBefore } from './task-states.ts';

/** How each state is come to, from nothing, by the calls that a queue makes. */
const WAYS: Readonly<Record<TaskState, readonly TaskState[]>> = {
  queued: [],
  running: ['running'],
  succeeded: ['running', 'succeeded'],
  warned: ['running', 'warned'],
  failed: ['running', 'failed'],
  'rolled-back': ['running', 'rolled-back'],
  'rollback-failed': ['running', 'rollback-failed'],
  cancelled: ['cancelled'],
};

test('a task becomes what the table says, and nothing else, from every state', async () => {
  await using test = await openTestRoom();
  const { log } = test.room;
  const process = { pid: 1, start: 'x' };
  const host = { now: new Date(), load: 0, isAlive: () => true };
  let at = Date.now();
  for (const from of TASK_STATES) {
    for (const to of TASK_STATES) {
      if (to === 'queued' || to === 'running') continue;
      const id = makeTaskId(new Date(at++), () => 0.5);
      const site = { account: 'o1', uri: id, path: '/x', home: '/' };
      const task = { id, operation: 'restore', site, priority: 3, of: null, wish: null, owner: process };
      await log.enqueue({ ...task, attempts: 1, timeoutMs: 1000 }, host, { refuseBusy: false });
      for (const step of WAYS[from])
        if (step === 'running') await log.start(id, process, host);
        else await log.end(id, { state: step, ended: host.now });
      assert.equal((await log.read(id))?.state, from);
      const isAllowed = (Object.values(TRANSITIONS[from]) as readonly TaskState[]).includes(to);
      assert.equal(await log.end(id, { state: to, ended: host.now }), isAllowed, `${from} → ${to}`);
      assert.equal((await log.read(id))?.state, isAllowed ? to : from);
      // What has ended, and what runs, can't be begun.
      const begun = await log.start(id, process, host);
      assert.equal(begun !== null && 'state' in begun, (isAllowed ? to : from) === 'queued');
    }
  }
});

test('every state can be left or is an end, and can be come to', () => {
  for (const state of TASK_STATES) {
    assert.ok(state === 'queued' || statesBefore(state).length > 0, `nothing becomes ${state}`);
    assert.equal(isOver(state), state !== 'queued' && state !== 'running');
  }
  assert.deepEqual(statesBefore('queued'), ['running']);
});

test('the table of the decision’s page is that of the code', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/decisions/0012-queue-of-the-host.md'), 'utf8');
  const told = [...page.matchAll(/^\| ([a-z]\S*) +\| ([\w, -]+?) +\| ([\w, -]+?) +\|$/gm)]
    .slice(1)
    .flatMap(([, from = '', events = '', states = '']) => {
      const to = states.split(', ');
      return events.split(', ').map((event, i) => `${from} ${event} ${to[i] ?? to[0]}`);
    });
  const coded = Object.entries(TRANSITIONS).flatMap(([from, events]) =>
    Object.entries(events).map(([event, to]) => `${from} ${event} ${to}`),
  );
  assert.deepEqual(told.toSorted(), coded.toSorted());
});
