import assert from 'node:assert/strict';
import {
  appendFileSync,
  chmodSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimes, setXattr } from '@salvor/engine/libc';
import { describeTree, requireEqual } from './describe-tree.ts';

const { signal } = new AbortController();
const TIME = 1_700_000_000_123_456_789n;

const DIFFERENCES: Readonly<Record<string, (tree: string) => void>> = {
  'one byte of content': (tree) => writeFileSync(join(tree, 'page.php'), '<?php exho 1;'),
  'an owner': (tree) => lchownSync(join(tree, 'page.php'), 0, 33),
  'the owner of a link': (tree) => lchownSync(join(tree, 'link'), 33, 33),
  'a set-group bit': (tree) => chmodSync(join(tree, 'files'), 0o755),
  'one nanosecond': (tree) => setTimes(join(tree, 'page.php'), TIME, TIME + 1n),
  'the time of a directory': (tree) => setTimes(join(tree, 'files'), TIME, TIME + 1n),
  'an extended attribute': (tree) => setXattr(join(tree, 'page.php'), 'user.note', Buffer.from('other')),
  "a link's target": (tree) => {
    unlinkSync(join(tree, 'link'));
    symlinkSync('page2.php', join(tree, 'link'));
  },
  'a file that is missing': (tree) => unlinkSync(join(tree, 'page.php')),
  'a file too much': (tree) => appendFileSync(join(tree, 'files', 'more'), ''),
};

test('two trees that were made alike have no difference', async () => {
  using twins = makeTwins();
  requireEqual((await describeTree(twins.one, signal)).lines, (await describeTree(twins.other, signal)).lines, 'twins');
});

for (const [difference, apply] of Object.entries(DIFFERENCES)) {
  test(`a restore that differs from its source in ${difference} is refused`, async () => {
    using twins = makeTwins();
    apply(twins.other);
    // Else the change of a directory's time would be what is seen.
    if (!difference.includes('directory')) setTimes(twins.other, TIME, TIME);
    const [one, other] = [await describeTree(twins.one, signal), await describeTree(twins.other, signal)];
    assert.throws(() => requireEqual(one.lines, other.lines, 'twins'), /twins: \d differences/);
  });
}

function makeTwins(): Disposable & { readonly one: string; readonly other: string } {
  const above = mkdtempSync(join(tmpdir(), 'salvor-twins-'));
  const [one, other] = ['one', 'other'].map((name) => makeTree(join(above, name))) as [string, string];
  return { one, other, [Symbol.dispose]: () => rmSync(above, { recursive: true }) };
}

function makeTree(tree: string): string {
  mkdirSync(join(tree, 'files'), { recursive: true });
  writeFileSync(join(tree, 'page.php'), '<?php echo 1;');
  symlinkSync('page.php', join(tree, 'link'));
  lchownSync(join(tree, 'page.php'), 1001, 33);
  chmodSync(join(tree, 'files'), 0o2755);
  setXattr(join(tree, 'page.php'), 'user.note', Buffer.from('a note'));
  for (const name of ['page.php', 'link', 'files', '.']) setTimes(join(tree, name), TIME, TIME);
  return tree;
}
