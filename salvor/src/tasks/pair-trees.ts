import type { SnapshotView, ViewEntry } from '@salvor/engine';
import { leftOutWithin } from '../points/left-out.ts';
import { type TreeEntry, compareKeys, walkTree } from '../lib/beneath/walk-tree.ts';

/** One path in two trees; null on the side that does not have it. Paths are relative to both roots. */
export type Pair<Left, Right> = {
  readonly path: string;
  /** Its bytes, a character each: two names that are not UTF-8 may show alike. */
  readonly key: string;
  readonly left: Left | null;
  readonly right: Right | null;
};

/** Something in a tree, as a walk meets it. */
export type Met<T> = { readonly path: string; readonly key: string; readonly value: T };

/** Lays two walks side by side. Both come in the order of `compareKeys`; neither is held. */
export async function* pairTrees<Left, Right>(
  lefts: AsyncIterable<Met<Left>>,
  rights: AsyncIterable<Met<Right>>,
): AsyncGenerator<Pair<Left, Right>> {
  await using left = open(lefts);
  await using right = open(rights);
  await left.advance();
  await right.advance();
  while (left.head !== null || right.head !== null) {
    const order = left.head === null ? 1 : right.head === null ? -1 : compareKeys(left.head.key, right.head.key);
    const head = order <= 0 ? left.head : right.head;
    const pair = {
      path: head?.path ?? '',
      key: head?.key ?? '',
      left: order <= 0 ? (left.head?.value ?? null) : null,
      right: order >= 0 ? (right.head?.value ?? null) : null,
    };
    yield pair;
    if (order <= 0) await left.advance();
    if (order >= 0) await right.advance();
  }
}

/** The tree below `root` in a snapshot, with paths relative to it. */
export async function* walkView(view: SnapshotView, root: string): AsyncGenerator<Met<ViewEntry>> {
  yield { path: '', key: '', value: await view.stat(root) };
  const above = Buffer.byteLength(root) + 1;
  for await (const { path, pathBytes, entry } of view.walk(root))
    yield {
      path: path.slice(root.length + 1),
      key: Buffer.from(pathBytes).toString('latin1', above),
      value: entry,
    };
}

/** The tree below `root` on disk, in the same form, without what lies there and is not the site's. */
export async function* walkDisk(root: string): AsyncGenerator<Met<TreeEntry>> {
  for await (const entry of walkTree(root, { leftOut: leftOutWithin(root) }))
    yield { path: entry.path, key: entry.key, value: entry };
}

type Cursor<T> = AsyncDisposable & {
  head: Met<T> | null;
  readonly advance: () => Promise<void>;
};

function open<T>(walk: AsyncIterable<Met<T>>): Cursor<T> {
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
