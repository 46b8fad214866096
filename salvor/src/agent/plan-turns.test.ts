import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type RunningTask, type WaitingTask, planTurns } from './plan-turns.ts';
import { PRIORITIES } from './queue-limits.ts';

const HOUR_MS = 3_600_000;
const LIMITS = { atOnce: 2, maxLoad: 10, maxBackoffMs: HOUR_MS };
const CALM = { nowMs: 1_000_000_000, load: 1 };

function backup(id: string, site: string, change: Partial<WaitingTask> = {}): WaitingTask {
  const task = { id, site, operation: 'backup', priority: PRIORITIES.backup, queuedMs: 0, notBeforeMs: null };
  return { ...task, isWanted: true, ...change };
}

/** What each waits for, by its id; null where its turn has come. */
function turnsOf(
  waiting: readonly WaitingTask[],
  running: readonly RunningTask[] = [],
  host = CALM,
): Record<string, string | null> {
  const turns = planTurns(waiting, running, host, LIMITS);
  return Object.fromEntries([...turns].map(([id, wait]) => [id, wait === null ? null : (wait.task ?? wait.for)]));
}

test('the more urgent goes first, then what somebody waits for, then the older, and a site is never shared', () => {
  const restore = { operation: 'restore', priority: PRIORITIES.restore };
  const waiting = [
    backup('old', 'a', { queuedMs: 1, isWanted: false }),
    backup('wanted', 'a', { queuedMs: 2 }),
    backup('urgent', 'a', { queuedMs: 3, ...restore }),
    backup('late', 'b', { queuedMs: 5 }),
    backup('early', 'b', { queuedMs: 4 }),
  ];
  assert.deepEqual(turnsOf(waiting), { urgent: null, wanted: 'urgent', early: null, late: 'early', old: 'urgent' });
  const [without] = [waiting.filter(({ id }) => id !== 'urgent')];
  assert.equal(turnsOf(without)['wanted'], null);
  assert.equal(turnsOf(without)['old'], 'wanted');
});

test('as many run as may, and a restore waits for no place', () => {
  const running = ['x', 'y'].map((site) => ({ id: `runs ${site}`, site, operation: 'backup' }));
  const restore = backup('restore', 'b', { operation: 'restore', priority: PRIORITIES.restore });
  assert.deepEqual(turnsOf([backup('one', 'a'), restore], running), { restore: null, one: 'place' });
  // What a better one gets is not free any more.
  assert.deepEqual(
    turnsOf([backup('one', 'a', { queuedMs: 1 }), backup('two', 'b', { queuedMs: 2 })], running.slice(1)),
    {
      one: null,
      two: 'place',
    },
  );
});

test('an export holds up no task of its site, nor they it; it takes a place', () => {
  const exporting = { id: 'runs', site: 'a', operation: 'export' };
  const wanted = backup('export', 'a', { operation: 'export' });
  assert.deepEqual(turnsOf([backup('one', 'a'), wanted], []), { one: null, export: null });
  assert.deepEqual(turnsOf([backup('one', 'a')], [exporting]), { one: null });
  assert.deepEqual(turnsOf([wanted], [{ ...exporting, operation: 'restore' }]), { export: null });
  assert.deepEqual(turnsOf([backup('one', 'b')], [exporting, { ...exporting, id: 'too' }]), { one: 'place' });
});

test('load holds up what nobody waits for, and nothing else', () => {
  const waiting = [backup('wanted', 'a'), backup('nobody', 'b', { isWanted: false })];
  assert.deepEqual(turnsOf(waiting, [], { ...CALM, load: 10.5 }), { wanted: null, nobody: 'load' });
  assert.deepEqual(turnsOf(waiting, [], { ...CALM, load: 10 }), { wanted: null, nobody: null });
});

test('the next try waits for its time and holds up nobody; a clock that was set back holds up no try', () => {
  const later = backup('later', 'a', { queuedMs: 1, notBeforeMs: CALM.nowMs + 1 });
  assert.deepEqual(turnsOf([later, backup('other', 'a', { queuedMs: 2 })]), { later: 'time', other: null });
  assert.deepEqual(turnsOf([later], [], { ...CALM, nowMs: CALM.nowMs + 1 }), { later: null });
  assert.deepEqual(turnsOf([later], [], { ...CALM, nowMs: CALM.nowMs - 24 * HOUR_MS }), { later: null });
});
