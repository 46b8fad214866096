import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { keepRows } from './keep-rows.ts';

const place = mkdtempSync(join(tmpdir(), 'salvor-results-'));
after(() => rmSync(place, { recursive: true, force: true }));

describe('kept results', () => {
  it('have each row once, as it was measured last, in the order in which they came', () => {
    const file = join(place, 'results.json');
    const row = (name: string, ours: number): { row: string; ours: number } => ({ row: name, ours });
    keepRows(file, [row('first', 1), row('second', 2)]);
    keepRows(file, [row('third', 3), row('first', 4)]);
    assert.deepEqual(JSON.parse(readFileSync(file, 'utf8')), [row('first', 4), row('second', 2), row('third', 3)]);
  });
});
