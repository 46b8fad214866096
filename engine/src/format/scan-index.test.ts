import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { decodeIndex, encodeIndex } from './index-file.ts';
import type { PackListing } from './index-file.ts';
import { scanIndex } from './scan-index.ts';

const id = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex'));
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const plain = { noNullPrototype: true };
const blob = fc.record(
  {
    type: fc.constantFrom('data' as const, 'tree' as const),
    id,
    offset: u32,
    length: u32,
    plainBytes: fc.option(u32.filter((bytes) => bytes > 0)),
  },
  plain,
);
const packs = fc.array(fc.record({ id, blobs: fc.array(blob, { maxLength: 4 }) }, plain), { maxLength: 4 });

/** What the scanner tells of a text; null where it has another form. */
function scan(json: string | Uint8Array): PackListing[] | null {
  const found: { id: string; blobs: PackListing['blobs'][number][] }[] = [];
  const bytes = Buffer.alloc(32);
  const isScanned = scanIndex(Buffer.from(json), {
    id: bytes,
    pack: () => void found.push({ id: bytes.toString('hex'), blobs: [] }),
    blob: (isTree, offset, length, plainBytes) => {
      const type = isTree ? 'tree' : 'data';
      const entry = { type, id: bytes.toString('hex'), offset, length, plainBytes: plainBytes || null } as const;
      found.at(-1)?.blobs.push(entry);
    },
  });
  return isScanned ? found : null;
}

describe('the scan of an index file', () => {
  it('finds what the decoder finds, in whatever is written', () => {
    fc.assert(fc.property(packs, (listed) => assert.deepEqual(scan(encodeIndex(listed)), listed)));
  });

  it('never takes for an index what the decoder does not, nor finds something else in it', () => {
    const change = fc.record({
      at: fc.nat(),
      cut: fc.nat(3),
      put: fc.constantFrom('', '0', '9', ',', ' ', '"', ']', '}', 'f', 'F'),
    });
    fc.assert(
      fc.property(packs, fc.array(change, { minLength: 1, maxLength: 3 }), (listed, changes) => {
        let json = encodeIndex(listed);
        for (const { at, cut, put } of changes) {
          const from = at % json.length;
          json = json.slice(0, from) + put + json.slice(from + cut);
        }
        const found = scan(json);
        if (found !== null) assert.deepEqual(found, decodeIndex(json));
      }),
      { numRuns: 2000 },
    );
  });

  it('leaves other forms, numbers that are too large and texts that end early to the decoder', () => {
    const listing = { id: 'a'.repeat(64), blobs: [{ id: 'b'.repeat(64), type: 'data', offset: 0, length: 40 }] };
    const written = JSON.stringify({ packs: [listing] });
    assert.deepEqual(scan(written), decodeIndex(written));
    for (const other of [
      JSON.stringify({ packs: [listing] }, null, 1),
      JSON.stringify({ supersedes: [], packs: [listing] }),
      JSON.stringify({ packs: [{ blobs: listing.blobs, id: listing.id }] }),
      written.replace('"offset":0', '"offset":4294967296'),
      written.replace('"offset":0', '"offset":00'),
      written.replace('"offset":0', '"offset":99999999999999999999'),
      written.replace('bb', 'Bb'),
      `${written}x`,
      written.slice(0, -1),
      '',
    ])
      assert.equal(scan(other), null, other);
  });
});
