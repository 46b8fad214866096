import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { expireThirdCopies } from './third-copy.ts';

const DAY_MS = 86_400_000;

describe('third copies', () => {
  it('of a week are seven days, today among them; the newest stays however old it is', () => {
    const directory = mkdtempSync(join(tmpdir(), 'salvor-third-'));
    try {
      const days = Array.from({ length: 14 }, (_, at) => `2026-03-${String(at + 1).padStart(2, '0')}`);
      for (const day of days) mkdirSync(join(directory, 'o1', day), { recursive: true });
      mkdirSync(join(directory, 'o1/by-hand'));
      const expire = (day: string): void => {
        assert.deepEqual(expireThirdCopies({ directory, account: 'o1' }, { day, keepMs: 7 * DAY_MS }).problems, []);
      };
      expire('2026-03-14');
      assert.deepEqual(readdirSync(join(directory, 'o1')).toSorted(), [...days.slice(7), 'by-hand']);
      const unlivedSince = (time: Date): number => (time < new Date('2026-03-12') ? 31 * DAY_MS : 0);
      expireThirdCopies({ directory, account: 'o1' }, { day: '2026-04-17', keepMs: 7 * DAY_MS, unlivedSince });
      const left = ['2026-03-11', '2026-03-14', 'by-hand'];
      assert.deepEqual(readdirSync(join(directory, 'o1')).toSorted(), left, 'a month was jumped over since the 11th');
      expire('2026-06-01');
      assert.deepEqual(readdirSync(join(directory, 'o1')).toSorted(), ['2026-03-14', 'by-hand']);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
