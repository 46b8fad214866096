import assert from 'node:assert/strict';
import { lstatSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pairTrees, walkDisk } from './pair-trees.ts';
import { findChangedPhp, refreshTimes } from './refresh-php.ts';

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

test('names that are not UTF-8 pair by their bytes, also where they show alike', async () => {
  const top = mkdtempSync(join(tmpdir(), 'salvor-pair-'));
  const write = (side: string, name: string): void => {
    mkdirSync(join(top, side), { recursive: true });
    writeFileSync(Buffer.concat([Buffer.from(join(top, side, '/')), Buffer.from(name, 'latin1')]), name);
  };
  try {
    // The first two show alike.
    for (const name of ['a\xe8', 'a\xe9', 'a\xc3\xa9']) write('left', name);
    for (const name of ['a\xe9', 'a\xc3\xa9', 'a\xff']) write('right', name);
    const seen: string[] = [];
    for await (const { key, left, right } of pairTrees(walkDisk(join(top, 'left')), walkDisk(join(top, 'right'))))
      seen.push(`${left === null ? '-' : 'l'}${right === null ? '-' : 'r'} ${key}`);
    assert.deepEqual(seen, ['lr ', 'lr a\xc3\xa9', 'l- a\xe8', 'lr a\xe9', '-r a\xff']);
    const changed = await findChangedPhp(join(top, 'left'), join(top, 'right'));
    assert.deepEqual(changed, []);
    write('left', 'b\xe9.php');
    write('right', 'b\xe9.php');
    writeFileSync(Buffer.from(`${join(top, 'right/b')}\xe9.php`, 'latin1'), 'another');
    const paths = await findChangedPhp(join(top, 'left'), join(top, 'right'));
    assert.deepEqual(paths, ['b\xe9.php']);
    refreshTimes({ staging: top, staged: join(top, 'right'), paths, shown: paths }, new Date('2026-05-06T07:08:09Z'));
    const { mtimeMs } = lstatSync(Buffer.from(`${join(top, 'right/b')}\xe9.php`, 'latin1'));
    assert.equal(mtimeMs, Date.parse('2026-05-06T07:08:09Z'));
  } finally {
    rmSync(top, { recursive: true });
  }
});

test('a tree that is not there pairs as nothing', async () => {
  const seen: string[] = [];
  for await (const pair of pairTrees(walkDisk('/nonexistent/a'), walkDisk('/nonexistent/b'))) seen.push(pair.path);
  assert.deepEqual(seen, []);
});
