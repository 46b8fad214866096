import assert from 'node:assert/strict';
import { createCipheriv } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { MAX_CHUNK_BYTES, MIN_CHUNK_BYTES } from '../limits.ts';
import { Chunker } from './chunker.ts';
import { isIrreducible, modulo, parsePolynomial, randomPolynomial } from './polynomial.ts';

const POLYNOMIAL = parsePolynomial('3da3358b4dc173');

/** The definition, slowly: the 64 bytes before a position as a polynomial, modulo the repository's. */
function isCutBefore(data: Buffer, position: number): boolean {
  let value = 0n;
  for (let at = position - 64; at < position; at++) value = (value << 8n) | BigInt(data[at] ?? 0);
  return (modulo(value, POLYNOMIAL) & 0xfffffn) === 0n;
}

/** Bytes that look random and are the same each time. */
function noise(bytes: number, seed: number): Buffer {
  return createCipheriv('aes-128-ctr', Buffer.alloc(16, seed), Buffer.alloc(16)).update(Buffer.alloc(bytes));
}

function cutsOf(chunker: Chunker, data: Buffer, step: (at: number) => number): number[] {
  chunker.reset();
  const ends: number[] = [];
  let end = 0;
  for (let at = 0; ;) {
    const space = chunker.space();
    const count = Math.min(step(at), space.length, data.length - at);
    data.copy(space, 0, at, at + count);
    chunker.advance(count);
    at += count;
    for (let chunk = chunker.next(at === data.length); chunk !== null; chunk = chunker.next(at === data.length)) {
      assert.ok(chunk.equals(data.subarray(end, end + chunk.length)));
      end += chunk.length;
      ends.push(end);
    }
    if (at === data.length) return ends;
  }
}

describe('Chunker', () => {
  const chunker = new Chunker(POLYNOMIAL);

  it('cuts where the definition says, and nowhere else between the bounds', () => {
    const data = noise(12 * 1024 * 1024, 1);
    const ends = cutsOf(chunker, data, () => 1 << 20);
    assert.ok(ends.length >= 5);
    let start = 0;
    for (const end of ends.slice(0, -1)) {
      assert.ok(end - start >= MIN_CHUNK_BYTES && end - start <= MAX_CHUNK_BYTES);
      assert.ok(isCutBefore(data, end) || end - start === MAX_CHUNK_BYTES);
      for (let at = start + MIN_CHUNK_BYTES; at < end; at += 997) assert.ok(!isCutBefore(data, at), `no cut at ${at}`);
      start = end;
    }
  });

  it('cuts zeros at every 512 KiB and a repeated byte at every 8 MiB', () => {
    assert.deepEqual(
      cutsOf(chunker, Buffer.alloc(2 * 1024 * 1024 + 5), () => 1 << 20),
      [524_288, 1_048_576, 1_572_864, 2_097_152, 2_097_157],
    );
    assert.deepEqual(
      cutsOf(chunker, Buffer.alloc(17 * 1024 * 1024, 7), () => 1 << 20),
      [8_388_608, 16_777_216, 17_825_792],
    );
    assert.deepEqual(
      cutsOf(chunker, Buffer.alloc(0), () => 1),
      [],
    );
  });

  it('cuts the same however the bytes come in', () => {
    const data = noise(5 * 1024 * 1024 + 77, 2);
    const whole = cutsOf(chunker, data, () => 1 << 20);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 700_000 }), { minLength: 1, maxLength: 20 }), (steps) => {
        assert.deepEqual(
          cutsOf(chunker, data, (at) => steps[at % steps.length] ?? 1),
          whole,
        );
      }),
      { numRuns: 15 },
    );
  });

  it('finds its cuts again after bytes were put in front', () => {
    const data = noise(9 * 1024 * 1024, 3);
    const before = cutsOf(chunker, data, () => 1 << 20);
    const after = cutsOf(chunker, Buffer.concat([Buffer.from('inserted'), data]), () => 1 << 20);
    assert.ok(before.some((end) => after.includes(end + 8)));
  });
});

describe('polynomials', () => {
  it('are irreducible where they are known to be, and not where not', () => {
    for (const text of ['3DA3358B4DC173', '2482734cacca49']) assert.ok(isIrreducible(BigInt(`0x${text}`)));
    for (const text of ['38f1e565e288df', '30a8295b9d5c91', '255f4350b962cb'])
      assert.ok(!isIrreducible(BigInt(`0x${text}`)));
    assert.ok(isIrreducible(randomPolynomial()));
  });

  it('are refused where they are not, or of another degree', () => {
    for (const text of ['38f1e565e288df', '1', '', 'xyz', '3da3358b4dc173ff'])
      assert.throws(() => parsePolynomial(text), RangeError);
  });
});
