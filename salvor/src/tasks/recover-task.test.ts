import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { SalvorError } from '../errors.ts';
import { NOBODY } from '../lib/process-identity.ts';
import type { Journal } from './journal.ts';
import { makeMove, planMove } from './move-site.ts';
import { type RecoveryTools, recoverTask } from './recover-task.ts';
import { makeTaskId } from './task-id.ts';

const TASK = makeTaskId(new Date('2026-01-01T00:00:00Z'), () => 0.5);

/** A site's directory and what was built for it, in a journal that says that the switch has begun. */
function openPlaces(): {
  top: string;
  live: string;
  staging: string;
  journal: Journal;
  written: Journal[];
  tools: RecoveryTools;
} & Disposable {
  const top = mkdtempSync(join(tmpdir(), 'salvor-recover-'));
  const home = join(top, 'home');
  const live = join(home, 'sites/x');
  const staging = join(top, 'staging/o1', TASK);
  mkdirSync(live, { recursive: true });
  mkdirSync(join(staging, 'site'), { recursive: true });
  writeFileSync(join(live, 'which'), 'old');
  writeFileSync(join(staging, 'site/which'), 'new');
  const move = planMove({ home, live, staging, staged: join(staging, 'site') });
  const written: Journal[] = [];
  const journal: Journal = {
    version: 2,
    task: TASK,
    operation: 'restore',
    process: NOBODY,
    started: '2026-01-01T00:00:00.000Z',
    site: { account: 'o1', uri: 'x.test', path: live, home },
    phase: 'switching',
    of: null,
    point: null,
    stagings: [staging],
    scratchDatabases: [],
    switch: { tables: [], moves: [move] },
    undoUntil: '2026-01-04T00:00:00.000Z',
  };
  const tools: RecoveryTools = {
    journals: { write: (next) => written.push(next), read: () => null, remove: () => {} },
    administratorOf: () => assert.fail('no database takes part'),
    clock: () => new Date('2026-01-01T00:00:00Z'),
    say: () => {},
    audit: async (_action, _on, step) => await step(),
  };
  return { top, live, staging, journal, written, tools, [Symbol.dispose]: () => rmSync(top, { recursive: true }) };
}

test('a switch that had not moved anything is taken back: the old site, and nothing else', async () => {
  using places = openPlaces();
  const { state } = await recoverTask(places.journal, places.tools);
  assert.equal(state, 'rolled-back');
  assert.equal(readFileSync(join(places.live, 'which'), 'utf8'), 'old');
  assert.equal(existsSync(places.staging), false);
});

test('a switch that had moved is finished: the new site, and the old one kept', async () => {
  using places = openPlaces();
  for (const move of places.journal.switch?.moves ?? []) makeMove(move);
  const lines: string[] = [];
  const late = { ...places.journal, late: 'unknown' } as const;
  const { state, journal } = await recoverTask(late, { ...places.tools, say: (line) => void lines.push(line) });
  assert.equal(state, 'succeeded');
  assert.match(lines.join('\n'), /between the safety point and the switch may be in no point/);
  assert.equal(journal.late, 'unknown');
  assert.equal(journal.phase, 'kept');
  assert.deepEqual(places.written, [journal]);
  assert.equal(readFileSync(join(places.live, 'which'), 'utf8'), 'new');
  assert.equal(readFileSync(join(places.staging, 'site/which'), 'utf8'), 'old');
});

test('where someone else has moved a part nothing is touched, and that is said', async () => {
  using places = openPlaces();
  rmSync(join(places.staging, 'site'), { recursive: true });
  await assert.rejects(recoverTask(places.journal, places.tools), { code: 'recovery-incomplete' });
  assert.equal(readFileSync(join(places.live, 'which'), 'utf8'), 'old');
  assert.equal(existsSync(places.staging), true);
});

test('a server that does not answer leaves the journal for the next command', async () => {
  using places = openPlaces();
  const database = { server: { socket: '/nonexistent' }, name: `salvor_${TASK}_new`, user: `salvor_${TASK}_new` };
  const journal: Journal = { ...places.journal, phase: 'started', switch: null, scratchDatabases: [database] };
  const tools: RecoveryTools = {
    ...places.tools,
    administratorOf: (server) => Promise.resolve({ address: server, user: 'root', password: '' }),
  };
  await assert.rejects(recoverTask(journal, tools), { code: 'recovery-incomplete' });
});

test('a journal that names a database of someone else drops nothing', async () => {
  using places = openPlaces();
  const database = { server: { socket: '/nonexistent' }, name: 'customers', user: 'customers' };
  const journal: Journal = { ...places.journal, phase: 'started', switch: null, scratchDatabases: [database] };
  await assert.rejects(recoverTask(journal, places.tools), /not a database of task/);
});

test('a switch that was taken back is gone on with where its databases could not be dropped at once', async () => {
  using places = openPlaces();
  const away = new SalvorError('database-unreachable', { server: 'x', words: 'the disk is full' });
  const address = { socket: '/nonexistent' };
  const scratch = { server: address, name: `salvor_${TASK}_new`, user: `salvor_${TASK}_new` };
  const journal = { ...places.journal, scratchDatabases: [scratch] };
  const tools = { ...places.tools, administratorOf: () => Promise.reject(away) };
  await assert.rejects(recoverTask(journal, tools), { code: 'recovery-incomplete' });
  assert.equal(existsSync(places.staging), false);
  const [written] = places.written;
  assert.equal(written?.phase, 'started');
  // The server is back: nothing is looked for at places that are not there any more.
  const again = await recoverTask({ ...written, scratchDatabases: [] }, places.tools);
  assert.equal(again.state, 'rolled-back');
  assert.equal(readFileSync(join(places.live, 'which'), 'utf8'), 'old');
});
