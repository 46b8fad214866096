/** Repositories with one thing wrong, named by the damage: a coded error, never a wrong byte. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, copyFileSync, cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  EngineError,
  backup,
  check,
  copy,
  entriesOfPaths,
  findSnapshot,
  forgetNamed,
  generateKey,
  initRepository,
  listSnapshots,
  openLocalStorage,
  openMemoryStorage,
  openRepository,
  openView,
  restore,
} from '../src/index.ts';
import type { Repository, SourceEntry, Storage } from '../src/index.ts';
import { CONFIG_FILE } from '../src/storage/storage.ts';
import { wrapStorage } from '../src/storage/wrap-storage.ts';
import { mountWithQuota } from '../../demo/counted-place.ts';
import { PASSWORD, makeRepository, openWorkplace, restic, tryRestic } from './fixtures.ts';

const place = openWorkplace();
const whole = join(place.path, 'whole');
const source = join(place.path, 'source');

before(async () => {
  mkdirSync(join(source, 'below'), { recursive: true });
  writeFileSync(join(source, 'below', 'data'), Buffer.alloc(300_000, 'salvor'));
  writeFileSync(join(source, 'text'), 'text\n'.repeat(1000));
  const repository = await makeRepository(whole);
  await backup({ source: entriesOfPaths([source]), repositories: [repository], paths: [source] });
});
after(() => place[Symbol.dispose]());

/** All files of a kind. */
function filesOf(directory: string, kind: string): string[] {
  return readdirSync(join(directory, kind), { recursive: true, encoding: 'utf8' })
    .map((name) => join(directory, kind, name))
    .filter((path) => /[0-9a-f]{64}$/.test(path));
}

/** Packs in order of size: of the two, the larger holds the data. */
function packs(directory: string): { tree: string; data: string } {
  const [tree, data] = filesOf(directory, 'data').toSorted((a, b) => Number(isTreePack(b)) - Number(isTreePack(a)));
  return { tree: tree ?? '', data: data ?? '' };
}

function isTreePack(path: string): boolean {
  const id = path.slice(-64);
  return (
    JSON.parse(restic(whole, ['cat', 'index', filesOf(whole, 'index')[0]?.slice(-64) ?? ''])) as {
      packs: { id: string; blobs: { type: string }[] }[];
    }
  ).packs.some((pack) => pack.id === id && pack.blobs[0]?.type === 'tree');
}

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at < 0 ? bytes.length + at : at]! ^= 0x10;
  chmodSync(path, 0o600);
  writeFileSync(path, bytes);
}

async function damaged(
  name: string,
  damage: (directory: string) => void,
): Promise<{ directory: string; open: () => Promise<Repository> }> {
  const directory = join(place.path, name);
  cpSync(whole, directory, { recursive: true });
  damage(directory);
  return { directory, open: () => openRepository(openLocalStorage(directory), PASSWORD) };
}

async function restoreAll(repository: Repository, target: string): Promise<unknown> {
  return restore({ repository, snapshot: await findSnapshot(repository, 'latest'), target: join(place.path, target) });
}

describe('a damaged repository', () => {
  it('with a flipped bit in a data pack restores no wrong byte, and both checks find it', async () => {
    const { directory, open } = await damaged('data-pack-bit', (at) => flip(packs(at).data, 100));
    const repository = await open();
    await assert.rejects(restoreAll(repository, 'out-1'), { code: 'pack-damaged' });
    assert.deepEqual((await check(repository)).errors, []);
    assert.ok((await check(repository, { readData: true })).errors.every((error) => error.code === 'pack-damaged'));
    assert.ok((await check(repository, { readData: true })).errors.length > 0);
    assert.notEqual(tryRestic(directory, ['check', '--read-data']).status, 0);
  });

  it('with a flipped bit in a tree pack says so', async () => {
    const { open } = await damaged('tree-pack-bit', (at) => flip(packs(at).tree, 40));
    const repository = await open();
    await assert.rejects(restoreAll(repository, 'out-2'), { code: 'pack-damaged' });
    assert.ok((await check(repository)).errors.length > 0);
  });

  it('with a pack cut short or missing says so, and check names it without reading data', async () => {
    for (const [name, damage] of [
      [
        'pack-short',
        (at: string) => {
          const { data } = packs(at);
          chmodSync(data, 0o600);
          writeFileSync(data, readFileSync(data).subarray(0, 90));
        },
      ],
      ['pack-gone', (at: string) => rmSync(packs(at).data)],
    ] as const) {
      const { open } = await damaged(name, damage);
      const repository = await open();
      await assert.rejects(restoreAll(repository, `out-${name}`), { code: 'pack-damaged' });
      assert.equal((await check(repository)).errors.length, 1, name);
    }
  });

  it('with a damaged index refuses to back up, and check says which file', async () => {
    const { open } = await damaged('index-bit', (at) => flip(filesOf(at, 'index')[0] ?? '', 30));
    const repository = await open();
    await assert.rejects(backup({ source: entriesOfPaths([source]), repositories: [repository], paths: [source] }), {
      code: 'index-damaged',
    });
    assert.deepEqual(
      (await check(repository)).errors.map((error) => error.code),
      ['index-damaged'],
    );
  });

  it('without its index fails its check, which names the packs that no index lists', async () => {
    const { open } = await damaged('index-gone', (at) => rmSync(filesOf(at, 'index')[0] ?? ''));
    const repository = await open();
    const checked = await check(repository);
    assert.ok(checked.errors.length > 0);
    assert.equal(checked.hints.filter((hint) => hint.code === 'pack-not-listed').length, 2);
  });

  it('with a damaged snapshot lists the others and names it', async () => {
    const { directory, open } = await damaged('snapshot-bit', () => undefined);
    const repository = await open();
    await backup({ source: entriesOfPaths([source]), repositories: [repository], paths: [source] });
    const [first] = filesOf(directory, 'snapshots');
    flip(first ?? '', 50);
    const { snapshots, problems } = await listSnapshots(repository);
    assert.equal(snapshots.length, 1);
    assert.deepEqual(
      problems.map((problem) => problem.code),
      ['snapshot-damaged'],
    );
    await assert.rejects(findSnapshot(repository, first?.slice(-64) ?? ''), { code: 'snapshot-damaged' });
    assert.deepEqual(
      (await check(repository)).errors.map((error) => error.code),
      ['snapshot-damaged'],
    );
  });

  for (const [title, damage, codes] of [
    ['lost', (at: string) => filesOf(at, 'index').forEach((path) => rmSync(path)), ['index-incomplete']],
    [
      'damaged',
      (at: string) => filesOf(at, 'index').forEach((path) => flip(path, 40)),
      ['index-damaged', 'index-incomplete'],
    ],
  ] as const) {
    it(`with its index ${title} is read by the headers of its packs, which is told, and written by nobody`, async () => {
      const { directory, open } = await damaged(`index-${title}`, damage);
      const repository = await open();
      const snapshot = await findSnapshot(repository, 'latest');
      const target = join(place.path, `out-index-${title}`);
      const restored = await restore({ repository, snapshot, subtree: source, target, verify: true });
      assert.deepEqual(
        restored.problems.map(({ code }) => code),
        codes,
      );
      assert.equal(readFileSync(join(target, 'text'), 'utf8'), 'text\n'.repeat(1000));
      assert.equal(readFileSync(join(target, 'below', 'data')).length, 300_000);
      assert.notEqual(tryRestic(directory, ['restore', 'latest', '--target', join(place.path, 'no')]).status, 0);
      const view = await openView(repository, snapshot);
      const read: Uint8Array[] = [];
      for await (const piece of view.read(join(source, 'text'))) read.push(piece);
      assert.equal(Buffer.concat(read).length, 5000);
      assert.deepEqual(
        view.problems.map(({ code }) => code),
        codes,
      );
      const to = await initRepository(openMemoryStorage(), { kind: 'key', text: generateKey() });
      const copied = await copy({ from: repository, to });
      assert.deepEqual([copied.copied.length, copied.problems.map(({ code }) => code)], [1, codes]);
      assert.deepEqual((await check(to, { readData: true })).errors, []);
      // What was found so is no part of the index that others share.
      if (title === 'damaged')
        await assert.rejects(
          backup({ source: entriesOfPaths([source]), repositories: [repository], paths: [source] }),
          {
            code: 'index-damaged',
          },
        );
      else assert.equal((await repository.index()).blobs, 0);
    });
  }

  it('with a pack lost as well as the index names the blob that is missing', async () => {
    const { open } = await damaged('index-and-pack', (at) => {
      rmSync(packs(at).data);
      for (const path of filesOf(at, 'index')) rmSync(path);
    });
    await assert.rejects(restoreAll(await open(), 'out-index-and-pack'), { code: 'blob-missing' });
  });

  it('on a medium that is read-only is restored without a lock, and nothing is committed so', async () => {
    const { directory } = await damaged('read-only', () => undefined);
    const storage = openLocalStorage(directory);
    const refusing: Storage = wrapStorage(storage, async (call, run, options) => {
      if (call.verb === 'save' || call.verb === 'remove')
        throw new EngineError('storage-refused', { location: directory, action: call.verb, reason: 'EROFS' });
      return run(options);
    });
    const readOnly = await openRepository(refusing, PASSWORD);
    await assert.rejects(restoreAll(readOnly, 'out-locked'), { code: 'storage-refused' });
    await restoreAll(readOnly.withoutLock(), 'out-lockless');
    assert.equal(readFileSync(join(place.path, 'out-lockless', source, 'text')).length, 5000);
    const writable = (await openRepository(storage, PASSWORD)).withoutLock();
    const { snapshots } = await listSnapshots(writable);
    await assert.rejects(
      backup({ source: entriesOfPaths([source]), repositories: [writable], paths: [source], parent: 'none' }),
      { code: 'lock-lost' },
    );
    await assert.rejects(forgetNamed(writable, [snapshots[0]?.id ?? '']), { code: 'lock-lost' });
    assert.deepEqual((await listSnapshots(writable)).snapshots, snapshots);
  });

  it('with a damaged config or key is told from a wrong password and from no repository at all', async () => {
    const config = await damaged('config-bit', (at) => flip(join(at, 'config'), 20));
    await assert.rejects(config.open(), { code: 'config-damaged', hint: /^Only a byte-for-byte copy of this file/ });
    // The config of another repository is sealed with another key: it is no help, and the hint says so.
    const other = openMemoryStorage();
    await initRepository(other, { kind: 'key', text: generateKey() });
    rmSync(join(config.directory, 'config'));
    writeFileSync(join(config.directory, 'config'), await other.load(CONFIG_FILE));
    await assert.rejects(config.open(), { code: 'config-damaged' });
    rmSync(join(config.directory, 'config'));
    copyFileSync(join(whole, 'config'), join(config.directory, 'config'));
    await config.open();
    const key = await damaged('key-bit', (at) => flip(filesOf(at, 'keys')[0] ?? '', 5));
    await assert.rejects(key.open(), { code: 'key-damaged' });
    await assert.rejects(openRepository(openLocalStorage(whole), 'another password'), { code: 'wrong-password' });
    await assert.rejects(openRepository(openLocalStorage(join(place.path, 'nothing here')), PASSWORD), {
      code: 'repository-missing',
    });
    await assert.rejects(initRepository(openLocalStorage(whole), { kind: 'password', text: 'x' }), {
      code: 'repository-exists',
    });
  });

  it('heals by the next backup what its parent lacks, because unchanged files whose blobs are gone are read again', async () => {
    const { directory, open } = await damaged('blobs-gone', (at) => {
      rmSync(packs(at).data);
      for (const path of filesOf(at, 'index')) rmSync(path);
    });
    restic(directory, ['rebuild-index']);
    const repository = await open();
    const result = await backup({ source: entriesOfPaths([source]), repositories: [repository], paths: [source] });
    assert.ok(result.bytesRead > 300_000);
    await restoreAll(repository, 'out-8');
    assert.match(restic(directory, ['check', '--read-data']), /no errors/);
  });
});

describe('a repository on a full disk', () => {
  const filler = async function* (bytes: number): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes; at += 500_000) yield randomBytes(500_000);
  };

  it('fails with a code, keeps its snapshots, and takes the next backup when there is space', async () => {
    const mount = join(place.path, 'small');
    mkdirSync(mount);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'none', mount]);
    try {
      const repository = await makeRepository(join(mount, 'repository'));
      await backup({ source: entriesOfPaths([source]), repositories: [repository], paths: [source] });
      const big = backup({
        source: [{ kind: 'stream', name: 'big', open: () => filler(20_000_000) }],
        repositories: [repository],
        paths: ['/big'],
      });
      await assert.rejects(big, { code: 'storage-full' });
      assert.equal((await listSnapshots(repository)).snapshots.length, 1);
      assert.match(restic(join(mount, 'repository'), ['check', '--read-data']), /no errors/);
      execFileSync('mount', ['-o', 'remount,size=60m', mount]);
      await backup({
        source: [{ kind: 'stream', name: 'big', open: () => filler(20_000_000) }],
        repositories: [repository],
        paths: ['/big'],
      });
      assert.match(restic(join(mount, 'repository'), ['check', '--read-data']), /no errors/);
    } finally {
      execFileSync('umount', [mount]);
    }
  });

  it('is told from a target that can not be written at all', async () => {
    const repository = await openRepository(openLocalStorage(whole), PASSWORD);
    const snapshot = await findSnapshot(repository, 'latest');
    await assert.rejects(restore({ repository, snapshot, target: '/proc/nothing/here' }), { code: 'target-failed' });
    writeFileSync(join(place.path, 'a file'), '');
    const below = restore({ repository, snapshot, target: join(place.path, 'a file', 'out') });
    await assert.rejects(below, { code: 'target-failed' });
  });

  it('or under a quota that is used up fails with the same codes, as a storage and as a target', async (t) => {
    const mount = join(place.path, 'counted');
    mkdirSync(mount);
    await using counted = await mountWithQuota(mount, 4);
    if (counted === null) return t.diagnostic('no Btrfs could be mounted here');
    const repository = await makeRepository(join(counted.path, 'repository'));
    const source: SourceEntry[] = [{ kind: 'stream', name: 'big', open: () => filler(20_000_000) }];
    await assert.rejects(backup({ source, repositories: [repository], paths: ['/big'] }), { code: 'storage-full' });
    const other = await makeRepository(join(place.path, 'for the quota'));
    await backup({ source, repositories: [other], paths: ['/big'] });
    const snapshot = await findSnapshot(other, 'latest');
    const target = join(counted.path, 'out');
    await assert.rejects(restore({ repository: other, snapshot, target }), (error: unknown) => {
      assert.equal((error as EngineError).code, 'target-full');
      return true;
    });
  });

  it('as the target of a restore is told from other failures', async () => {
    const mount = join(place.path, 'target');
    mkdirSync(mount);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=200k', 'none', mount]);
    try {
      const repository = await openRepository(openLocalStorage(whole), PASSWORD);
      await assert.rejects(
        restore({ repository, snapshot: await findSnapshot(repository, 'latest'), target: join(mount, 'out') }),
        { code: 'target-full' },
      );
    } finally {
      execFileSync('umount', [mount]);
    }
  });
});
