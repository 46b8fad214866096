import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MAX_PACK_BLOBS, MAX_PACK_HEADER_BYTES } from '../limits.ts';
import { decodePackHeader } from '../format/pack-header.ts';
import { MasterKey } from '../seal/master-key.ts';
import { PackBuilder } from './pack-builder.ts';

describe('a pack of very many tiny blobs', () => {
  it('is full before its header is larger than restic reads, also where two that are not full are put together', () => {
    const key = MasterKey.generate();
    const [one, other] = [new PackBuilder('data'), new PackBuilder('data')];
    const id = 'ab'.repeat(32);
    for (const builder of [one, other]) {
      while (!builder.isFull) builder.append(key, id, Buffer.from('tiny'), 4, 0);
      assert.equal(builder.entries.length, MAX_PACK_BLOBS);
    }
    one.appendSealed(other.payload(), other.entries.slice(1));
    const { bytes } = one.finish(key);
    const length = bytes.readUInt32LE(bytes.length - 4);
    assert.ok(length <= MAX_PACK_HEADER_BYTES, `${length} bytes`);
    const header = key.open(bytes.subarray(bytes.length - 4 - length, bytes.length - 4));
    assert.equal(decodePackHeader(header ?? Buffer.alloc(0)).length, 2 * MAX_PACK_BLOBS - 1);
  });
});
