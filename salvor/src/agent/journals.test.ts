import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { identifyThisProcess } from '../lib/process-identity.ts';
import type { Journal } from '../tasks/journal.ts';
import { makeTaskId } from '../tasks/task-id.ts';
import { Journals } from './journals.ts';

const JOURNAL: Journal = {
  version: 2,
  task: makeTaskId(new Date('2026-01-01T00:00:00Z'), () => 0.5),
  operation: 'restore',
  process: identifyThisProcess(),
  started: '2026-01-01T00:00:00.000Z',
  site: { account: 'o1', uri: 'x.test', path: '/data/disk/o1/p/sites/x.test', home: '/data/disk/o1' },
  phase: 'started',
  of: null,
  point: null,
  stagings: [],
  scratchDatabases: [],
  switch: null,
  undoUntil: null,
};

test('a journal is read back as it was written last, and is gone after its removal', () => {
  const state = mkdtempSync(join(tmpdir(), 'salvor-journals-'));
  try {
    new Journals(state).write(JOURNAL);
    const journals = new Journals(state);
    journals.write({ ...JOURNAL, phase: 'switched' });
    assert.deepEqual(journals.list(), [{ ...JOURNAL, phase: 'switched' }]);
    journals.remove(JOURNAL.task);
    assert.equal(journals.read(JOURNAL.task), null);
    assert.deepEqual(journals.list(), []);
  } finally {
    rmSync(state, { recursive: true });
  }
});

test('what a crash left of a journal that was being written is passed over, and removed when it is old', () => {
  const state = mkdtempSync(join(tmpdir(), 'salvor-journals-'));
  try {
    const journals = new Journals(state);
    const torn = join(state, 'journals', `${JOURNAL.task}.json.new`);
    writeFileSync(torn, '{"version": 1, "tas');
    journals.sweep(new Date());
    assert.deepEqual(journals.list(), []);
    assert.equal(readdirSync(join(state, 'journals')).length, 1);
    utimesSync(torn, 1000, 1000);
    journals.sweep(new Date());
    assert.equal(readdirSync(join(state, 'journals')).length, 0);
  } finally {
    rmSync(state, { recursive: true });
  }
});

test('a journal of a newer version stops everything instead of being misread', () => {
  const state = mkdtempSync(join(tmpdir(), 'salvor-journals-'));
  try {
    const journals = new Journals(state);
    writeFileSync(join(state, 'journals', `${JOURNAL.task}.json`), JSON.stringify({ ...JOURNAL, version: 3 }));
    assert.throws(() => journals.list(), /newer salvor/);
  } finally {
    rmSync(state, { recursive: true });
  }
});

test('a journal of before sites lay on several mounts is read as one of a single place', () => {
  const state = mkdtempSync(join(tmpdir(), 'salvor-journals-'));
  try {
    const journals = new Journals(state);
    const { stagings: _, ...rest } = JOURNAL;
    for (const staging of [null, '/.salvor/o1/mwtud5ya6orn']) {
      const old = { ...rest, version: 1, staging };
      writeFileSync(join(state, 'journals', `${JOURNAL.task}.json`), JSON.stringify(old));
      assert.deepEqual(journals.list(), [{ ...JOURNAL, stagings: staging === null ? [] : [staging] }]);
    }
  } finally {
    rmSync(state, { recursive: true });
  }
});

test('what a killed process left of its journal goes with the next sweep, that of a living one stays', () => {
  const state = mkdtempSync(join(tmpdir(), 'salvor-journals-'));
  try {
    const journals = new Journals(state);
    const torn = join(state, 'journals', `${JOURNAL.task}.json.new`);
    journals.write(JOURNAL);
    writeFileSync(torn, '{');
    journals.sweep(new Date());
    assert.ok(readdirSync(join(state, 'journals')).includes(`${JOURNAL.task}.json.new`));
    journals.write({ ...JOURNAL, process: { ...JOURNAL.process, start: 'another' } });
    writeFileSync(torn, '{');
    journals.sweep(new Date());
    assert.deepEqual(readdirSync(join(state, 'journals')), [`${JOURNAL.task}.json`]);
  } finally {
    rmSync(state, { recursive: true });
  }
});
