import assert from 'node:assert/strict';
import { statfsSync } from 'node:fs';
import { test } from 'node:test';
import { findSpaceProblems } from './space.ts';

test('what is built on one disk is added up, and has to fit twice', () => {
  const { bavail, bsize } = statfsSync('/tmp');
  const third = Math.floor((bavail * bsize) / 3);
  const need = (path: string): { path: string; bytes: number; files: number } => ({ path, bytes: third, files: 1 });
  assert.deepEqual(findSpaceProblems([need('/tmp/not/there/yet')]), []);
  const problems = findSpaceProblems([need('/tmp/not/there/yet'), need('/tmp')]);
  assert.deepEqual(
    problems.map(({ code, path }) => [code, path]),
    [['space-missing', '/tmp']],
  );
  assert.match(problems[0]?.message ?? '', new RegExp(`needs ${third * 4} bytes`));
});

test('a disk that has no room for so many files is named', () => {
  const { files } = statfsSync('/tmp');
  if (files === 0) return assert.deepEqual(findSpaceProblems([{ path: '/tmp', bytes: 0, files: 1e12 }]), []);
  const problems = findSpaceProblems([{ path: '/tmp', bytes: 0, files }]);
  assert.match(problems[0]?.message ?? '', /more files/);
});
