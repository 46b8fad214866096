import assert from 'node:assert/strict';
import { it } from 'node:test';
import { identifyThisProcess } from '../lib/process-identity.ts';
import { type DropTools, dropKept } from './drop-kept.ts';
import type { Journal } from './journal.ts';
import { parseTaskId } from './task-id.ts';

it('keeps what holds the only copy of a late write beyond its time, until a person has confirmed the task', async () => {
  const task = parseTaskId('0123456789ab');
  assert.ok(task !== null);
  const journal: Journal = {
    version: 2,
    task,
    operation: 'restore',
    process: identifyThisProcess(),
    started: '2026-01-01T00:00:00Z',
    site: { account: 'o1', uri: 'example.com', path: '/home/o1/site', home: '/home/o1' },
    phase: 'kept',
    of: null,
    point: null,
    stagings: [],
    scratchDatabases: [],
    switch: { tables: [], moves: [] },
    undoUntil: '2026-01-04T00:00:00Z',
  };
  const unused = (): never => assert.fail('nothing is asked of');
  const tools: DropTools = { administratorOf: unused, readSites: unused, say: unused, audit: unused };
  const isDropped = async (more: Partial<Journal>): Promise<boolean> =>
    (await dropKept({ ...journal, ...more }, new Date('2026-02-01T00:00:00Z'), tools)).isDropped;
  assert.equal(await isDropped({ late: 'unknown' }), false);
  assert.equal(await isDropped({ late: 'unknown', confirmed: '2026-01-05T00:00:00Z' }), true);
  assert.equal(await isDropped({ late: 'kept' }), true);
  assert.equal(await isDropped({}), true);
});
