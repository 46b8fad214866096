import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { basename, join } from 'node:path';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import {
  backup,
  check,
  findSnapshot,
  listSnapshots,
  openLocalStorage,
  openRepository,
  openView,
  restore,
} from '../src/index.ts';
import type { SourceEntry } from '../src/index.ts';
import {
  PASSWORD,
  describeTree,
  makeHostileTree,
  makeRepository,
  openWorkplace,
  restic,
  resticBackup,
} from './fixtures.ts';

/** As restic lays out a relative path: what lies above is not listed. */
const treeAt = (path: string): SourceEntry[] => [{ kind: 'tree', name: basename(path), path }];

async function backUp(repository: Awaited<ReturnType<typeof makeRepository>>, path: string): ReturnType<typeof backup> {
  return backup({ source: treeAt(path), repositories: [repository], paths: [path] });
}

describe('with stock restic as the other party', () => {
  it('finds nothing new, neither data nor listings, after ours on a tree with every hostile name, link and device', async () => {
    using place = openWorkplace();
    const [source, directory] = [join(place.path, 'source'), join(place.path, 'repository')];
    makeHostileTree(source);
    const repository = await makeRepository(directory);
    const ours = await backUp(repository, source);
    assert.deepEqual(ours.problems, []);
    assert.ok(ours.dataBlobs > 20);
    const theirs = resticBackup(directory, source);
    assert.deepEqual({ data: theirs.dataBlobs, trees: theirs.treeBlobs }, { data: 0, trees: 0 });
    assert.match(restic(directory, ['check', '--read-data']), /no errors were found/);
  });

  it('leaves us nothing new, neither data nor listings, when it was first', async () => {
    using place = openWorkplace();
    const [source, directory] = [join(place.path, 'source'), join(place.path, 'repository')];
    makeHostileTree(source);
    restic(directory, ['init']);
    const theirs = resticBackup(directory, source);
    const repository = await openRepository(openLocalStorage(directory), PASSWORD);
    const reread = await backup({
      source: treeAt(source),
      repositories: [repository],
      paths: [source],
      parent: 'none',
    });
    assert.deepEqual(
      { data: reread.dataBlobs, trees: reread.treeBlobs, read: reread.bytesRead > 0 },
      { data: 0, trees: 0, read: true },
    );
    const again = await backUp(repository, source);
    assert.equal(again.snapshots[0]?.parent, reread.snapshots[0]?.id);
    const fromTheirs = await backup({
      source: treeAt(source),
      repositories: [repository],
      paths: [source],
      parent: (await findSnapshot(repository, theirs.snapshot)).id,
    });
    assert.equal(fromTheirs.bytesRead, 0, 'a snapshot of restic is a parent whose unchanged files are not read');
  });

  it('restores from our repository what was backed up, and we from its', async () => {
    using place = openWorkplace();
    const [source, directory] = [join(place.path, 'source'), join(place.path, 'repository')];
    makeHostileTree(source);
    const before = describeTree(source);
    const repository = await makeRepository(directory);
    const { snapshots } = await backUp(repository, source);
    restic(directory, ['restore', snapshots[0]?.id ?? '', '--target', join(place.path, 'by-restic')]);
    assert.deepEqual(describeTree(join(place.path, 'by-restic', 'source')), before);

    resticBackup(directory, source);
    const theirs = await findSnapshot(repository, 'latest');
    assert.notEqual(theirs.id, snapshots[0]?.id);
    const result = await restore({
      repository,
      snapshot: theirs,
      subtree: '/source',
      target: join(place.path, 'by-us'),
      verify: true,
    });
    assert.deepEqual(result.problems, []);
    assert.deepEqual(describeTree(join(place.path, 'by-us')), before);
  });

  it('lists the same files as we do, and our check finds its repository whole', async () => {
    using place = openWorkplace();
    const [source, directory] = [join(place.path, 'source'), join(place.path, 'repository')];
    makeHostileTree(source);
    restic(directory, ['init']);
    resticBackup(directory, source);
    const repository = await openRepository(openLocalStorage(directory), PASSWORD);
    const view = await openView(repository, await findSnapshot(repository, 'latest'));
    const ours = new Map<string, number>();
    for await (const { path, entry } of view.walk('/')) ours.set(path, entry.size);
    const nodes = restic(directory, ['ls', '--json', 'latest'])
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => JSON.parse(line) as { path: string; size?: number });
    assert.ok(nodes.length > 25);
    for (const node of nodes) assert.equal(ours.get(node.path), node.size ?? 0, node.path);
    assert.equal(ours.size, nodes.length);
    const checked = await check(repository, { readData: true });
    assert.deepEqual(
      { errors: checked.errors, hints: checked.hints, snapshots: checked.snapshots },
      { errors: [], hints: [], snapshots: 1 },
    );
  });

  it('prunes and rewrites what we wrote, and we read on', async () => {
    using place = openWorkplace();
    const [source, directory] = [join(place.path, 'source'), join(place.path, 'repository')];
    mkdirSync(source);
    writeFileSync(join(source, 'first'), 'a'.repeat(100_000));
    const repository = await makeRepository(directory);
    await backUp(repository, source);
    writeFileSync(join(source, 'second'), 'b'.repeat(100_000));
    await backUp(repository, source);
    restic(directory, ['forget', '--keep-last', '1', '--prune', '--max-unused', '0', '--group-by', 'host']);
    restic(directory, ['tag', '--add', 'kept', 'latest']);
    const { snapshots } = await listSnapshots(repository, { tags: ['kept'] });
    assert.equal(snapshots.length, 1);
    const [snapshot] = snapshots;
    assert.ok(snapshot);
    await restore({ repository, snapshot, subtree: '/source', target: join(place.path, 'out') });
    assert.deepEqual(describeTree(join(place.path, 'out')), describeTree(source));
  });

  it('keeps the bytes of link targets that are not UTF-8', async () => {
    using place = openWorkplace();
    const source = join(place.path, 'source');
    mkdirSync(source);
    symlinkSync(Buffer.from('raw \xff\xc3 bytes', 'latin1'), join(source, 'link'));
    const repository = await makeRepository(join(place.path, 'repository'));
    const { snapshots } = await backUp(repository, source);
    const snapshot = await findSnapshot(repository, snapshots[0]?.id ?? '');
    await restore({ repository, snapshot, subtree: '/source', target: join(place.path, 'out') });
    assert.deepEqual(describeTree(join(place.path, 'out')), describeTree(source));
  });
});
