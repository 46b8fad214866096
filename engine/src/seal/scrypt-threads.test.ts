import assert from 'node:assert/strict';
import { pbkdf2Sync, scryptSync } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { laneMemory, mixLanes } from './scrypt-lanes.ts';
import { scryptInThreads } from './scrypt-threads.ts';
import { scryptModule } from './scrypt-wasm.ts';

const module = scryptModule();

function derive(password: string, salt: Uint8Array, { N, r, p }: { N: number; r: number; p: number }): Buffer {
  const blocks = pbkdf2Sync(password, salt, 1, 128 * r * p, 'sha256');
  mixLanes(module, laneMemory(N, r), blocks, { N, r });
  return pbkdf2Sync(password, blocks, 1, 64, 'sha256');
}

describe('scrypt', () => {
  it('gives what the vectors of RFC 7914 say', () => {
    assert.equal(
      derive('', Buffer.alloc(0), { N: 16, r: 1, p: 1 }).toString('hex'),
      '77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906',
    );
    assert.equal(
      derive('password', Buffer.from('NaCl'), { N: 1024, r: 8, p: 16 }).toString('hex'),
      'fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640',
    );
  });

  it('gives what Node gives, for any number of lanes and any size of theirs', () => {
    const shape = fc.record({
      N: fc.integer({ min: 1, max: 8 }).map((bits) => 2 ** bits),
      r: fc.integer({ min: 1, max: 10 }),
      p: fc.integer({ min: 1, max: 5 }),
    });
    fc.assert(
      fc.property(fc.string(), fc.uint8Array({ maxLength: 70 }), shape, (password, salt, cost) => {
        assert.deepEqual(derive(password, salt, cost), scryptSync(password, salt, 64, cost));
      }),
    );
  });

  it('is spread over threads where a password costs much, with the same result', async () => {
    const cost = { N: 32_768, r: 8, p: 5 };
    const before = process.memoryUsage.rss();
    const found = await scryptInThreads('a pässword', Buffer.from('salt'), 64, cost);
    const MiB = 1024 * 1024;
    assert.ok(process.memoryUsage.rss() < before + 64 * MiB, 'what it worked in is given back');
    if (availableParallelism() === 1) assert.equal(found, null);
    else assert.deepEqual(found, scryptSync('a pässword', 'salt', 64, { ...cost, maxmem: 2 ** 27 }));
  });

  it('is left to Node where threads gain nothing, or would take too much memory', async () => {
    for (const cost of [
      { N: 1024, r: 8, p: 1 },
      { N: 32_768, r: 8, p: 1 },
      { N: 2 ** 20, r: 8, p: 4 },
      { N: 40_000, r: 8, p: 8 },
    ])
      assert.equal(await scryptInThreads('password', Buffer.from('salt'), 64, cost), null, JSON.stringify(cost));
  });
});
