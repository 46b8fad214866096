import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TaskRow } from '../store/tables.ts';
import type { Journal } from '../tasks/journal.ts';
import type { TaskId } from '../tasks/task-id.ts';
import { watchSwitches } from './watch-switches.ts';

const NIGHT = new Date('2026-03-01T02:00:00Z');
const at = (minute: number): string => new Date(NIGHT.getTime() + minute * 60_000).toISOString();

type Known = { readonly rows: Partial<TaskRow>[]; readonly journals: Partial<Journal>[] };

/** What is known when the night begins, and when it has read the files. */
async function switchedBetween(before: Known, after: Known): Promise<Record<string, string>> {
  let now = before;
  const room = {
    log: { readLast: () => Promise.resolve(now.rows as TaskRow[]) },
    journals: {
      list: () => now.journals as Journal[],
      read: (task: TaskId) => (now.journals.find((journal) => journal.task === task) as Journal | undefined) ?? null,
    },
  };
  const read = watchSwitches(room, 'o1', NIGHT);
  now = after;
  return Object.fromEntries(await read());
}

const TASK = '01234567890a' as TaskId;
const site = { account: 'o1', uri: 'a.test', path: '', home: '' };
const RESTORE = { id: TASK, operation: 'restore', account: 'o1', uri: 'a.test', state: 'running' };
const row = (change: Partial<TaskRow>): Partial<TaskRow> => ({ ...RESTORE, started: at(1), ended: null, ...change });
const journal = (phase: Journal['phase']): Partial<Journal> => ({ task: TASK, site, phase });
const NOTHING: Known = { rows: [], journals: [] };

describe('of the tasks beside a night', () => {
  const cases: readonly [string, Known, Known, Record<string, string>][] = [
    [
      'a restore that only builds is none that switched',
      NOTHING,
      { rows: [row({})], journals: [journal('started')] },
      {},
    ],
    [
      'a restore that is at its switch has switched',
      NOTHING,
      { rows: [row({})], journals: [journal('switching')] },
      { 'a.test': TASK },
    ],
    [
      'a restore that ended well meanwhile has switched',
      NOTHING,
      { rows: [row({ state: 'succeeded', ended: at(5) })], journals: [journal('kept')] },
      { 'a.test': TASK },
    ],
    [
      'a restore that failed meanwhile has changed nothing',
      NOTHING,
      { rows: [row({ state: 'failed', ended: at(5) })], journals: [] },
      {},
    ],
    [
      'a restore that ended before is no matter',
      NOTHING,
      { rows: [row({ started: at(-9), state: 'succeeded', ended: at(-1) })], journals: [journal('kept')] },
      {},
    ],
    [
      'a restore that had switched before, and still followed up, is no matter',
      { rows: [row({ started: at(-9) })], journals: [journal('switched')] },
      { rows: [row({ started: at(-9), state: 'succeeded', ended: at(2) })], journals: [journal('kept')] },
      {},
    ],
    [
      'a restore that began before and switched meanwhile has switched',
      { rows: [row({ started: at(-9) })], journals: [journal('started')] },
      { rows: [row({ started: at(-9), state: 'warned', ended: at(2) })], journals: [journal('kept')] },
      { 'a.test': TASK },
    ],
    [
      'a backup changes nothing',
      NOTHING,
      { rows: [row({ operation: 'backup', state: 'succeeded', ended: at(2) })], journals: [] },
      {},
    ],
    [
      'a switch that was killed in the middle, and not finished yet, leaves a mix',
      { rows: [], journals: [journal('switching')] },
      { rows: [], journals: [journal('switching')] },
      { 'a.test': TASK },
    ],
  ];
  for (const [claim, before, after, expected] of cases)
    it(claim, async () => assert.deepEqual(await switchedBetween(before, after), expected));
});
