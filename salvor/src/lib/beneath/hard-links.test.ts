import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { findUnprotectedLinks } from './hard-links.ts';

test('a kernel that lets tenants link to files of others is named, with what to set', () => {
  const top = mkdtempSync(join(tmpdir(), 'salvor-switch-'));
  try {
    const file = join(top, 'protected_hardlinks');
    assert.deepEqual(findUnprotectedLinks(file), []);
    writeFileSync(file, '1\n');
    assert.deepEqual(findUnprotectedLinks(file), []);
    writeFileSync(file, '0\n');
    const [problem] = findUnprotectedLinks(file);
    assert.equal(problem?.code, 'hard-links-unprotected');
    assert.match(problem?.message ?? '', /fs\.protected_hardlinks is 0.*set it to 1/);
  } finally {
    rmSync(top, { recursive: true });
  }
});
