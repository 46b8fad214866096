import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { joinObject, splitObject } from './json-members.ts';

describe('members of JSON as written', () => {
  it('come out byte for byte and go together to the same text', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (object) => {
        const text = JSON.stringify(object);
        assert.equal(joinObject(splitObject(text)), text);
      }),
    );
  });

  it('keep escapes, large numbers and members that nobody knows', () => {
    const text = '{"name":"\\u003c}],{\\"","inode":18446744073709551615,"new":{"a":[1,{"b":"]"}]},"content":null}';
    assert.deepEqual(splitObject(text), [
      { name: 'name', raw: '"\\u003c}],{\\""' },
      { name: 'inode', raw: '18446744073709551615' },
      { name: 'new', raw: '{"a":[1,{"b":"]"}]}' },
      { name: 'content', raw: 'null' },
    ]);
    assert.equal(joinObject(splitObject(text)), text);
    assert.deepEqual(splitObject(' { } '), []);
  });

  it('are refused where the text is no object', () => {
    for (const text of ['', '[]', '{"a"', '{"a}', '{"a"}']) assert.throws(() => splitObject(text), RangeError, text);
  });
});
