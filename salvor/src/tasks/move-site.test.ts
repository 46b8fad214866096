import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { invertMove, makeMove, planMove, surveyMove } from './move-site.ts';

function makePlaces(): { home: string; live: string; staging: string; staged: string; [Symbol.dispose]: () => void } {
  const top = mkdtempSync(join(tmpdir(), 'salvor-move-'));
  const places = {
    home: join(top, 'home'),
    live: join(top, 'home/sites/x'),
    staging: join(top, 'staging'),
    staged: join(top, 'staging/site'),
  };
  mkdirSync(places.live, { recursive: true });
  mkdirSync(places.staged, { recursive: true });
  writeFileSync(join(places.live, 'which'), 'old');
  writeFileSync(join(places.staged, 'which'), 'new');
  return { ...places, [Symbol.dispose]: () => rmSync(top, { recursive: true }) };
}

const read = (directory: string): string => readFileSync(join(directory, 'which'), 'utf8');

test('two directories change places, the survey tells before from after, and the inverse takes it back', () => {
  using places = makePlaces();
  const move = planMove(places);
  assert.equal(surveyMove(move), 'before');
  makeMove(move);
  assert.equal(read(places.live), 'new');
  assert.equal(read(places.staged), 'old');
  assert.equal(surveyMove(move), 'after');
  assert.equal(surveyMove(invertMove(move)), 'before');
  makeMove(invertMove(move));
  assert.equal(read(places.live), 'old');
});

test('a site that is gone gets its directory, and taking it back leaves the place empty', () => {
  using places = makePlaces();
  rmSync(places.live, { recursive: true });
  const move = planMove(places);
  makeMove(move);
  assert.equal(read(places.live), 'new');
  assert.equal(surveyMove(move), 'after');
  makeMove(invertMove(move));
  assert.equal(existsSync(places.live), false);
  assert.equal(read(places.staged), 'new');
  assert.equal(surveyMove(move), 'before');
});

test('a link that the tenant put above the site is not followed', () => {
  using places = makePlaces();
  const elsewhere = join(places.home, 'elsewhere');
  renameSync(join(places.home, 'sites'), elsewhere);
  symlinkSync(elsewhere, join(places.home, 'sites'));
  assert.throws(() => planMove(places), { code: 'path-leads-out' });
});

test('a move that someone else interfered with is neither before nor after', () => {
  using places = makePlaces();
  const move = planMove(places);
  rmSync(places.staged, { recursive: true });
  assert.equal(surveyMove(move), 'lost');
});
