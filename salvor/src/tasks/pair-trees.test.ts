import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pairTrees, walkDisk } from './pair-trees.ts';

test('every path of two trees comes once, with the sides that have it', async () => {
  const top = mkdtempSync(join(tmpdir(), 'salvor-pair-'));
  try {
    // `a.b` sorts between `a` and what lies in it where one compares whole paths, and after it in a walk.
    for (const path of ['left/a/x', 'left/a.b', 'left/only', 'right/a/x', 'right/a/y', 'right/a.b', 'right/é']) {
      mkdirSync(join(top, path, '..'), { recursive: true });
      writeFileSync(join(top, path), path);
    }
    const seen: string[] = [];
    for await (const { path, left, right } of pairTrees(walkDisk(join(top, 'left')), walkDisk(join(top, 'right'))))
      seen.push(`${left === null ? '-' : 'l'}${right === null ? '-' : 'r'} ${path}`);
    assert.deepEqual(seen, ['lr ', 'lr a', 'lr a/x', '-r a/y', 'lr a.b', 'l- only', '-r é']);
  } finally {
    rmSync(top, { recursive: true });
  }
});

test('a tree that is not there pairs as nothing', async () => {
  const seen: string[] = [];
  for await (const pair of pairTrees(walkDisk('/nonexistent/a'), walkDisk('/nonexistent/b'))) seen.push(pair.path);
  assert.deepEqual(seen, []);
});
