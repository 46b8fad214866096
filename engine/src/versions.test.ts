import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { openChangingTree } from '../test/changing-tree.ts';
import type { ChangingTree } from '../test/changing-tree.ts';
import { versions } from './versions.ts';

let tree: ChangingTree;
before(async () => {
  tree = await openChangingTree();
});
after(() => tree[Symbol.dispose]());

/** `type size days` of each version. */
async function ofPath(name: string): Promise<readonly string[]> {
  const { versions: found } = await versions(tree.repository, `${tree.source}/${name}`);
  return found.map(({ entry, snapshots }) => {
    const days = snapshots.map(({ tags }) => tags[0]?.slice('day-'.length));
    return `${entry.type} ${entry.size} ${days.join('+')}`;
  });
}

describe('versions', () => {
  it('puts equal contents together, the one seen last first', async () => {
    assert.deepEqual(await ofPath('plain.php'), ['file 26 2+3', 'file 13 1']);
    assert.deepEqual(await ofPath('new/file.PHP'), ['file 9 3', 'file 5 2']);
  });

  it('puts a content that came back together with what it was before', async () => {
    assert.deepEqual(await ofPath('sub/deep/er/text'), ['file 3600000 1+3']);
    assert.deepEqual(await ofPath('sub/deep/er/moved'), ['file 3600000 2']);
  });

  it('takes other metadata for the same content, and shows the newest', async () => {
    const { versions: found } = await versions(tree.repository, `${tree.source}/.htaccess`);
    assert.deepEqual(
      found.map(({ entry, snapshots }) => [entry.mode, snapshots.length]),
      [[0o640, 3]],
    );
    const [only] = found;
    assert.deepEqual([only?.firstSeen.id, only?.lastSeen.id], [tree.snapshots[0], tree.snapshots[2]]);
  });

  it('tells a file, a link and a directory of the same name apart', async () => {
    assert.deepEqual(await ofPath('empty'), ['file 10 2+3', 'dir 0 1']);
    assert.deepEqual(await ofPath('link'), ['dir 0 2+3', 'symlink 0 1']);
  });

  it('is empty for a path that no snapshot has', async () => {
    assert.deepEqual(await ofPath('never/was'), []);
  });
});
