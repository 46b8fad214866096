import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '..');

test('docs/aegir-complaints.md names for each complaint a test that is there', () => {
  const tests = globSync('{engine,salvor}/{src,test}/**/*.test.ts', { cwd: root }).map((path) =>
    readFileSync(join(root, path), 'utf8'),
  );
  const document = readFileSync(join(root, 'docs/aegir-complaints.md'), 'utf8');
  const rows = document.split('\n').filter((line) => line.startsWith('| ') && !/^\| (?:complaint |-)/.test(line));
  assert.ok(rows.length > 30);
  for (const row of rows) {
    const title = /\| `([^`|]+)`\s*\|$/.exec(row)?.[1];
    assert.ok(title !== undefined, row);
    assert.ok(
      tests.some((text) => text.includes(title)),
      title,
    );
  }
});
