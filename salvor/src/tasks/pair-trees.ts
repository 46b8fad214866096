import type { SnapshotView, ViewEntry } from '@salvor/engine';
import { leftOutWithin } from '../points/left-out.ts';
import { type TreeEntry, comparePaths, walkTree } from '../lib/beneath/walk-tree.ts';

/** One path in two trees; null on the side that does not have it. Paths are relative to both roots. */
export type Pair<Left, Right> = { readonly path: string; readonly left: Left | null; readonly right: Right | null };

/** Lays two walks side by side. Both come in the order of `comparePaths`; neither is held. */
export async function* pairTrees<Left, Right>(
  lefts: AsyncIterable<{ readonly path: string; readonly value: Left }>,
  rights: AsyncIterable<{ readonly path: string; readonly value: Right }>,
): AsyncGenerator<Pair<Left, Right>> {
  await using left = open(lefts);
  await using right = open(rights);
  await left.advance();
  await right.advance();
  while (left.head !== null || right.head !== null) {
    const order = left.head === null ? 1 : right.head === null ? -1 : comparePaths(left.head.path, right.head.path);
    const pair = {
      path: (order <= 0 ? left.head : right.head)?.path ?? '',
      left: order <= 0 ? (left.head?.value ?? null) : null,
      right: order >= 0 ? (right.head?.value ?? null) : null,
    };
    yield pair;
    if (order <= 0) await left.advance();
    if (order >= 0) await right.advance();
  }
}

/** The tree below `root` in a snapshot, with paths relative to it. */
export async function* walkView(view: SnapshotView, root: string): AsyncGenerator<{ path: string; value: ViewEntry }> {
  yield { path: '', value: await view.stat(root) };
  for await (const { path, entry } of view.walk(root)) yield { path: path.slice(root.length + 1), value: entry };
}

/** The tree below `root` on disk, in the same form, without what lies there and is not the site's. */
export async function* walkDisk(root: string): AsyncGenerator<{ path: string; value: TreeEntry['stat'] }> {
  for await (const { path, stat } of walkTree(root, { leftOut: leftOutWithin(root) })) yield { path, value: stat };
}

type Cursor<T> = AsyncDisposable & {
  head: { readonly path: string; readonly value: T } | null;
  readonly advance: () => Promise<void>;
};

function open<T>(walk: AsyncIterable<{ readonly path: string; readonly value: T }>): Cursor<T> {
  const iterator = walk[Symbol.asyncIterator]();
  const cursor: Cursor<T> = {
    head: null,
    advance: async () => {
      const next = await iterator.next();
      cursor.head = next.done === true ? null : next.value;
    },
    [Symbol.asyncDispose]: async () => {
      await iterator.return?.();
    },
  };
  return cursor;
}
