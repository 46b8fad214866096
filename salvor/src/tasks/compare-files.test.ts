import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { hasPieces, hasSameBytes } from './compare-files.ts';

async function* pieces(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

test('streams are the same whatever pieces they come in, and differ where one byte or the length does', async () => {
  assert.equal(await hasSameBytes(pieces('abc', 'def'), pieces('a', '', 'bcde', 'f')), true);
  assert.equal(await hasSameBytes(pieces(), pieces('', '')), true);
  assert.equal(await hasSameBytes(pieces('abc'), pieces('abd')), false);
  assert.equal(await hasSameBytes(pieces('abc'), pieces('abc', 'd')), false);
  assert.equal(await hasSameBytes(pieces('abc', 'd'), pieces('abc')), false);
});

test('a file is one of given pieces where each has its hash and nothing is missing or left', async () => {
  const cut = (...texts: readonly string[]): { id: string; bytes: number }[] =>
    texts.map((text) => ({ id: createHash('sha256').update(text).digest('hex'), bytes: text.length }));
  assert.equal(await hasPieces(cut('abc', 'de'), pieces('a', '', 'bcd', 'e')), true);
  assert.equal(await hasPieces(cut(), pieces()), true);
  for (const other of ['abcd', 'abcdef', 'abcdx', 'xbcde', ''])
    assert.equal(await hasPieces(cut('abc', 'de'), pieces(other)), false, other);
});

test('a stream that differs is left, so that its file is closed', async () => {
  let isLeft = false;
  async function* endless(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) yield Buffer.from('x');
    } finally {
      isLeft = true;
    }
  }
  assert.equal(await hasSameBytes(endless(), pieces('xy')), false);
  assert.equal(isLeft, true);
});
