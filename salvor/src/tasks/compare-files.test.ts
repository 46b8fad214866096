import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasSameBytes } from './compare-files.ts';

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
