import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { PackEntry } from './format/pack-header.ts';
import { MAX_PACK_BLOBS } from './limits.ts';
import { packBytes } from './pack/pack-builder.ts';
import { planPrune } from './plan-prune.ts';
import type { PruneLimits, PrunePlan } from './plan-prune.ts';
import { BlobNumbers } from './prune/blob-numbers.ts';
import { PackCatalogue } from './prune/pack-facts.ts';

const MiB = 1024 * 1024;
const idOf = (name: string): string => createHash('sha256').update(name).digest('hex');

/** `a` is a data blob of one MiB, `T…` a tree of 1 KiB, `u…` one that lies uncompressed. */
function entriesOf(blobs: string): PackEntry[] {
  let offset = 0;
  return blobs
    .split(' ')
    .filter((name) => name !== '')
    .map((name) => {
      const isTree = name.startsWith('T');
      const entry: PackEntry = {
        type: isTree ? 'tree' : 'data',
        id: idOf(name.replace('u', '')),
        offset,
        length: isTree ? 1024 : MiB,
        plainBytes: name.includes('u') ? null : 5 * MiB,
      };
      offset += entry.length;
      return entry;
    });
}

type Listing = Readonly<Record<string, string>>;

/** Packs by name with their blobs, one record per index file. `stored` changes what is really there. */
function plan(
  used: string,
  files: readonly Listing[],
  limits: PruneLimits = {},
  stored: Readonly<Record<string, number | null>> = {},
): PrunePlan & { readonly names: (ids: readonly string[]) => string } {
  const numbers = new BlobNumbers();
  for (const { type, id } of entriesOf(used)) numbers.add(type, id);
  const catalogue = new PackCatalogue(numbers);
  const sizes = new Map<string, number>();
  const names = new Map<string, string>();
  for (const [number, file] of files.entries()) {
    const packs = Object.entries(file).map(([name, blobs]) => ({ id: idOf(name), blobs: entriesOf(blobs) }));
    catalogue.add({ id: idOf(`index ${number}`), packs });
    names.set(idOf(`index ${number}`), `index ${number}`);
    for (const name of Object.keys(file)) names.set(idOf(name), name);
    for (const { id, blobs } of packs) sizes.set(id, packBytes(blobs));
  }
  for (const [name, bytes] of Object.entries(stored)) {
    names.set(idOf(name), name);
    if (bytes === null) sizes.delete(idOf(name));
    else sizes.set(idOf(name), bytes);
  }
  const made = planPrune({ used: numbers, catalogue, stored: sizes, limits });
  return {
    ...made,
    names: (ids) =>
      ids
        .map((id) => names.get(id) ?? id)
        .toSorted()
        .join(' '),
  };
}

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'T1', 'T2', 'T3'];

/** Thirteen used blobs: a pack that is large enough to be left alone. */
const LARGE = 'a b c d e f g h i j k l m';

describe('planPrune', () => {
  it('deletes what is listed nowhere or not used, and leaves the rest and its index alone', () => {
    const made = plan(LARGE, [{ P: LARGE }, { Q: 'x y z' }], {}, { stray: 5 });
    assert.equal(made.names(made.unlisted), 'stray');
    assert.equal(made.names(made.remove), 'Q');
    assert.deepEqual(made.repack, []);
    assert.equal(made.kept, 1);
    assert.equal(made.bytesUnused, 3 * MiB);
    assert.equal(made.bytesUnusedAfter, 0);
    assert.equal(plan(LARGE, [{ P: LARGE }]).rewriteIndexes.length, 0);
  });

  it('tolerates 5 % of unused data, and takes the packs with the largest share first', () => {
    const files = [{ P: `${LARGE} n o p q r s`, half: 'A B x y', tenth: 'C D E F G H I J K z' }];
    const used = `${LARGE} n o p q r s A B C D E F G H I J K`;
    // 28 MiB used: 5/95 of it are 1.6 MiB, three lie unused.
    assert.equal(plan(used, files).names(plan(used, files).repack), 'half');
    const strict = plan(used, files, { maxUnused: { kind: 'percent', percent: 0 } });
    assert.equal(strict.names(strict.repack), 'half tenth');
    assert.deepEqual(plan(used, files, { maxUnused: { kind: 'unlimited' } }).repack, []);
    assert.deepEqual(plan(used, files, { maxUnused: { kind: 'bytes', bytes: 3 * MiB } }).repack, []);
    const limited = plan(used, files, { maxUnused: { kind: 'bytes', bytes: 0 }, maxRepackBytes: 5 * MiB });
    assert.equal(limited.names(limited.repack), 'half');
  });

  it('writes tree packs anew whatever is tolerated, and with repackCacheableOnly nothing else', () => {
    const files = [{ trees: 'T1 T2', data: 'a b c x y z' }];
    const unlimited = plan('T1 a b c', files, { maxUnused: { kind: 'unlimited' } });
    assert.equal(unlimited.names(unlimited.repack), 'trees');
    const cacheable = plan('T1 a b c', files, { repackCacheableOnly: true });
    assert.equal(cacheable.names(cacheable.repack), 'trees');
  });

  it('writes mixed packs and uncompressed trees anew, and uncompressed data only where that is asked for', () => {
    const files = [{ mixed: 'a T1', raw: 'Tu2', data: `u${LARGE}` }];
    const used = `T1 T2 ${LARGE}`;
    assert.equal(plan(used, files).names(plan(used, files).repack), 'mixed raw');
    const all = plan(used, files, { repackUncompressed: true });
    assert.equal(all.names(all.repack), 'data mixed raw');
  });

  it('merges small packs from ten on, or from two where that is asked for', () => {
    const small = (count: number): Listing =>
      Object.fromEntries(Array.from({ length: count }, (_, n) => [`P${n}`, `b${n}`]));
    const used = (count: number): string => Object.values(small(count)).join(' ');
    assert.equal(plan(used(9), [small(9)]).repack.length, 0);
    assert.equal(plan(used(10), [small(10)]).repack.length, 10);
    assert.equal(plan(used(2), [small(2)], { repackSmall: true }).repack.length, 2);
  });

  it('counts one copy of a blob, where that spares most: packs that hold second copies only go', () => {
    const made = plan('a b c d', [{ both: 'a b c d' }, { some: 'a b' }, { more: 'c' }]);
    assert.equal(made.names(made.remove), 'more some');
    assert.deepEqual(made.repack, []);
    // A half-empty pack whose used blobs lie in a clean one too just goes: so a killed run is resumed.
    const resumed = plan('a b', [{ old: 'a b x y', fresh: 'a b' }]);
    assert.equal(resumed.names(resumed.remove), 'old');
    assert.deepEqual(resumed.repack, []);
  });

  it('counts a pack once that two index files list, and rewrites both', () => {
    const made = plan(LARGE, [{ P: LARGE }, { P: LARGE, Q: 'T1' }]);
    assert.equal(made.bytesUsed, 13 * MiB);
    assert.equal(made.rewriteIndexes.length, 2);
    assert.deepEqual(made.repack, []);
  });

  it('refuses where a used blob is listed nowhere, or its pack is missing or of another size', () => {
    assert.throws(() => plan('a b', [{ P: 'a' }]), { code: 'blob-missing' });
    assert.throws(() => plan('a', [{ P: 'a' }], {}, { P: null }), { code: 'pack-damaged', message: /missing/ });
    assert.throws(() => plan('a', [{ P: 'a' }], {}, { P: 77 }), { code: 'pack-damaged', message: /77 bytes instead/ });
    const gone = plan('a', [{ P: 'a' }, { Q: 'x' }, { R: 'a' }], {}, { Q: null, R: 3 });
    assert.equal(gone.names(gone.gone), 'Q');
    assert.equal(gone.names(gone.remove), 'R');
  });

  it('keeps each used blob in a pack that stays or is written anew, whatever lies where', () => {
    const blob = fc.constantFrom(...NAMES);
    const pack = fc.array(blob, { minLength: 1, maxLength: 6 }).map((blobs) => blobs.join(' '));
    fc.assert(
      fc.property(
        fc.array(pack, { minLength: 1, maxLength: 12 }),
        fc.subarray([...NAMES]),
        fc.nat(40),
        (packs, wanted, percent) => {
          const files = packs.map((blobs, n) => ({ [`P${n}`]: blobs }));
          const all = new Set(packs.flatMap((blobs) => blobs.split(' ')));
          const used = wanted.filter((name) => all.has(name));
          const made = plan(used.join(' '), files, { maxUnused: { kind: 'percent', percent } });
          const removed = new Set(made.remove);
          assert.equal(made.blobsUsed, used.length);
          for (const owner of made.owners) assert.equal(removed.has(made.packOrder[owner] ?? 'nobody'), false);
          for (const owner of made.owners) assert.ok(made.packOrder[owner] !== undefined);
          assert.ok(made.bytesUnusedAfter <= (percent / (100 - percent)) * made.bytesUsed);
          assert.ok(made.bytesAfter <= made.bytesBefore);
        },
      ),
    );
  });

  it('leaves packs alone that are small because they are full of tiny blobs: written anew they would be as small', () => {
    const numbers = new BlobNumbers();
    const catalogue = new PackCatalogue(numbers);
    const packs = ['A', 'B', 'C'].map((name) => ({
      id: idOf(name),
      blobs: Array.from({ length: MAX_PACK_BLOBS }, (_, n): PackEntry => {
        return { type: 'data', id: idOf(`${name} ${n}`), offset: n * 40, length: 40, plainBytes: 8 };
      }),
    }));
    for (const { blobs } of packs) for (const { type, id } of blobs) numbers.add(type, id);
    catalogue.add({ id: idOf('index'), packs });
    const stored = new Map(packs.map(({ id, blobs }) => [id, packBytes(blobs)]));
    const planned = planPrune({ used: numbers, catalogue, stored, limits: { repackSmall: true } });
    assert.deepEqual([planned.repack, planned.kept], [[], 3]);
  });
});
