import assert from 'node:assert/strict';
import { createCipheriv, createMac, randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { MasterKey, SEAL_OVERHEAD_BYTES } from './master-key.ts';

const hex = (text: string): Buffer => Buffer.from(text, 'hex');

describe('MasterKey', () => {
  it('opens what another implementation sealed', () => {
    const key = new MasterKey({
      encrypt: hex('303e8687b1d7db18421bdc6bb8588ccadac4d59ee87b8ff70c44e635790cafef'),
      k: hex('ef4d8824cb80b2bcc5fbff8a9b12a42c'),
      r: hex('cc8d4b948ee0ebfe1d415de921d10353'),
    });
    const sealed = hex(
      '69fb41c62d12def4593bd71757138606338f621aeaeb39da0fe4f99233f8037a54ea63338a813bcf3f75d8c3cc75dddf8750',
    );
    assert.equal(key.open(sealed)?.toString(), 'Dies ist ein Test!');
  });

  it('computes the tags of the Poly1305-AES paper', () => {
    const vectors = [
      [
        'f3f6',
        '851fc40c3467ac0be05cc20404f3f700',
        'ec074c835580741701425b623235add6',
        'fb447350c4e868c52ac3275cf9d4327e',
        'f4c633c3044fc145f84f335cb81953de',
      ],
      [
        '',
        'a0f3080000f46400d0c7e9076c834403',
        '75deaa25c09f208e1dc4ce6b5cad3fbf',
        '61ee09218d29b0aaed7e154a2c5509cc',
        'dd3fab2251f11ac759f0887129cc2ee7',
      ],
    ] as const;
    for (const [message, r, k, nonce, tag] of vectors) {
      const s = createCipheriv('aes-128-ecb', hex(k), null).setAutoPadding(false).update(hex(nonce));
      assert.equal(
        createMac('poly1305', Buffer.concat([hex(r), s]))
          .update(hex(message))
          .final()
          .toString('hex'),
        tag,
      );
    }
  });

  it('opens what it sealed, and nothing of which any bit was changed', () => {
    const key = MasterKey.generate();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(), fc.integer({ min: 0, max: 7 }), (plain, at, bit) => {
        const sealed = key.seal(plain);
        assert.equal(sealed.length, plain.length + SEAL_OVERHEAD_BYTES);
        assert.deepEqual(key.open(sealed), Buffer.from(plain));
        const place = at % sealed.length;
        sealed[place] = (sealed[place] ?? 0) ^ (1 << bit);
        assert.equal(key.open(sealed), null);
        assert.equal(key.open(sealed.subarray(0, place)), null);
      }),
    );
  });

  it('seals what is longer than a piece as a whole, and tells whether that holds a plaintext', () => {
    const key = MasterKey.generate();
    for (const length of [0, 1, 131_071, 131_072, 131_073, 400_000]) {
      const plain = randomBytes(length);
      const sealed = key.seal(plain);
      assert.ok(key.open(sealed)?.equals(plain) === true && key.holds(sealed, plain));
      if (length === 0) continue;
      for (const changed of [plain, sealed]) {
        const at = changed.length - 1;
        changed[at] = (changed[at] ?? 0) ^ 1;
        assert.ok(!key.holds(sealed, plain));
        changed[at] = (changed[at] ?? 0) ^ 1;
      }
      assert.ok(key.holds(sealed, plain) && !key.holds(sealed, plain.subarray(1)));
    }
  });

  it('tells what a blob holds whose blocks are counted past the end of a word, and of the counter', () => {
    const parts = { encrypt: randomBytes(32), k: randomBytes(16), r: randomBytes(16) };
    const key = new MasterKey(parts);
    const plain = randomBytes(300_000);
    for (const counted of ['00000001fffffffffffffffffffff000', 'ffffffffffffffffffffffffffffff00']) {
      const nonce = hex(counted);
      const text = createCipheriv('aes-256-ctr', parts.encrypt, nonce).update(plain);
      const s = createCipheriv('aes-128-ecb', parts.k, null).setAutoPadding(false).update(nonce);
      const tag = createMac('poly1305', Buffer.concat([parts.r, s]))
        .update(text)
        .final();
      assert.ok(key.holds(Buffer.concat([nonce, text, tag]), plain));
    }
  });

  it('never seals twice with one nonce', () => {
    const key = MasterKey.generate();
    const nonces = new Set(Array.from({ length: 5000 }, () => key.seal(new Uint8Array(1)).toString('hex', 0, 16)));
    assert.equal(nonces.size, 5000);
  });

  it('opens nothing of another key, nor a zero nonce', () => {
    const sealed = MasterKey.generate().seal(randomBytes(100));
    const key = MasterKey.generate();
    assert.equal(key.open(sealed), null);
    const own = key.seal(randomBytes(10));
    own.fill(0, 0, 16);
    assert.equal(key.open(own), null);
    assert.throws(
      () => new MasterKey({ encrypt: new Uint8Array(32), k: randomBytes(16), r: randomBytes(16) }),
      RangeError,
    );
  });
});
