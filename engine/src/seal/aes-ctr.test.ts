import assert from 'node:assert/strict';
import { createCipheriv, randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { AesCtr } from './aes-ctr.ts';

describe('AesCtr', () => {
  for (const isNative of [true, false]) {
    const way = isNative ? "OpenSSL's own calls" : "Node's cipher";
    it(`gives through ${way} what NIST's vector says (SP 800-38A, F.5.5)`, () => {
      const key = Buffer.from('603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4', 'hex');
      const counter = Buffer.from('f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff', 'hex');
      const plain = Buffer.from('6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51', 'hex');
      const out = Buffer.alloc(32);
      const cipher = new AesCtr(key, { isNative });
      assert.equal(cipher.isNative, isNative, 'the Node of this project shows the calls');
      cipher.run(counter, plain, out);
      assert.equal(out.toString('hex'), '601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5');
    });

    it(`writes through ${way} what Node's cipher gives, and nothing beside it`, () => {
      const key = randomBytes(32);
      const cipher = new AesCtr(key, { isNative });
      for (const length of [0, 1, 15, 16, 65_535, 65_537, 1_000_003]) {
        const [nonce, plain, out] = [randomBytes(16), randomBytes(length), Buffer.alloc(length + 7, 0xaa)];
        cipher.run(nonce, plain, out.subarray(3, length + 3));
        const expected = createCipheriv('aes-256-ctr', key, nonce).update(plain);
        assert.ok(out.subarray(3, length + 3).equals(expected), `length ${length}`);
        assert.equal(Buffer.concat([out.subarray(0, 3), out.subarray(length + 3)]).toString('hex'), 'aa'.repeat(7));
      }
    });
  }

  it('refuses buffers of other lengths, which a pointer would write past', () => {
    const cipher = new AesCtr(randomBytes(32));
    assert.throws(() => cipher.run(randomBytes(15), Buffer.alloc(4), Buffer.alloc(4)), RangeError);
    assert.throws(() => cipher.run(randomBytes(16), Buffer.alloc(4), Buffer.alloc(3)), RangeError);
    assert.throws(() => new AesCtr(randomBytes(16)), RangeError);
  });
});
