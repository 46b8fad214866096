import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { JsonCursor } from './json-cursor.ts';

/** The text in pieces of the given sizes, in one buffer that is written over, as a decompressor does it. */
function* inPieces(text: string, sizes: readonly number[]): Generator<Uint8Array> {
  const bytes = Buffer.from(text);
  const shared = Buffer.alloc(Math.max(1, ...sizes));
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const count = bytes.copy(shared, 0, at, at + (sizes[turn % sizes.length] ?? 1));
    yield shared.subarray(0, count);
    shared.fill(0x21, count);
    at += count;
  }
}

describe('a cursor over JSON that comes in pieces', () => {
  it('gives each item as it is written, wherever the pieces end', () => {
    fc.assert(
      fc.property(
        fc.array(fc.jsonValue()),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
        fc.boolean(),
        (array, sizes, isSpaced) => {
          const text = isSpaced ? ` ${JSON.stringify(array, null, 3)}\n` : JSON.stringify(array);
          const cursor = new JsonCursor(inPieces(text, sizes));
          const items = Array.from(cursor.items(), (item) => JSON.parse(item.toString()) as unknown);
          assert.deepEqual(items, JSON.parse(text));
          assert.ok(cursor.isAtEnd);
        },
      ),
    );
  });

  it('refuses what is cut off, and what has something else in the place of a list, a value or a comma', () => {
    const read = (text: string): number => [...new JsonCursor(inPieces(text, [3])).items()].length;
    assert.equal(read('[1,"]",{"a":[]}]'), 3);
    for (const text of ['', '{', '[', '[1', '["a', '[{"a":1', '[1 2]', '[,]', '[1,]', '["\\"]']) {
      assert.throws(() => read(text), RangeError, text);
    }
  });
});
