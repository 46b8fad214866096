import assert from 'node:assert/strict';
import { normalize } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { joinSafePath, parseSafePath, showSafePath, splitSafePath } from './safe-path.ts';

test('what leads out, is absolute, empty or no path is refused with its reason', () => {
  const unsafe = [
    '',
    '/',
    '/etc',
    '..',
    '../x',
    'a/../b',
    'a/..',
    './a',
    'a/.',
    '.',
    'a//b',
    'a/',
    'a\0b',
    'x'.repeat(256),
  ];
  for (const path of [...unsafe, 'a/'.repeat(2048) + 'a', '\ud800']) {
    assert.throws(() => parseSafePath(path), { code: 'path-unsafe' }, path);
    if (path.isWellFormed()) assert.throws(() => parseSafePath(Buffer.from(path)), { code: 'path-unsafe' }, path);
  }
});

test('names of every other kind pass as they are, in bytes too', () => {
  for (const path of ['a', '...', '..a', 'a/b', '-rf', 'a\nb', '~', 'ü/\u{1f600}', '\\..\\x', 'x'.repeat(255)]) {
    assert.equal(parseSafePath(path), path);
    assert.deepEqual(parseSafePath(Buffer.from(path)), Buffer.from(path));
  }
  const bytes = Buffer.from([0x61, 0x2f, 0xff]);
  assert.equal(showSafePath(parseSafePath(bytes)), 'a/\ufffd');
  assert.deepEqual(joinSafePath(parseSafePath('d'), bytes.subarray(2)), Buffer.from([0x64, 0x2f, 0xff]));
  assert.throws(() => joinSafePath(parseSafePath('d'), '../e'), { code: 'path-unsafe' });
  assert.throws(() => joinSafePath(parseSafePath('d'), '..'), { code: 'path-unsafe' });
});

test('whatever is taken for safe stays below its directory, and splits and joins to itself', () => {
  const part = fc.oneof(fc.constantFrom('..', '.', '', 'a', '...'), fc.string({ unit: 'binary', maxLength: 4 }));
  fc.assert(
    fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
      const path = parts.join('/');
      let safe;
      try {
        safe = parseSafePath(path);
      } catch {
        return;
      }
      assert.equal(normalize(`/root/${path}`), `/root/${path}`);
      const { directory, name } = splitSafePath(safe);
      assert.equal(directory === null ? name : joinSafePath(directory, name), path);
    }),
  );
});
