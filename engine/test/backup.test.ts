import assert from 'node:assert/strict';
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import {
  EngineError,
  backup,
  entriesOfPaths,
  findSnapshot,
  generateKey,
  initRepository,
  listSnapshots,
  openLocalStorage,
  openRepository,
  openView,
  restore,
} from '../src/index.ts';
import type { BackupResult, SourceEntry } from '../src/index.ts';
import { Repository } from '../src/repository.ts';
import { wrapStorage } from '../src/storage/wrap-storage.ts';
import type { StorageCall } from '../src/storage/wrap-storage.ts';
import { describeTree, makeRepository, openWorkplace, restic } from './fixtures.ts';

const backUp = async (repository: Repository, path: string): Promise<BackupResult> =>
  backup({ source: [{ kind: 'tree', name: 'site', path }], repositories: [repository], paths: [path] });

function makeSite(root: string, files = 300): void {
  for (let i = 0; i < files; i++) {
    const directory = join(root, `d${i % 17}`);
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, `f${i}.php`), `<?php // ${i}\n`.repeat(1 + (i % 40)));
  }
}

/** Megabytes that no pack can hold all of. */
async function* randomBytesOf(megabytes: number): AsyncGenerator<Uint8Array> {
  for (let count = 0; count < megabytes; count++) yield randomBytes(1_000_000);
}

async function* bytesOf(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

async function contentOf(repository: Repository, snapshot: string, path: string): Promise<string> {
  const view = await openView(repository, await findSnapshot(repository, snapshot));
  const pieces: Uint8Array[] = [];
  for await (const piece of view.read(path)) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

describe('backup', () => {
  it('does not read files again that did not change, and stores nothing', async () => {
    using place = openWorkplace();
    makeSite(join(place.path, 'site'));
    const repository = await makeRepository(join(place.path, 'repository'));
    const first = await backUp(repository, join(place.path, 'site'));
    assert.equal(first.files.new, 300);
    const second = await backUp(repository, join(place.path, 'site'));
    assert.deepEqual(second.files, { new: 0, changed: 0, unmodified: 300 });
    assert.deepEqual([second.bytesRead, second.dataBlobs, second.treeBlobs], [0, 0, 0]);
    assert.equal(second.snapshots[0]?.tree, first.snapshots[0]?.tree);
    assert.equal(second.bytesProcessed, first.bytesRead);
  });

  it('reads exactly what was added, changed, renamed or replaced, and forgets what was removed', async () => {
    using place = openWorkplace();
    const site = join(place.path, 'site');
    makeSite(site);
    const repository = await makeRepository(join(place.path, 'repository'));
    await backUp(repository, site);
    writeFileSync(join(site, 'd0', 'added'), 'new');
    appendFileSync(join(site, 'd1', 'f1.php'), 'more');
    renameSync(join(site, 'd2', 'f2.php'), join(site, 'd3', 'moved.php'));
    rmSync(join(site, 'd4', 'f4.php'));
    chmodSync(join(site, 'd5', 'f5.php'), 0o600);
    const result = await backUp(repository, site);
    assert.deepEqual(result.files, { new: 2, changed: 2, unmodified: 296 });
    assert.equal(result.dataBlobs, 2, 'a rename and a change of mode store no data');
    const snapshot = await findSnapshot(repository, 'latest');
    await restore({ repository, snapshot, subtree: '/site', target: join(place.path, 'out') });
    assert.deepEqual(describeTree(join(place.path, 'out')), describeTree(site));
  });

  it('reads a file again whose content changed while size and modification time stayed', async () => {
    using place = openWorkplace();
    const site = join(place.path, 'site');
    mkdirSync(site);
    writeFileSync(join(site, 'f'), 'aaaa');
    utimesSync(join(site, 'f'), 1000, 1000);
    const repository = await makeRepository(join(place.path, 'repository'));
    await backUp(repository, site);
    writeFileSync(join(site, 'f'), 'bbbb');
    utimesSync(join(site, 'f'), 1000, 1000);
    await backUp(repository, site);
    assert.equal(await contentOf(repository, 'latest', '/site/f'), 'bbbb');
  });

  it('takes made-up directories and streams beside walked trees, each stream after what comes before it', async () => {
    using place = openWorkplace();
    const site = join(place.path, 'site');
    makeSite(site, 40);
    const repository = await makeRepository(join(place.path, 'repository'));
    const order: string[] = [];
    const stream = (name: string, ...texts: string[]): SourceEntry => ({
      kind: 'stream',
      name,
      async *open() {
        order.push(`open ${name}`);
        yield* bytesOf(...texts);
        order.push(`end ${name}`);
      },
    });
    async function* dump(): AsyncGenerator<SourceEntry> {
      yield stream('000000-head.sql', 'head');
      order.push('between');
      yield stream('000001-users.sql', 'a', 'b'.repeat(3_000_000), 'c');
    }
    const result = await backup({
      source: [
        { kind: 'directory', name: 'databases', entries: [{ kind: 'directory', name: 'shop', entries: dump() }] },
        { kind: 'tree', name: 'site', path: site, exclude: [join(site, 'd1')] },
        stream('manifest.json', '{}'),
      ],
      repositories: [repository],
      paths: ['/salvor/site'],
      tags: ['salvor', 'point:1'],
    });
    assert.deepEqual(order, [
      'open 000000-head.sql',
      'end 000000-head.sql',
      'between',
      'open 000001-users.sql',
      'end 000001-users.sql',
      'open manifest.json',
      'end manifest.json',
    ]);
    const id = result.snapshots[0]?.id ?? '';
    assert.equal(await contentOf(repository, id, '/databases/shop/000001-users.sql'), `a${'b'.repeat(3_000_000)}c`);
    assert.equal(await contentOf(repository, id, '/manifest.json'), '{}');
    const view = await openView(repository, await findSnapshot(repository, id));
    const names: string[] = [];
    for await (const entry of view.list('/site')) names.push(entry.name);
    assert.ok(names.includes('d0') && !names.includes('d1'));
    assert.deepEqual(
      (await listSnapshots(repository, { tags: ['point:1', 'salvor'] })).snapshots.map((snapshot) => snapshot.id),
      [id],
    );
    assert.match(restic(join(place.path, 'repository'), ['check', '--read-data']), /no errors/);
  });

  it('takes over what a snapshot holds without reading it, with other entries in the place of some, whole for restic', async () => {
    using place = openWorkplace();
    const site = join(place.path, 'site');
    makeSite(site, 40);
    const repository = await makeRepository(join(place.path, 'repository'));
    const from = await findSnapshot(repository, (await backUp(repository, site)).snapshots[0]?.id ?? '');
    const late = join(place.path, 'late');
    makeSite(late, 20);
    writeFileSync(join(late, 'd2/f2.php'), 'late');
    const instead: SourceEntry[] = [
      { kind: 'stored', name: 'd1', from, path: '/site/d1', without: ['f1.php'] },
      { kind: 'tree', name: 'd2', path: join(late, 'd2') },
      { kind: 'tree', name: 'new', path: join(late, 'd3') },
    ];
    const wanted = { repositories: [repository], paths: ['/salvor/site'] };
    const result = await backup({
      ...wanted,
      source: [{ kind: 'stored', name: 'moved', from, path: '/site', instead, without: ['d0', 'd9'] }],
    });
    assert.deepEqual([result.problems, result.bytesRead > 0 && result.bytesRead < 2000], [[], true]);
    const id = result.snapshots[0]?.id ?? '';
    await restore({ repository, snapshot: await findSnapshot(repository, id), target: join(place.path, 'out') });
    for (const gone of ['d0', 'd9', 'd1/f1.php', 'd2']) rmSync(join(site, gone), { recursive: true });
    renameSync(join(late, 'd2'), join(site, 'd2'));
    renameSync(join(late, 'd3'), join(site, 'new'));
    const textOf = (root: string): string[] => readdirSync(root, { recursive: true, encoding: 'utf8' }).toSorted();
    const out = join(place.path, 'out', 'moved');
    assert.deepEqual(textOf(out), textOf(site));
    const isFile = (path: string): boolean => path.includes('.');
    const expected = describeTree(site);
    for (const [path, facts] of describeTree(out)) if (isFile(path)) assert.equal(facts, expected.get(path), path);
    assert.match(restic(join(place.path, 'repository'), ['check', '--read-data']), /no errors/);
    const other = await makeRepository(join(place.path, 'other'));
    const stored: SourceEntry = { kind: 'stored', name: 'site', from, path: '/site' };
    await assert.rejects(backup({ ...wanted, source: [stored], repositories: [repository, other] }));
    await assert.rejects(
      backup({ ...wanted, source: [{ ...stored, path: '/gone' }] }),
      (error) => error instanceof EngineError && error.code === 'path-unknown',
    );
  });

  it('makes each array of a stream that cuts itself one blob, and splits what is larger than a piece', async () => {
    using place = openWorkplace();
    const repository = await makeRepository(join(place.path, 'repository'));
    const given = async (texts: readonly string[]): Promise<BackupResult> =>
      backup({
        source: [{ kind: 'stream', name: 'table.sql', cut: 'given', open: () => bytesOf(...texts) }],
        repositories: [repository],
        paths: ['/dump'],
        workers: 2,
      });
    const texts = Array.from({ length: 3000 }, (_, at) => `${at},`.repeat(1 + ((at * 37) % 300)));
    texts.push('', 'y'.repeat(2_500_000), 'z');
    const first = await given(texts);
    assert.equal(first.dataBlobs, 3000 + 3 + 1 - 1, 'the first two pieces of 1 MiB of the same letter are one blob');
    assert.equal(first.bytesProcessed, texts.join('').length);
    assert.ok((await contentOf(repository, 'latest', '/table.sql')) === texts.join(''));
    const view = await openView(repository, await findSnapshot(repository, 'latest'));
    const whole = texts.join('');
    for (const [offset, length] of [
      [0, 1],
      [5000, 700_000],
      [whole.length - 2_600_000, 2_000_000],
      [whole.length - 3, 100],
      [whole.length, 10],
    ] as const) {
      const parts: Uint8Array[] = [];
      for await (const part of view.read('/table.sql', { offset, length })) parts.push(part);
      assert.ok(Buffer.concat(parts).toString() === whole.slice(offset, offset + length), `from ${offset}`);
    }
    const second = await given([...texts.slice(0, 1000), 'one more,', ...texts.slice(1000)]);
    assert.equal(second.dataBlobs, 1);
    assert.equal((await given([])).bytesProcessed, 0);
  });

  it('makes no snapshot when a stream fails, says which one, and the next run is not confused by what was claimed', async () => {
    using place = openWorkplace();
    const repository = await makeRepository(join(place.path, 'repository'));
    const cause = new Error('the dump ended too early');
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield Buffer.alloc(2_000_000, 'x');
      throw cause;
    }
    const source: SourceEntry[] = [{ kind: 'stream', name: 'dump.sql', open: broken }];
    await assert.rejects(backup({ source, repositories: [repository], paths: ['/x'] }), (error: EngineError) => {
      assert.equal(error.code, 'source-failed');
      assert.equal(error.cause, cause);
      return error.message.includes('/dump.sql');
    });
    assert.equal((await listSnapshots(repository)).snapshots.length, 0);
    const good: SourceEntry[] = [{ kind: 'stream', name: 'dump.sql', open: () => bytesOf('x'.repeat(2_000_000)) }];
    const result = await backup({ source: good, repositories: [repository], paths: ['/x'] });
    assert.equal(await contentOf(repository, result.snapshots[0]?.id ?? '', '/dump.sql'), 'x'.repeat(2_000_000));
    assert.match(restic(join(place.path, 'repository'), ['check', '--read-data']), /no errors/);
  });

  it('names what it can not read and keeps the rest', async () => {
    using place = openWorkplace();
    const repository = await makeRepository(join(place.path, 'repository'));
    // Reading /proc/self/mem at 0 fails with EIO for everybody, root included.
    const result = await backup({
      source: [
        {
          kind: 'directory',
          name: 'd',
          entries: [
            { kind: 'tree', name: 'mem', path: '/proc/self/mem' },
            { kind: 'tree', name: 'etc', path: '/etc/hostname' },
          ],
        },
      ],
      repositories: [repository],
      paths: ['/d'],
    });
    assert.deepEqual(
      result.problems.map(({ code, path }) => `${code} ${path}`),
      ['unreadable /proc/self/mem'],
    );
    assert.equal(
      await contentOf(repository, result.snapshots[0]?.id ?? '', '/d/etc'),
      readFileSync('/etc/hostname', 'utf8'),
    );
  });

  it('ends at once when it is cancelled, without a snapshot', async () => {
    using place = openWorkplace();
    const repository = await makeRepository(join(place.path, 'repository'));
    const controller = new AbortController();
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (let i = 0; ; i++) {
        if (i === 3) controller.abort();
        yield Buffer.alloc(1_000_000, i);
      }
    }
    const running = backup({
      source: [{ kind: 'stream', name: 'endless', open: endless }],
      repositories: [repository],
      paths: ['/e'],
      signal: controller.signal,
    });
    await assert.rejects(running, { code: 'cancelled' });
    assert.equal((await listSnapshots(repository)).snapshots.length, 0);
    assert.equal((await repository.storage.list('locks')).length, 0);
  });

  it('ends a call of the storage that hangs when it is cancelled, and so does a restore', async () => {
    using place = openWorkplace();
    const repository = await makeRepository(join(place.path, 'repository'));
    const source: SourceEntry[] = [{ kind: 'stream', name: 's', open: () => randomBytesOf(40) }];
    const hanging = (verb: StorageCall['verb'], onHang: () => void): Repository => {
      const { key, id, version, polynomial, clock } = repository;
      const storage = wrapStorage(repository.storage, async (call, run, options) => {
        if (call.verb !== verb || !('file' in call) || call.file.kind !== 'data') return run(options);
        const { promise, reject } = Promise.withResolvers<never>();
        options.signal?.addEventListener('abort', () => reject(new Error('ended')));
        onHang();
        return promise;
      });
      return new Repository(storage, key, { id, version, polynomial }, clock);
    };
    const saving = new AbortController();
    const broken = hanging('save', () => saving.abort());
    await assert.rejects(backup({ source, repositories: [broken], paths: ['/s'], signal: saving.signal }), {
      code: 'cancelled',
    });
    assert.equal((await repository.storage.list('locks')).length, 0);

    const made = await backup({ source, repositories: [repository], paths: ['/s'] });
    const snapshot = await findSnapshot(repository, made.snapshots[0]?.id ?? '');
    const loading = new AbortController();
    const { signal } = loading;
    const target = join(place.path, 'out');
    await assert.rejects(restore({ repository: hanging('load', () => loading.abort()), snapshot, target, signal }), {
      code: 'cancelled',
    });
    assert.equal((await repository.storage.list('locks')).length, 0);
  });

  it('commits no snapshot when its lock was taken away meanwhile: others may have pruned what it needs', async () => {
    using place = openWorkplace();
    const repository = await makeRepository(join(place.path, 'repository'));
    async function* open(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('content');
      for (const { id } of await repository.storage.list('locks'))
        await repository.storage.remove({ kind: 'locks', id });
    }
    const source: SourceEntry[] = [{ kind: 'stream', name: 's', open }];
    await assert.rejects(backup({ source, repositories: [repository], paths: ['/s'] }), { code: 'lock-lost' });
    assert.deepEqual((await listSnapshots(repository)).snapshots, []);
  });

  it('writes into two repositories in one reading, each with its own key, both whole', async () => {
    using place = openWorkplace();
    const site = join(place.path, 'site');
    makeSite(site, 100);
    const [here, there] = [join(place.path, 'here'), join(place.path, 'there')];
    const [first, second] = [generateKey(), generateKey()];
    const one = await initRepository(openLocalStorage(here), { kind: 'key', text: first });
    const two = await initRepository(openLocalStorage(there), { kind: 'key', text: second }, { polynomialOf: one });
    const result = await backup({ source: entriesOfPaths([site]), repositories: [one, two], paths: [site] });
    assert.equal(result.snapshots.length, 2);
    assert.equal(result.snapshots[0]?.tree, result.snapshots[1]?.tree);
    for (const [directory, key] of [
      [here, first],
      [there, second],
    ] as const)
      assert.match(restic(directory, ['check', '--read-data'], key), /no errors/);
    const other = await initRepository(openLocalStorage(join(place.path, 'other')), { kind: 'key', text: first });
    await assert.rejects(backup({ source: entriesOfPaths([site]), repositories: [one, other], paths: [site] }), {
      code: 'polynomial-differs',
    });
  });

  it('opens a repository with a generated key in a hundredth of the time that a chosen password costs', async () => {
    using place = openWorkplace();
    const key = generateKey();
    await initRepository(openLocalStorage(place.path), { kind: 'key', text: key });
    const [file] = await openLocalStorage(place.path).list('keys');
    const { N, r, p } = JSON.parse(readFileSync(join(place.path, 'keys', file?.id ?? ''), 'utf8')) as {
      N: number;
      r: number;
      p: number;
    };
    assert.ok(N * r * p <= (32_768 * 8) / 30);
    assert.equal((await openRepository(openLocalStorage(place.path), key)).version, 2);
    assert.match(restic(place.path, ['snapshots', '--json'], key), /^\[\]|null/);
  });
});
