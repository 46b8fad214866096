import assert from 'node:assert/strict';
import { it } from 'node:test';
import { unserialisePhp } from './php-unserialise.ts';

const read = (text: string): unknown => unserialisePhp(Buffer.from(text));

it('values that PHP serialised are read as data', () => {
  assert.deepEqual(['N;', 'b:1;', 'i:-3;', 'd:0.5;', 's:3:"ü!";'].map(read), [null, true, -3, 0.5, 'ü!']);
  assert.deepEqual(
    read('a:2:{s:1:"a";a:1:{i:0;s:0:"";}i:7;i:8;}'),
    new Map<string, unknown>([
      ['a', new Map([['0', '']])],
      ['7', 8],
    ]),
  );
});

it('what is cut off, follows, nests too deep or is an object is refused', () => {
  const deep = 'a:1:{i:0;'.repeat(60) + 'N;' + '}'.repeat(60);
  for (const text of ['', 's:9:"abc";', 'i:1;i:2;', 'a:2:{i:0;N;}', 'O:3:"Foo":0:{}', 'a:1:{a:0:{}N;}', deep])
    assert.equal(read(text), undefined, text.slice(0, 20));
});
