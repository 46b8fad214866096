import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { openChangingTree } from '../test/changing-tree.ts';
import type { ChangingTree } from '../test/changing-tree.ts';
import { EngineError } from './errors.ts';
import { STATS_MODES, stats } from './stats.ts';

let tree: ChangingTree;
before(async () => {
  tree = await openChangingTree();
});
after(() => tree[Symbol.dispose]());

type Theirs = { total_size: number; total_file_count: number; total_blob_count?: number; snapshots_count: number };

function theirs(args: readonly string[]): Record<string, number> {
  const result = JSON.parse(tree.restic(['stats', '--json', ...args])) as Theirs;
  return {
    bytes: result.total_size,
    files: result.total_file_count,
    blobs: result.total_blob_count ?? 0,
    snapshots: result.snapshots_count,
  };
}

describe('stats', () => {
  for (const mode of STATS_MODES) {
    it(`counts ${mode} as stock restic does, over all snapshots and in one`, async () => {
      const day = ['day-2'];
      const { bytes, files, blobs, snapshots } = await stats(tree.repository, { mode });
      assert.deepEqual({ bytes, files, blobs, snapshots }, theirs(['--mode', mode]));
      assert.ok(bytes > 0);
      const one = await stats(tree.repository, { mode, filter: { tags: [day] } });
      assert.deepEqual(
        { bytes: one.bytes, files: one.files, blobs: one.blobs, snapshots: one.snapshots },
        theirs(['--mode', mode, '--tag', 'day-2']),
      );
    });
  }

  it('says of raw data how large it was before compression', async () => {
    const { bytes, plainBytes } = await stats(tree.repository, { mode: 'raw-data' });
    assert.ok(plainBytes > bytes);
  });

  it('ends at once when it was cancelled', async () => {
    await assert.rejects(
      stats(tree.repository, { signal: AbortSignal.abort() }),
      (error) => error instanceof EngineError && error.code === 'cancelled',
    );
  });
});
