import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { BlobNumbers } from './blob-numbers.ts';

const idOf = (n: number): string => createHash('sha256').update(String(n)).digest('hex');

describe('BlobNumbers', () => {
  it('numbers 30,000 blobs in the order of their coming, tells types apart, and finds nothing else', () => {
    const blobs = new BlobNumbers();
    for (let n = 0; n < 30_000; n++) assert.equal(blobs.add(n % 2 === 0 ? 'data' : 'tree', idOf(n)), true);
    assert.equal(blobs.add('data', idOf(0)), false);
    assert.equal(blobs.size, 30_000);
    for (let n = 0; n < 30_000; n += 11) {
      const type = n % 2 === 0 ? 'data' : 'tree';
      assert.equal(blobs.find(type, idOf(n)), n);
      assert.equal(blobs.find(type === 'data' ? 'tree' : 'data', idOf(n)), -1);
      assert.deepEqual(blobs.at(n), { type, id: idOf(n) });
    }
    assert.equal(blobs.find('data', idOf(40_000)), -1);
  });
});
