import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Problem } from '@salvor/contract';
import { makePaint } from './paint.ts';
import { renderProgress } from './progress-line.ts';
import { counted, escapeControl, readableBytes, readableSeconds, readableTime } from './readable.ts';
import { permissions } from './render-entries.ts';
import { renderProblems } from './render-problems.ts';
import { renderTable, widthOf } from './table.ts';

describe('readable', () => {
  test('sizes have at most three figures before the unit changes', () => {
    const sizes = [0, 1023, 1024, 1536, 102_400, 1024 * 1024 - 1, 5 * 1024 ** 3];
    assert.deepEqual(sizes.map(readableBytes), [
      '0 B',
      '1023 B',
      '1.0 KiB',
      '1.5 KiB',
      '100 KiB',
      '1.0 MiB',
      '5.0 GiB',
    ]);
  });

  test('times are in the local zone', () => {
    assert.equal(readableTime(new Date(2026, 10, 3, 4, 5, 6)), '2026-11-03 04:05:06');
  });

  test('spans and counts read as they are said', () => {
    assert.deepEqual([0.2, 59.6, 200, 3600, 7500].map(readableSeconds), [
      '1 s',
      '1 min',
      '3 min 20 s',
      '1 h',
      '2 h 5 min',
    ]);
    assert.deepEqual([counted(1, 'file'), counted(2000, 'file')], ['1 file', '2,000 files']);
  });

  test('names can not move the cursor, colour the screen or turn the text around', () => {
    assert.equal(escapeControl('a\u001b[2Jb\n\u009b\u202ec\u200d'), 'a\\x1b[2Jb\\n\\x9b\\u{202e}c\\u{200d}');
    assert.equal(escapeControl('\ud800'), '\\u{d800}');
    assert.equal(escapeControl('Ünïcode 文字 🎈'), 'Ünïcode 文字 🎈');
  });

  test('permissions show setuid, setgid and sticky bits', () => {
    assert.deepEqual(['0644', '2750', '4711', '1777', '6000'].map(permissions), [
      'rw-r--r--',
      'rwxr-s---',
      'rws--x--x',
      'rwxrwxrwt',
      '--S--S---',
    ]);
  });
});

describe('a table', () => {
  test('is aligned by what a terminal shows, and leaves out empty columns', () => {
    const text = renderTable(
      [
        ['文字', '', '1'],
        ['abc', '', '200'],
      ],
      [
        { title: 'A', value: ([a]) => a ?? '' },
        { title: 'NONE', value: ([, b]) => b ?? '' },
        { title: 'N', value: ([, , c]) => c ?? '', align: 'right' },
      ],
      makePaint(false),
    );
    assert.equal(text, 'A       N\n文字    1\nabc   200');
  });
});

describe('a table of very many rows', () => {
  test('is as wide as its widest', () => {
    const rows = Array.from({ length: 200_000 }, (_, n) => (n === 150_000 ? 'widest' : 'row'));
    const columns = [{ title: 'A', value: (row: string) => row, align: 'right' as const }];
    const lines = renderTable(rows, columns, makePaint(false)).split('\n');
    assert.equal(lines.length, 200_001);
    assert.deepEqual(new Set(lines.map((line) => line.length)), new Set([6]));
  });
});

describe('progress', () => {
  const progress = { step: 'read files', files: 1204, bytes: 512 * 1024, filesTotal: 2000, bytesTotal: 1024 * 1024 };

  test('never is wider than the terminal, whatever the file is called', () => {
    for (let columns = 1; columns < 120; columns++) {
      const line = renderProgress({ ...progress, current: `/${'文字/'.repeat(40)}x\u001b[2J` }, 2000, columns);
      assert.ok(widthOf(line) <= columns, `${widthOf(line)} of ${columns}: ${line}`);
      assert.ok(!line.includes('\u001b'));
    }
  });

  test('says percent, files, bytes, rate and the end of the current path', () => {
    const line = renderProgress({ ...progress, current: '/a/b/c/style.css' }, 2000, 90);
    assert.equal(line, 'read files   50%  1,204 files  512 KiB of 1.0 MiB  256 KiB/s  /a/b/c/style.css');
  });

  test('has no percentage where the total is not known', () => {
    const line = renderProgress({ files: 3, bytes: 10, bytesTotal: null }, 0, 80);
    assert.equal(line, '3 files  10 B');
  });
});

describe('problems', () => {
  test('are named each, with what they are about', () => {
    assert.deepEqual(renderProblems([problem(1)], makePaint(false)), ['problem: /a1: EACCES (file-unreadable)']);
  });

  test('of which there are many end with how many more there are', () => {
    const lines = renderProblems(
      Array.from({ length: 60 }, (_, n) => problem(n)),
      makePaint(false),
    );
    assert.equal(lines.length, 51);
    assert.equal(lines.at(-1), '… and 10 more; --json lists all');
  });
});

function problem(n: number): Problem {
  return { code: 'file-unreadable', path: `/a${n}`, message: 'EACCES' };
}
