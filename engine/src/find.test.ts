import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { openChangingTree } from '../test/changing-tree.ts';
import type { ChangingTree } from '../test/changing-tree.ts';
import { EngineError } from './errors.ts';
import { find, findBlobs } from './find.ts';
import type { FindBlobsOptions, FindOptions } from './find.ts';
import { readIndexFiles } from './index/load-index.ts';
import { parsePattern } from './path-pattern.ts';
import { findSnapshot } from './snapshots.ts';

let tree: ChangingTree;
before(async () => {
  tree = await openChangingTree();
});
after(() => tree[Symbol.dispose]());

const byText = (a: string, b: string): number => (a < b ? -1 : 1);

async function ourPaths(options: FindOptions): Promise<readonly string[]> {
  const found = await Array.fromAsync(find(tree.repository, options));
  return found
    .map(
      ({ snapshot, path, entry }) => `${snapshot.id} ${path} ${entry.type} ${entry.type === 'file' ? entry.size : 0}`,
    )
    .sort(byText);
}

function theirPaths(args: readonly string[]): readonly string[] {
  const found = JSON.parse(tree.restic(['find', '--json', ...args])) as {
    snapshot: string;
    matches: { path: string; type: string; size?: number }[];
  }[];
  return found
    .flatMap(({ snapshot, matches }) =>
      matches.map(({ path, type, size }) => `${snapshot} ${path} ${type} ${type === 'file' ? (size ?? 0) : 0}`),
    )
    .sort(byText);
}

async function ourBlobs(options: FindBlobsOptions): Promise<readonly string[]> {
  const found = await Array.fromAsync(findBlobs(tree.repository, options));
  return found.map(({ snapshot, path, type, id }) => `${snapshot.id} ${path} ${type} ${id}`).sort(byText);
}

function theirBlobs(args: readonly string[]): readonly string[] {
  const found = JSON.parse(tree.restic(['find', '--json', ...args])) as {
    object_type: string;
    id: string;
    path: string;
    snapshot: string;
  }[];
  const lines = found.map(
    ({ snapshot, path, object_type, id }) => `${snapshot} ${path} ${object_type === 'tree' ? 'tree' : 'data'} ${id}`,
  );
  return [...new Set(lines)].sort(byText);
}

const isInvalid = (error: unknown): boolean => error instanceof EngineError && error.code === 'pattern-invalid';

describe('find by name', () => {
  it('finds in all snapshots what stock restic finds', async () => {
    const { source } = tree;
    const patterns = [
      ['text'],
      ['*.php'],
      ['deep'],
      ['deep/er'],
      ['sub/**/text'],
      ['**/er/*'],
      [source],
      [`${source}/sub`],
      ['/sub'],
      ['[a-l]*'],
      ['[^a-z]*'],
      ['p?ain.php', 'new'],
      ['\\*\\?\\['],
      ['*é*'],
      ['sub/../large'],
      ['new/'],
      ['large*e'],
      ['é'],
    ];
    for (const each of patterns) {
      assert.deepEqual(await ourPaths({ patterns: each }), theirPaths(each), each.join(' '));
    }
  });

  it('ignores case where asked, as stock restic does', async () => {
    const ours = await ourPaths({ patterns: ['FILE.php'], ignoreCase: true });
    assert.deepEqual(ours, theirPaths(['--ignore-case', 'FILE.php']));
    assert.equal(ours.length, 2);
    assert.deepEqual(await ourPaths({ patterns: ['FILE.php'] }), []);
  });

  it('finds only what was changed in a time', async () => {
    const patterns = ['*'];
    const [oldest, newest] = [new Date('1999-01-01T00:00:00Z'), new Date('2021-01-01T00:00:00Z')];
    const ours = await ourPaths({ patterns, oldest, newest });
    assert.deepEqual(ours, theirPaths(['--oldest', '1999-01-01 00:00:00', '--newest', '2021-01-01 00:00:00', '*']));
    // `link` of the first day, and `sub`, whose time was set.
    assert.ok(ours.length > 0);
  });

  it('looks only into the snapshots that were named', async () => {
    const ours = await ourPaths({ patterns: ['text'], filter: { tags: [['day-2'], ['day-3']] } });
    assert.deepEqual(ours, theirPaths(['--tag', 'day-2', '--tag', 'day-3', 'text']));
    assert.equal(ours.length, 1);
  });

  it('refuses what is no pattern with pattern-invalid', () => {
    for (const pattern of ['', '[', '[]', '[a', '[a-', '[-a]', 'a\\', '[a\\', 'x'.repeat(5000)])
      assert.throws(() => parsePattern(pattern), isInvalid, pattern.slice(0, 10));
  });

  it('is not slowed down by many stars', () => {
    const { fits } = parsePattern(`${'*a'.repeat(40)}b`);
    const began = performance.now();
    assert.equal(fits(`/${`${'a'.repeat(250)}/`.repeat(40)}`), false);
    assert.ok(performance.now() - began < 1000);
  });
});

describe('find by id', () => {
  it('finds every place of a blob that stock restic finds', async () => {
    const ids: string[] = [];
    for await (const { packs } of readIndexFiles(tree.repository.storage, tree.repository.key))
      for (const { blobs } of packs) ids.push(...blobs.filter(({ type }) => type === 'data').map(({ id }) => id));
    assert.ok(ids.length > 20);
    const ours = await ourBlobs({ kind: 'blob', ids });
    assert.deepEqual(ours, theirBlobs(['--blob', ...ids]));
    assert.ok(ours.some((line) => line.includes('/copy of content 1')));
    assert.deepEqual(
      await ourBlobs({ kind: 'blob', ids: [ids[0]?.slice(0, 8) ?? ''] }),
      ours.filter((line) => line.endsWith(ids[0] ?? '-')),
    );
  });

  it('finds the directories that a listing is of, the root too', async () => {
    const { tree: root } = await findSnapshot(tree.repository, tree.snapshots[0] ?? '');
    assert.deepEqual(await ourBlobs({ kind: 'tree', ids: [root.slice(0, 12)] }), [
      `${tree.snapshots[0]} / tree ${root}`,
    ]);
  });

  it('finds everything that lies in a pack', async () => {
    for await (const { packs } of readIndexFiles(tree.repository.storage, tree.repository.key)) {
      for (const { id, blobs } of packs) {
        const ours = await ourBlobs({ kind: 'pack', ids: [id] });
        assert.equal(new Set(ours.map((line) => line.slice(-64))).size, blobs.length);
        if (blobs[0]?.type === 'data') assert.deepEqual(ours, theirBlobs(['--pack', id]));
      }
    }
  });

  it('refuses what is no id with pattern-invalid', async () => {
    await assert.rejects(ourBlobs({ kind: 'blob', ids: ['abc'] }), isInvalid);
    await assert.rejects(ourBlobs({ kind: 'tree', ids: ['not an id'] }), isInvalid);
  });
});

describe('a listing that is damaged', () => {
  it('is named, and the rest is looked through', async () => {
    using other = await openChangingTree();
    const { storage } = other.repository;
    const [day] = await Array.fromAsync(
      find(other.repository, { patterns: ['inside'], filter: { ids: [other.snapshots[2] ?? ''] } }),
    );
    assert.ok(day !== undefined);
    for await (const { packs } of readIndexFiles(storage, other.repository.key))
      for (const { id, blobs } of packs)
        if (blobs.some(({ id: blob }) => blob === day.snapshot.tree)) await storage.remove({ kind: 'data', id });
    const running = find(other.repository, { patterns: ['inside'] });
    const found: string[] = [];
    let step = await running.next();
    for (; step.done !== true; step = await running.next()) found.push(step.value.snapshot.id);
    assert.deepEqual(found, [other.snapshots[1]]);
    assert.deepEqual(
      step.value.map(({ code }) => code),
      ['pack-damaged'],
    );
  });
});
