/** Two copies: in one pass, caught up, healed. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import {
  EngineError,
  backup,
  copy,
  entriesOfPaths,
  findSnapshot,
  forgetNamed,
  generateKey,
  heal,
  initRepository,
  listSnapshots,
  openLocalStorage,
  openRepository,
  prune,
  restore,
} from '../src/index.ts';
import type { BackupOptions, BackupResult, Repository, Storage } from '../src/index.ts';
import { describeTree, makeHostileTree, openWorkplace, restic } from './fixtures.ts';

type Pair = { local: Repository; remote: Repository; localAt: string; remoteAt: string; keys: [string, string] };

async function makePair(place: string, remoteStorage?: (storage: Storage) => Storage): Promise<Pair> {
  const [localAt, remoteAt] = [join(place, 'local'), join(place, 'remote')];
  const keys: [string, string] = [generateKey(), generateKey()];
  const local = await initRepository(openLocalStorage(localAt), { kind: 'key', text: keys[0] });
  await initRepository(openLocalStorage(remoteAt), { kind: 'key', text: keys[1] }, { polynomialOf: local });
  const storage = openLocalStorage(remoteAt);
  const remote = await openRepository(remoteStorage?.(storage) ?? storage, keys[1]);
  return { local, remote, localAt, remoteAt, keys };
}

const both = async (pair: Pair, path: string, more: Partial<BackupOptions> = {}): Promise<BackupResult> =>
  backup({ source: entriesOfPaths([path]), repositories: [pair.local, pair.remote], paths: [path], ...more });

function makeFiles(root: string, count: number, salt = ''): void {
  for (let i = 0; i < count; i++) {
    mkdirSync(join(root, `d${i % 7}`), { recursive: true });
    const text = createHash('sha256').update(`${salt}${i}`).digest('hex');
    writeFileSync(join(root, `d${i % 7}`, `f${i}`), text.repeat(1 + (i % 900)));
  }
}

/** A storage whose answers can be changed while it is in use. */
function intercept(storage: Storage, save: (bytes: Uint8Array) => Promise<void>): Storage {
  const { location } = storage;
  return {
    location,
    create: async () => storage.create(),
    save: async (file, bytes) => {
      if (file.kind === 'data') await save(bytes);
      await storage.save(file, bytes);
    },
    load: async (file, range) => storage.load(file, range),
    size: async (file) => storage.size(file),
    list: async (kind) => storage.list(kind),
    remove: async (file) => storage.remove(file),
  };
}

function filesOf(directory: string): string[] {
  return ['data', 'index', 'snapshots'].flatMap((kind) =>
    readdirSync(join(directory, kind), { recursive: true, encoding: 'utf8' })
      .filter((name) => /[0-9a-f]{64}$/.test(name))
      .map((name) => join(directory, kind, name)),
  );
}

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  const place = at % bytes.length;
  bytes[place] = (bytes[place] ?? 0) ^ 1;
  chmodSync(path, 0o600);
  writeFileSync(path, bytes);
}

describe('two copies in one pass', () => {
  it('are both whole, hold the same point, and cost one reading of the source', async () => {
    using place = openWorkplace();
    const source = join(place.path, 'source');
    makeHostileTree(source);
    const pair = await makePair(place.path);
    const result = await both(pair, source, { tags: ['point:1'] });
    assert.deepEqual(
      result.copies.map((each) => each.state),
      ['complete', 'complete'],
    );
    assert.equal(result.bytesRead, result.bytesProcessed);
    const ids: string[] = [];
    for (const [at, key] of [
      [pair.localAt, pair.keys[0]],
      [pair.remoteAt, pair.keys[1]],
    ] as const) {
      assert.match(restic(at, ['check', '--read-data'], key), /no errors/);
      const repository = await openRepository(openLocalStorage(at), key);
      const { snapshots } = await listSnapshots(repository, { tags: ['point:1'] });
      ids.push(snapshots[0]?.tree ?? at);
    }
    assert.equal(ids[0], ids[1]);
    const again = await both(pair, source);
    assert.deepEqual([again.bytesRead, again.dataBlobs], [0, 0]);
  });

  it('take what is unchanged but missing remotely from the local copy, never from the source again', async () => {
    using place = openWorkplace();
    const source = join(place.path, 'source');
    makeFiles(source, 200);
    const pair = await makePair(place.path);
    await backup({ source: entriesOfPaths([source]), repositories: [pair.local], paths: [source] });
    const result = await both(pair, source);
    assert.equal(result.bytesRead, 0, 'nothing was read from the source');
    assert.match(restic(pair.remoteAt, ['check', '--read-data'], pair.keys[1]), /no errors/);
    await restore({
      repository: pair.remote,
      snapshot: await findSnapshot(pair.remote, 'latest'),
      subtree: source,
      target: join(place.path, 'out'),
    });
    assert.deepEqual(describeTree(join(place.path, 'out')), describeTree(source));
  });

  it('go on without a remote that fails at any of its packs, say so, and catch up by copy', async () => {
    using place = openWorkplace();
    const source = join(place.path, 'source');
    makeFiles(source, 50);
    let isAway = false;
    const pair = await makePair(place.path, (storage) =>
      intercept(storage, async () => {
        if (isAway) throw new EngineError('storage-failed', { location: 'remote', action: 'save', reason: 'away' });
      }),
    );
    await both(pair, source);
    isAway = true;
    makeFiles(source, 90, 'more');
    const result = await both(pair, source);
    assert.deepEqual(
      result.copies.map((each) => [each.state, each.error?.code ?? null]),
      [
        ['complete', null],
        ['behind', 'storage-failed'],
      ],
    );
    assert.equal(result.snapshots.length, 1);
    assert.match(restic(pair.remoteAt, ['check', '--read-data'], pair.keys[1]), /no errors/);
    isAway = false;
    const caughtUp = await copy({ from: pair.local, to: pair.remote });
    assert.deepEqual([caughtUp.copied.length, caughtUp.skipped], [1, 1]);
    const after = await both(pair, source);
    assert.deepEqual(
      after.copies.map((each) => each.state),
      ['complete', 'complete'],
    );
    for (const [at, key] of [
      [pair.localAt, pair.keys[0]],
      [pair.remoteAt, pair.keys[1]],
    ] as const) {
      assert.match(restic(at, ['check', '--read-data'], key), /no errors/);
      const listed = JSON.parse(restic(at, ['snapshots', '--json'], key)) as unknown[];
      assert.equal(listed.length, 3);
    }
  });

  it('do not wait for a remote that is too slow', async () => {
    using place = openWorkplace();
    const source = join(place.path, 'source');
    makeFiles(source, 60);
    const hanging = Promise.withResolvers<void>();
    const pair = await makePair(place.path, (storage) => intercept(storage, async () => hanging.promise));
    const result = await both(pair, source, { slowAfterMs: 300 });
    hanging.resolve();
    assert.deepEqual(
      result.copies.map((each) => [each.state, each.error?.code ?? null]),
      [
        ['complete', null],
        ['behind', 'storage-slow'],
      ],
    );
    assert.match(restic(pair.localAt, ['check', '--read-data'], pair.keys[0]), /no errors/);
  });

  it('commit the remote too when it is the local copy that fails', async () => {
    using place = openWorkplace();
    const source = join(place.path, 'source');
    makeFiles(source, 60);
    const pair = await makePair(place.path, (storage) =>
      intercept(storage, async () => {
        throw new EngineError('storage-full', { location: 'here' });
      }),
    );
    const turned = { ...pair, local: pair.remote, remote: pair.local };
    const result = await both(turned, source);
    assert.deepEqual(
      result.copies.map((each) => each.state),
      ['behind', 'complete'],
    );
    assert.match(restic(pair.localAt, ['check', '--read-data'], pair.keys[0]), /no errors/);
    const failing = { ...pair, local: pair.remote };
    await assert.rejects(both(failing, source), { code: 'storage-full' });
  });
});

describe('copy', () => {
  it('brings what restic wrote into a repository of ours and keeps the first id as the original', async () => {
    using place = openWorkplace();
    const source = join(place.path, 'source');
    makeHostileTree(source);
    const from = join(place.path, 'from');
    restic(from, ['init'], 'p');
    restic(from, ['backup', source], 'p');
    const theirs = await openRepository(openLocalStorage(from), 'p');
    const key = generateKey();
    const ours = await initRepository(
      openLocalStorage(join(place.path, 'to')),
      { kind: 'key', text: key },
      { polynomialOf: theirs },
    );
    const { copied } = await copy({ from: theirs, to: ours });
    const [first] = copied;
    assert.ok(first);
    const snapshot = await findSnapshot(ours, first.to);
    assert.equal(snapshot.original, first.from);
    assert.match(restic(join(place.path, 'to'), ['check', '--read-data'], key), /no errors/);
    await restore({ repository: ours, snapshot, subtree: source, target: join(place.path, 'out') });
    assert.deepEqual(describeTree(join(place.path, 'out')), describeTree(source));
    const again = await copy({ from: theirs, to: ours });
    assert.deepEqual(again, { copied: [], skipped: 1, blobs: 0, bytesStored: 0, problems: [] });
  });

  it('commits no snapshot when the lock of the target was taken away meanwhile', async () => {
    using place = openWorkplace();
    const source = join(place.path, 'source');
    makeFiles(source, 20);
    const pair = await makePair(place.path);
    await backup({ source: entriesOfPaths([source]), repositories: [pair.local], paths: [source] });
    const storage = intercept(openLocalStorage(pair.remoteAt), async () => {
      for (const name of readdirSync(join(pair.remoteAt, 'locks'))) rmSync(join(pair.remoteAt, 'locks', name));
    });
    const to = await openRepository(storage, pair.keys[1]);
    await assert.rejects(copy({ from: pair.local, to }), { code: 'lock-lost' });
    assert.deepEqual((await listSnapshots(pair.remote)).snapshots, []);
  });
});

describe('heal', () => {
  it('mends a bit flipped in each file of the repository, index, snapshots and listings included, from the other copy', async () => {
    using place = openWorkplace();
    const source = join(place.path, 'source');
    const pair = await makePair(place.path);
    for (const salt of ['a', 'b', 'c']) {
      makeFiles(source, 120, salt);
      await both(pair, source, { tags: [`point:${salt}`] });
    }
    for (const path of filesOf(pair.localAt)) flip(path, 4321);
    const result = await heal({ damaged: pair.local, healthy: pair.remote });
    assert.ok(result.found.length >= 9);
    assert.deepEqual(result.left, []);
    assert.match(restic(pair.localAt, ['check', '--read-data'], pair.keys[0]), /no errors/);
    const { snapshots } = await listSnapshots(pair.local);
    assert.deepEqual(
      snapshots.map((snapshot) => snapshot.tags),
      [['point:a'], ['point:b'], ['point:c']],
    );
    const newest = snapshots.at(-1);
    assert.ok(newest);
    await restore({ repository: pair.local, snapshot: newest, subtree: source, target: join(place.path, 'out') });
    assert.deepEqual(describeTree(join(place.path, 'out')), describeTree(source));
  });

  it('brings back packs and index files that were deleted', async () => {
    using place = openWorkplace();
    const source = join(place.path, 'source');
    makeFiles(source, 120);
    const pair = await makePair(place.path);
    await both(pair, source);
    for (const path of filesOf(pair.localAt).filter((each) => !each.includes('/snapshots/'))) rmSync(path);
    const result = await heal({ damaged: pair.local, healthy: pair.remote });
    assert.deepEqual([result.onlyThere, result.left], [[], []]);
    assert.ok(result.blobsHealed > 120);
    assert.match(restic(pair.localAt, ['check', '--read-data'], pair.keys[0]), /no errors/);
  });

  it('leaves what was forgotten here forgotten, also where the file of another snapshot is damaged, and counts it', async () => {
    using place = openWorkplace();
    const source = join(place.path, 'source');
    const pair = await makePair(place.path);
    for (const salt of ['a', 'b', 'c']) {
      makeFiles(source, 60, salt);
      await both(pair, source, { tags: [`point:${salt}`] });
    }
    const oldest = (await listSnapshots(pair.local)).snapshots[0];
    await forgetNamed(pair.local, [oldest?.id ?? '']);
    const untouched = await heal({ damaged: pair.local, healthy: pair.remote });
    assert.deepEqual([untouched.found, untouched.snapshotsHealed, untouched.onlyThere.length], [[], 0, 1]);
    await prune(pair.local);
    const newest = (await listSnapshots(pair.local)).snapshots.at(-1);
    flip(join(pair.localAt, 'snapshots', newest?.id ?? ''), 30);
    const mended = await heal({ damaged: pair.local, healthy: pair.remote });
    assert.deepEqual([mended.snapshotsHealed, mended.onlyThere.length, mended.left], [1, 1, []]);
    assert.deepEqual(
      (await listSnapshots(pair.local)).snapshots.map(({ tags }) => tags),
      [['point:b'], ['point:c']],
    );
    assert.match(restic(pair.localAt, ['check', '--read-data'], pair.keys[0]), /no errors/);
  });

  it('names a snapshot that can not be read and that the other copy does not have', async () => {
    using place = openWorkplace();
    const source = join(place.path, 'source');
    makeFiles(source, 20);
    const pair = await makePair(place.path);
    await backup({ source: entriesOfPaths([source]), repositories: [pair.local], paths: [source] });
    for (const path of filesOf(pair.localAt).filter((each) => each.includes('/snapshots/'))) flip(path, 30);
    const { left, snapshotsHealed } = await heal({ damaged: pair.local, healthy: pair.remote });
    assert.deepEqual([left.map(({ code }) => code), snapshotsHealed], [['snapshot-damaged'], 0]);
    assert.deepEqual((await listSnapshots(pair.local)).problems, []);
  });

  it('lists packs again whose index was lost, without the other copy', async () => {
    using place = openWorkplace();
    const source = join(place.path, 'source');
    makeFiles(source, 40);
    const pair = await makePair(place.path);
    await backup({ source: entriesOfPaths([source]), repositories: [pair.local], paths: [source] });
    for (const path of filesOf(pair.localAt).filter((each) => each.includes('/index/'))) flip(path, 7);
    const result = await heal({ damaged: pair.local, healthy: pair.remote });
    assert.deepEqual([result.blobsHealed, result.left.length], [0, 0]);
    assert.match(restic(pair.localAt, ['check', '--read-data'], pair.keys[0]), /no errors/);
  });

  it('names what neither copy has, and keeps what is whole in a damaged pack', async () => {
    using place = openWorkplace();
    const source = join(place.path, 'source');
    mkdirSync(source);
    for (let i = 0; i < 40; i++) writeFileSync(join(source, `f${i}`), randomBytes(5000));
    const pair = await makePair(place.path);
    await backup({ source: entriesOfPaths([source]), repositories: [pair.local], paths: [source] });
    const largest = filesOf(pair.localAt)
      .filter((each) => each.includes('/data/'))
      .toSorted((a, b) => readFileSync(b).length - readFileSync(a).length)[0];
    flip(largest ?? '', 60);
    const result = await heal({ damaged: pair.local, healthy: pair.remote });
    assert.ok(result.blobsHealed > 30);
    assert.deepEqual(
      result.left.map((each) => each.code),
      ['blob-missing'],
    );
  });

  it('does nothing to a repository that is whole', async () => {
    using place = openWorkplace();
    const source = join(place.path, 'source');
    makeFiles(source, 20);
    const pair = await makePair(place.path);
    await both(pair, source);
    const before = filesOf(pair.localAt);
    const result = await heal({ damaged: pair.local, healthy: pair.remote });
    assert.deepEqual([result.found, result.blobsHealed, result.snapshotsHealed, result.left], [[], 0, 0, []]);
    assert.deepEqual(filesOf(pair.localAt), before);
  });
});
