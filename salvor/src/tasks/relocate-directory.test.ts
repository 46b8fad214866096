import assert from 'node:assert/strict';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { invertMove, isMoveKept, makeMove, surveyMove } from './move-site.ts';
import { judgeKept } from './plan-undo.ts';
import { type RelocateMove, planRelocation } from './relocate-directory.ts';

type Places = Disposable & {
  readonly move: RelocateMove;
  readonly from: string;
  readonly to: string;
  readonly staged: string;
  readonly other: string;
};

function makePlaces(): Places {
  const top = mkdtempSync(join(tmpdir(), 'salvor-relocate-'));
  const [home, staging] = [join(top, 'home'), join(top, 'staging')];
  const [from, to] = [join(home, 'one/sites/old'), join(home, 'two/sites/new')];
  for (const path of [join(from, 'files'), join(home, 'two/sites'), staging]) mkdirSync(path, { recursive: true });
  writeFileSync(join(from, 'settings.php'), 'old');
  writeFileSync(join(from, 'files/link'), 'old');
  utimesSync(from, 1, 1);
  const within = ['settings.php', 'files/link'].map((path, index) => {
    const staged = join(staging, `settings-${index}`);
    writeFileSync(staged, 'new');
    return { path, staged };
  });
  const move = planRelocation({ home, live: from, to, staging, staged: join(staging, 'unused') }, within);
  return {
    move,
    from,
    to,
    staged: join(staging, 'settings-0'),
    other: join(staging, 'settings-1'),
    [Symbol.dispose]: () => rmSync(top, { recursive: true }),
  };
}

const said = (directory: string): string[] =>
  ['settings.php', 'files/link'].map((name) => readFileSync(join(directory, name), 'utf8'));

function exchange(one: string, other: string): void {
  renameSync(one, `${one}.aside`);
  renameSync(other, one);
  renameSync(`${one}.aside`, other);
}

test('a directory moves with the files in it that change, keeps its time, and goes back as it was', () => {
  using places = makePlaces();
  const { move, from, to } = places;
  const inode = lstatSync(from).ino;
  assert.equal(surveyMove(move), 'before');
  makeMove(move);
  assert.deepEqual(
    [existsSync(from), lstatSync(to).ino, lstatSync(to).mtimeMs, said(to)],
    [false, inode, 1000, ['new', 'new']],
  );
  assert.deepEqual([surveyMove(move), isMoveKept(move)], ['after', true]);
  writeFileSync(join(to, 'files/uploaded'), 'since');
  const back = invertMove(move);
  assert.equal(surveyMove(back), 'before');
  makeMove(back);
  assert.deepEqual([existsSync(to), lstatSync(from).ino, said(from)], [false, inode, ['old', 'old']]);
  assert.equal(readFileSync(join(from, 'files/uploaded'), 'utf8'), 'since');
});

test('from every half of it the move is finished, and taken back', () => {
  for (const isFinished of [true, false])
    for (const half of ['one file', 'all files', 'only renamed']) {
      using places = makePlaces();
      const { move, from, to, staged } = places;
      if (half === 'only renamed') renameSync(from, to);
      else exchange(join(from, 'settings.php'), staged);
      if (half === 'all files') exchange(join(from, 'files/link'), places.other);
      assert.equal(surveyMove(move), 'between', half);
      makeMove(isFinished ? move : invertMove(move));
      assert.equal(surveyMove(move), isFinished ? 'after' : 'before', half);
      assert.deepEqual(said(isFinished ? to : from), isFinished ? ['new', 'new'] : ['old', 'old'], half);
    }
});

test('what keeps it from going back is named by the place where it is: a file that is gone, the old place that is taken', () => {
  using places = makePlaces();
  const { move, from, to } = places;
  makeMove(move);
  const why = (): readonly string[] => judgeKept({ moves: [move], tables: [] });
  assert.deepEqual(why(), []);
  mkdirSync(from);
  assert.match(why().join(), new RegExp(`^there is something at ${from} again`));
  rmSync(join(to, 'files/link'));
  assert.match(why().join(), new RegExp(`^${to}/files/link is not where`));
  renameSync(to, `${to}.away`);
  assert.match(why().join(), new RegExp(`^${to} is not where`));
});

test('what somebody has put in the new place stays there, and a directory that is gone is lost', () => {
  using places = makePlaces();
  const { move, from, to } = places;
  mkdirSync(to);
  writeFileSync(join(to, 'theirs'), '');
  assert.throws(() => makeMove(move), { code: 'EEXIST' });
  assert.ok(existsSync(join(to, 'theirs')));
  makeMove(invertMove(move));
  assert.deepEqual(said(from), ['old', 'old']);
  rmSync(from, { recursive: true });
  assert.equal(surveyMove(move), 'lost');
});
