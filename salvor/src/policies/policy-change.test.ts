import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_LEVELS } from './policy-levels.ts';
import { tellPolicyChange } from './policy-change.ts';

const DAY_MS = 86_400_000;

test('a changed policy is told by setting, once, and what is kept no longer with how to see what goes', () => {
  const before = { ...NO_LEVELS, accounts: { o1: { keepFilesMs: 3 * DAY_MS }, o2: { workers: 1 } } };
  const after = { ...before, host: { workers: 4, keepDatabasesMs: DAY_MS }, accounts: { o1: {}, o2: { workers: 1 } } };
  assert.deepEqual(tellPolicyChange(before, after), [
    'policy of the host: keep.databases is 1d, was 14d; what the next night lets go of: salvor policy simulate ACCOUNT',
    'policy of the host: limits.workers is 4, was 2',
    'policy of account o1: keep.files is 7d, was 3d',
  ]);
  assert.deepEqual(tellPolicyChange(after, after), []);
});
