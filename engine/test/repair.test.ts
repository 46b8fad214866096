/** The repairs, on repositories with one thing wrong, against stock restic's `rebuild-index` and `check`. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  check,
  listSnapshots,
  openLocalStorage,
  openView,
  prune,
  repairIndex,
  repairPacks,
  repairSnapshots,
  restore,
} from '../src/index.ts';
import type { RepairIndexOptions, Repository } from '../src/index.ts';
import type { PackListing } from '../src/format/index-file.ts';
import { encodeIndex } from '../src/format/index-file.ts';
import { sealUnpacked } from '../src/format/unpacked.ts';
import { saveHashed } from '../src/storage/load-verified.ts';
import { FaultStorage } from './storage/fault-storage.ts';
import {
  backUp,
  makeCheapRepository,
  openCheapRepository,
  openWorkplace,
  restic,
  tryRestic,
} from './cheap-repository.ts';
import { change, flipAt, pathOf } from './damage-files.ts';
import { listingsOf } from './fault/fault-base.ts';

const place = openWorkplace();
const whole = join(place.path, 'whole');
const source = join(place.path, 'source');

before(async () => {
  mkdirSync(join(source, 'below', 'deep'), { recursive: true });
  writeFileSync(join(source, 'below', 'a <b> & "c" é \u2028'), randomBytes(2_000_000));
  writeFileSync(join(source, 'below', 'deep', 'text'), 'text\n'.repeat(1000));
  writeFileSync(join(source, 'first'), 'first'.repeat(100));
  const repository = await makeCheapRepository(whole);
  for (const name of ['second', 'third']) {
    await backUp(repository, source);
    writeFileSync(join(source, name), randomBytes(40_000));
  }
  await backUp(repository, source);
});
after(() => place[Symbol.dispose]());

/** A copy to damage. */
function copyOf(directory: string, name: string): string {
  const copy = join(place.path, name);
  rmSync(copy, { recursive: true, force: true });
  cpSync(directory, copy, { recursive: true });
  return copy;
}

/** Everything that the index says, in an order that does not matter. */
async function indexOf(directory: string): Promise<string[]> {
  const packs = await listingsOf(await openCheapRepository(directory));
  return packs
    .flatMap(({ id, blobs }) => blobs.map((blob) => `${id} ${blob.type} ${blob.id} ${blob.offset} ${blob.length}`))
    .toSorted();
}

async function packOf(repository: Repository, type: 'data' | 'tree'): Promise<PackListing> {
  const packs = (await listingsOf(repository)).filter(({ blobs }) => blobs[0]?.type === type);
  const largest = packs.toSorted((a, b) => b.blobs.length - a.blobs.length)[0];
  assert.ok(largest !== undefined);
  return largest;
}

const passes = (directory: string, ...args: readonly string[]): boolean =>
  tryRestic(directory, ['check', ...args]).status === 0;

describe('repair of the index', () => {
  type Damage = (directory: string, repository: Repository) => Promise<void> | void;
  const firstIndex = async (repository: Repository): Promise<string> =>
    (await repository.storage.list('index'))[0]?.id ?? '';
  const damages: readonly [string, Damage][] = [
    ['all index files are missing', (d) => rmSync(join(d, 'index'), { recursive: true })],
    ['one index file is missing', async (d, r) => rmSync(pathOf(d, 'index', await firstIndex(r)))],
    ['one index file has a changed bit', async (d, r) => change(d, 'index', await firstIndex(r), flipAt(40))],
    ['one index file is cut off', async (d, r) => change(d, 'index', await firstIndex(r), (b) => b.subarray(0, 50))],
    ['a pack is missing', async (d, r) => rmSync(pathOf(d, 'data', (await packOf(r, 'data')).id))],
    ['a pack is cut off', async (d, r) => change(d, 'data', (await packOf(r, 'data')).id, (b) => b.subarray(0, -9))],
    [
      'an index file lists a pack with other lengths',
      async (_d, r) => {
        const id = await firstIndex(r);
        const [pack] = await listingsOf(r);
        assert.ok(pack !== undefined);
        const wrong = { id: pack.id, blobs: pack.blobs.map((blob) => ({ ...blob, length: blob.length - 1 })) };
        for (const file of await r.storage.list('index')) await r.storage.remove({ kind: 'index', id: file.id });
        await saveHashed(r.storage, 'index', sealUnpacked(r.key, encodeIndex([wrong])));
        assert.notEqual(id, '');
      },
    ],
    [
      'two index files list the same packs',
      async (_d, r) => {
        await saveHashed(r.storage, 'index', sealUnpacked(r.key, encodeIndex(await listingsOf(r))));
      },
    ],
  ];
  const modes: readonly [string, RepairIndexOptions][] = [
    ['', {}],
    [', reading all packs', { readAllPacks: true }],
  ];
  for (const [claim, damage] of damages) {
    for (const [how, options] of modes) {
      it(`comes to restic's index and verdict where ${claim}${how}`, async () => {
        const ours = copyOf(whole, 'ours');
        await damage(ours, await openCheapRepository(ours));
        const theirs = copyOf(ours, 'theirs');
        restic(theirs, ['rebuild-index', ...(options.readAllPacks === true ? ['--read-all-packs'] : [])]);
        await repairIndex(await openCheapRepository(ours), options);
        assert.deepEqual(await indexOf(ours), await indexOf(theirs));
        assert.equal(passes(ours, '--read-data'), passes(theirs, '--read-data'));
        const again = await repairIndex(await openCheapRepository(ours));
        assert.equal(again.indexesRemoved, 0, 'a whole index is left alone');
      });
    }
  }

  it('that failed at any change can be run again and mends all', async () => {
    const damaged = copyOf(whole, 'damaged');
    const repository = await openCheapRepository(damaged);
    change(damaged, 'index', await firstIndex(repository), flipAt(40));
    for (let calls = 0, isDone = false; !isDone; calls++) {
      const copy = copyOf(damaged, 'copy');
      isDone = true;
      const failing = await openCheapRepository(copy, new FaultStorage(openLocalStorage(copy), 'read-only', calls + 1));
      await repairIndex(failing, { readAllPacks: true }).catch(() => (isDone = false));
      const storage = openLocalStorage(copy);
      for (const { id } of await storage.list('locks')) await storage.remove({ kind: 'locks', id });
      await repairIndex(await openCheapRepository(copy));
      assert.deepEqual((await check(await openCheapRepository(copy))).errors, []);
    }
    assert.ok(passes(join(place.path, 'copy'), '--read-data'));
  });

  it('names what it could not list', async () => {
    const copy = copyOf(whole, 'copy');
    const repository = await openCheapRepository(copy);
    const { id } = await packOf(repository, 'data');
    change(copy, 'data', id, flipAt(-2));
    const result = await repairIndex(repository, { readAllPacks: true });
    assert.deepEqual(
      result.problems.map(({ code, path }) => [code, path]),
      [['pack-damaged', `data/${id}`]],
    );
  });
});

describe('repair of packs', () => {
  it('saves each blob that is whole, drops the pack, and then mends the snapshots that miss something', async () => {
    const copy = copyOf(whole, 'copy');
    const repository = await openCheapRepository(copy);
    const pack = await packOf(repository, 'data');
    const [lost] = pack.blobs.toSorted((a, b) => b.length - a.length);
    assert.ok(lost !== undefined && pack.blobs.length > 1);
    change(copy, 'data', pack.id, flipAt(lost.offset + 20));
    const kept: string[] = [];
    const result = await repairPacks(repository, [pack.id], {
      keep: async (id, bytes) => {
        kept.push(`${id} ${bytes.length}`);
      },
    });
    assert.equal(result.blobsSaved, pack.blobs.length - 1);
    assert.deepEqual(
      result.problems.map(({ code, message }) => [code, message.includes(lost.id)]),
      [['blob-lost', true]],
    );
    assert.equal(kept.length, 1);
    assert.equal(await repository.storage.size({ kind: 'data', id: pack.id }), null);
    assert.match(tryRestic(copy, ['check', '--read-data']).stderr, new RegExp(lost.id.slice(0, 10)));
    const mended = await repairSnapshots(repository, { forget: true });
    assert.equal(mended.repaired.length, 3);
    assert.ok(passes(copy, '--read-data'));
    await prune(repository);
    assert.ok(passes(copy, '--read-data'));
  });

  it('reads what an index does not list from the header of the pack', async () => {
    const copy = copyOf(whole, 'copy');
    const repository = await openCheapRepository(copy);
    const pack = await packOf(repository, 'data');
    for (const { id } of await repository.storage.list('index')) await repository.storage.remove({ kind: 'index', id });
    const result = await repairPacks(repository, [pack.id]);
    assert.equal(result.blobsSaved, pack.blobs.length);
    assert.deepEqual(result.problems, []);
    await repairIndex(repository);
    assert.ok(passes(copy, '--read-data'));
  });

  it('refuses a pack that is not there (pack-unknown), and takes one off the index that is missing', async () => {
    const copy = copyOf(whole, 'copy');
    const repository = await openCheapRepository(copy);
    await assert.rejects(repairPacks(repository, ['e'.repeat(64)]), { code: 'pack-unknown' });
    await assert.rejects(repairPacks(repository, ['latest']), { code: 'pack-unknown' });
    const { id } = await packOf(repository, 'tree');
    await repository.storage.remove({ kind: 'data', id });
    const { problems } = await repairPacks(repository, [id]);
    assert.deepEqual(
      problems.map(({ code }) => code),
      ['pack-missing'],
    );
    assert.equal(
      (await listingsOf(repository)).some((pack) => pack.id === id),
      false,
    );
  });

  it('that failed at any change loses no blob that was whole', async () => {
    const damaged = copyOf(whole, 'damaged');
    const pack = await packOf(await openCheapRepository(damaged), 'data');
    change(damaged, 'data', pack.id, flipAt(-3));
    for (let calls = 0, isDone = false; !isDone; calls++) {
      const copy = copyOf(damaged, 'copy');
      isDone = true;
      const failing = await openCheapRepository(copy, new FaultStorage(openLocalStorage(copy), 'read-only', calls + 1));
      await repairPacks(failing, [pack.id]).catch(() => (isDone = false));
      const storage = openLocalStorage(copy);
      for (const { id } of await storage.list('locks')) await storage.remove({ kind: 'locks', id });
      const repository = await openCheapRepository(copy);
      if ((await storage.size({ kind: 'data', id: pack.id })) !== null) await repairPacks(repository, [pack.id]);
      assert.deepEqual((await check(repository)).errors, [], `after ${calls} calls`);
    }
  });
});

describe('repair of snapshots', () => {
  it('gives those that miss content a successor with what is left, and leaves the others alone', async () => {
    const copy = copyOf(whole, 'copy');
    const repository = await openCheapRepository(copy);
    const { snapshots } = await listSnapshots(repository);
    // Only the newest has the file `third`.
    const newest = snapshots.at(-1);
    assert.ok(newest !== undefined);
    const view = await openView(repository, newest);
    const third = (await view.stat(`${source}/third`)).contentIds[0] ?? '';
    const pack = (await listingsOf(repository)).find(({ blobs }) => blobs.some(({ id }) => id === third));
    await repository.storage.remove({ kind: 'data', id: pack?.id ?? '' });
    await repairIndex(repository);
    assert.equal(passes(copy), false);

    const dry = await repairSnapshots(repository, { dryRun: true });
    assert.deepEqual(
      dry.repaired.map(({ id, successor }) => [id, successor]),
      [[newest.id, null]],
    );
    const result = await repairSnapshots(repository);
    const [one] = result.repaired;
    assert.equal(result.whole, 2);
    assert.deepEqual(
      one?.losses.map(({ code, path }) => [code, path]),
      [['content-lost', `${source}/third`]],
    );
    const left = (await listSnapshots(repository)).snapshots;
    assert.equal(left.length, 4, 'the original stays until it is asked to go');
    const successor = left.find(({ id }) => id === one?.successor);
    assert.deepEqual([successor?.original, successor?.tags, successor?.time], [newest.id, ['repaired'], newest.time]);
    assert.equal((await (await openView(repository, successor!)).stat(`${source}/third`)).size, 0);
    await repository.storage.remove({ kind: 'snapshots', id: newest.id });
    assert.ok(passes(copy, '--read-data'));
    // What restic reads back and writes again is what we wrote: no byte of a listing differs.
    const target = join(place.path, 'target');
    restic(copy, ['restore', successor?.id ?? '', '--target', target]);
    assert.deepEqual(readdirSync(join(target, source)).toSorted(), ['below', 'first', 'second', 'third']);
    assert.deepEqual((await repairSnapshots(repository)).repaired, []);
  });

  it('puts an empty directory in the place of one that can not be read', async () => {
    const copy = copyOf(whole, 'copy');
    const repository = await openCheapRepository(copy);
    const [snapshot] = (await listSnapshots(repository)).snapshots;
    assert.ok(snapshot !== undefined);
    const deep = JSON.parse(restic(copy, ['ls', '--json', snapshot.id]).split('\n')[1] ?? '{}') as { path: string };
    assert.ok(deep.path.length > 0);
    const lost = await treeAt(repository, snapshot.tree, [...source.split('/').filter(Boolean), 'below', 'deep']);
    // Out of the index it is as good as gone.
    const packs = (await listingsOf(repository)).map(({ id, blobs }) => ({
      id,
      blobs: blobs.filter((b) => b.id !== lost),
    }));
    for (const { id } of await repository.storage.list('index')) await repository.storage.remove({ kind: 'index', id });
    await saveHashed(repository.storage, 'index', sealUnpacked(repository.key, encodeIndex(packs)));
    repository.dropIndex();
    const { repaired } = await repairSnapshots(repository, { forget: true });
    assert.equal(repaired.length, 3);
    for (const { losses, isForgotten } of repaired) {
      assert.equal(isForgotten, true);
      assert.deepEqual(
        losses.map(({ code, path }) => [code, path]),
        [['blob-missing', `${source}/below/deep`]],
      );
    }
    const [mended] = (await listSnapshots(repository)).snapshots;
    const target = join(place.path, 'emptied');
    const back = await restore({ repository, snapshot: mended!, target, workers: 1 });
    assert.deepEqual(back.problems, []);
    assert.deepEqual(readdirSync(join(target, source, 'below', 'deep')), []);
    assert.deepEqual(
      readFileSync(join(target, source, 'below', 'a <b> & "c" é \u2028')),
      readFileSync(join(source, 'below', 'a <b> & "c" é \u2028')),
    );
  });

  it('keeps a snapshot of which not even the root can be read, unless it is to be forgotten', async () => {
    const copy = copyOf(whole, 'copy');
    const repository = await openCheapRepository(copy);
    const [snapshot] = (await listSnapshots(repository)).snapshots;
    assert.ok(snapshot !== undefined);
    const { id, ...record } = snapshot;
    const { saveSnapshot } = await import('../src/snapshots.ts');
    const rootless = await saveSnapshot(repository, { ...record, tree: 'd'.repeat(64) as typeof record.tree });
    const result = await repairSnapshots(repository, { snapshots: [rootless.id.slice(0, 12)] });
    assert.deepEqual(
      result.repaired.map(({ successor, isForgotten }) => [successor, isForgotten]),
      [[null, false]],
    );
    await assert.rejects(prune(repository), { code: 'blob-missing' });
    await repairSnapshots(repository, { forget: true });
    const left = (await listSnapshots(repository)).snapshots.map((each) => each.id);
    assert.ok(left.includes(id) && !left.includes(rootless.id));
    await prune(repository);
    assert.ok(passes(copy, '--read-data'));
  });
});

/** The listing of a directory by the names that lead to it. */
async function treeAt(repository: Repository, root: string, names: readonly string[]): Promise<string> {
  const { BlobReader } = await import('../src/pack/blob-reader.ts');
  const { readListing } = await import('../src/tree/read-listing.ts');
  const reader = await BlobReader.open(repository);
  let tree = root;
  for (const name of names) {
    const node = (await readListing(reader, tree)).find(name);
    tree = node?.subtree ?? '';
  }
  return tree;
}
