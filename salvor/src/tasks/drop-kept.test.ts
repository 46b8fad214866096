import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { identifyThisProcess } from '../lib/process-identity.ts';
import { type DropTools, dropKept } from './drop-kept.ts';
import type { Journal } from './journal.ts';
import { parseTaskId } from './task-id.ts';

const task = parseTaskId('0123456789ab') ?? assert.fail();

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
const tools: DropTools = {
  administratorOf: unused,
  readSites: unused,
  say: unused,
  audit: unused,
  journals: { write: () => undefined },
};

it('keeps what holds the only copy of a late write beyond its time, until a person has confirmed the task', async () => {
  const isDropped = async (more: Partial<Journal>): Promise<boolean> =>
    (await dropKept({ ...journal, ...more }, new Date('2026-02-01T00:00:00Z'), tools)).isDropped;
  assert.equal(await isDropped({ late: 'unknown' }), false);
  assert.equal(await isDropped({ late: 'unknown', confirmed: '2026-01-05T00:00:00Z' }), true);
  assert.equal(await isDropped({ late: 'kept' }), true);
  assert.equal(await isDropped({}), true);
});

it('says that a drop has begun before anything goes, and drops the rest of one that was interrupted', async () => {
  using place = openPlace();
  const written: Journal[] = [];
  const all: DropTools = {
    ...tools,
    journals: { write: (one) => written.push(one) },
    audit: async (_operation, _subject, body) => {
      assert.ok(written.length > 0 || isInterrupted, 'it drops, and the journal does not say so');
      return await body();
    },
  };
  let isInterrupted = false;
  const drop = async (more: Partial<Journal>): ReturnType<typeof dropKept> =>
    await dropKept({ ...journal, stagings: [place.staging], ...more }, new Date(), all);

  // Its file is newer than the switch: it is in no point.
  const kept = await drop({});
  assert.deepEqual(kept, { isDropped: false, why: `${place.staging} was written after the switch` });
  assert.deepEqual(written, []);
  assert.ok(existsSync(join(place.staging, 'index.php')));

  // As a drop leaves it that was killed: what has gone left its time in the directory.
  isInterrupted = true;
  assert.deepEqual(await drop({ dropBegan: '2026-01-05T00:00:00Z' }), { isDropped: true });
  assert.ok(!existsSync(place.staging));

  isInterrupted = false;
  place.make();
  const undoUntil = new Date(Date.now() + 72 * 3_600_000).toISOString();
  assert.deepEqual(await drop({ undoUntil, confirmed: new Date().toISOString() }), { isDropped: true });
  assert.ok(!existsSync(place.staging));
  assert.deepEqual(
    written.map(({ dropBegan }) => dropBegan !== undefined),
    [true],
  );
});

function openPlace(): Disposable & { readonly staging: string; readonly make: () => void } {
  const directory = mkdtempSync(join(tmpdir(), 'salvor-drop-'));
  const staging = join(directory, 'staging', journal.site.account, task);
  const make = (): void => {
    mkdirSync(staging, { recursive: true, mode: 0o700 });
    writeFileSync(join(staging, 'index.php'), 'old');
  };
  make();
  return { staging, make, [Symbol.dispose]: () => rmSync(directory, { recursive: true }) };
}
