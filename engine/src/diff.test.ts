import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { openChangingTree } from '../test/changing-tree.ts';
import type { ChangingTree } from '../test/changing-tree.ts';
import { backup } from './backup.ts';
import { diff } from './diff.ts';
import type { DiffChange, DiffOptions, DiffSide, DiffStatistics } from './diff.ts';
import { EngineError } from './errors.ts';
import type { Repository } from './repository.ts';
import { findSnapshot } from './snapshots.ts';
import type { SourceEntry } from './tree/source.ts';

let tree: ChangingTree;
before(async () => {
  tree = await openChangingTree();
});
after(() => tree[Symbol.dispose]());

type Done = { readonly changes: readonly DiffChange[]; readonly statistics: DiffStatistics };

async function runDiff(repository: Repository, from: DiffSide, to: DiffSide, options?: DiffOptions): Promise<Done> {
  const running = diff(repository, from, to, options);
  const changes: DiffChange[] = [];
  for (;;) {
    const step = await running.next();
    if (step.done === true) return { changes, statistics: step.value };
    changes.push(step.value);
  }
}

async function between(first: number, second: number, options?: DiffOptions): Promise<Done> {
  const side = async (nr: number): Promise<DiffSide> => ({
    snapshot: await findSnapshot(tree.repository, tree.snapshots[nr] ?? ''),
  });
  return runDiff(tree.repository, await side(first), await side(second), options);
}

type TheirLine = { message_type: string; path: string; modifier: string };
type TheirCounts = {
  files: number;
  dirs: number;
  others: number;
  data_blobs: number;
  tree_blobs: number;
  bytes: number;
};
type TheirStatistics = { changed_files: number; added: TheirCounts; removed: TheirCounts };

function theirDiff(first: number, second: number, flags: readonly string[]): Done {
  const ids = [tree.snapshots[first] ?? '', tree.snapshots[second] ?? ''];
  const lines = tree
    .restic(['diff', '--json', ...flags, ...ids])
    .trim()
    .split('\n');
  const last = JSON.parse(lines.pop() ?? '') as TheirStatistics;
  const changes = lines.map((line) => JSON.parse(line) as TheirLine);
  const counts = ({ data_blobs: dataBlobs, tree_blobs: treeBlobs, ...rest }: TheirCounts): DiffStatistics['added'] => ({
    ...rest,
    dataBlobs,
    treeBlobs,
  });
  return {
    changes: changes.map(({ path, modifier }) => ({ path, modifier })),
    statistics: { changedFiles: last.changed_files, added: counts(last.added), removed: counts(last.removed) },
  };
}

describe('diff', () => {
  it('says what stock restic says, change by change and in every count, forth and back', async () => {
    for (const [first, second] of [
      [0, 1],
      [1, 0],
      [1, 2],
      [0, 2],
    ] as const) {
      const ours = await between(first, second, { statistics: true });
      assert.deepEqual(ours, theirDiff(first, second, []), `${first} to ${second}`);
      assert.ok(ours.changes.length > 1);
    }
  });

  it('also says with metadata what stock restic says', async () => {
    const ours = await between(0, 1, { statistics: true, metadata: true });
    assert.deepEqual(ours, theirDiff(0, 1, ['--metadata']));
    assert.ok(ours.changes.some(({ path, modifier }) => path.endsWith('/.htaccess') && modifier === 'U'));
  });

  it('finds nothing between a snapshot and itself', async () => {
    const { changes, statistics } = await between(1, 1, { statistics: true, metadata: true });
    assert.deepEqual([changes, statistics.added.bytes, statistics.changedFiles], [[], 0, 0]);
  });

  it('compares directories of two snapshots, and is told from there', async () => {
    const [first, second] = await Promise.all(tree.snapshots.map(async (id) => findSnapshot(tree.repository, id)));
    assert.ok(first !== undefined && second !== undefined);
    const path = `${tree.source}/sub`;
    const { changes } = await runDiff(tree.repository, { snapshot: first, path }, { snapshot: second, path });
    assert.deepEqual(
      changes.map((each) => `${each.modifier}${each.path}`),
      ['-/absolute', '+/deep/er/moved', '-/deep/er/text', 'M/hard link'],
    );
    await assert.rejects(
      runDiff(tree.repository, { snapshot: first, path: '/nowhere' }, { snapshot: second }),
      (error) => error instanceof EngineError && error.code === 'path-unknown',
    );
  });

  it('marks other content under the same metadata with M?', async () => {
    const sides: DiffSide[] = [];
    for (const content of ['as it was', 'as is now']) {
      const entry: SourceEntry = {
        kind: 'stream',
        name: 'file',
        mode: 0o644,
        mtimeNs: 1n,
        open: async function* () {
          yield Buffer.from(content);
        },
      };
      const made = await backup({ source: [entry], repositories: [tree.repository], paths: ['/rot'], parent: 'none' });
      sides.push({ snapshot: await findSnapshot(tree.repository, made.snapshots[0]?.id ?? '') });
    }
    const [from, to] = sides;
    assert.ok(from !== undefined && to !== undefined);
    const { changes } = await runDiff(tree.repository, from, to);
    assert.deepEqual(changes, [{ path: '/file', modifier: 'M?' }]);
  });

  it('gives its lock up when its reader stops', async () => {
    const [first, second] = await Promise.all(tree.snapshots.map(async (id) => findSnapshot(tree.repository, id)));
    assert.ok(first !== undefined && second !== undefined);
    for await (const change of diff(tree.repository, { snapshot: first }, { snapshot: second })) {
      assert.equal((await tree.repository.storage.list('locks')).length, 1, change.path);
      break;
    }
    assert.deepEqual(await tree.repository.storage.list('locks'), []);
  });
});
