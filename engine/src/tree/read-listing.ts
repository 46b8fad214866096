/** Reads listings out of a repository, and finds the node at a path. */
import { EngineError, reasonOf } from '../errors.ts';
import type { Snapshot } from '../format/snapshot-file.ts';
import { decodeTree } from '../format/tree-node.ts';
import type { TreeNode } from '../format/tree-node.ts';
import type { BlobReader } from '../pack/blob-reader.ts';
import { byteString } from './byte-path.ts';

/** The nodes of one directory. @throws EngineError `blob-missing`, `pack-damaged`, `tree-damaged`. */
export async function readListing(reader: BlobReader, tree: string): Promise<TreeNode[]> {
  const bytes = await reader.read('tree', tree);
  try {
    return decodeTree(bytes);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new EngineError('tree-damaged', { blob: tree, reason: reasonOf(error) }, { cause: error });
  }
}

/** The root of a snapshot as a node: a directory without metadata of its own. */
export function rootNode(snapshot: Snapshot): TreeNode {
  return {
    name: '',
    type: 'dir',
    mode: 0o040755,
    mtimeNs: BigInt(Date.parse(snapshot.time)) * 1_000_000n,
    ctimeNs: 0n,
    uid: 0,
    gid: 0,
    user: '',
    group: '',
    inode: 0n,
    device: 0n,
    size: 0n,
    links: 0n,
    linkTarget: '',
    extendedAttributes: [],
    specialDevice: 0n,
    content: [],
    subtree: snapshot.tree,
    error: '',
  };
}

/** The node at an absolute path of a snapshot; `/` is `rootNode`. @throws EngineError `path-unknown`. */
export async function findNode(reader: BlobReader, snapshot: Snapshot, path: string): Promise<TreeNode> {
  let node = rootNode(snapshot);
  for (const name of byteString(path).split('/')) {
    if (name === '') continue;
    const listing = node.subtree === null ? [] : await readListing(reader, node.subtree);
    const next = listing.find((each) => each.name === name);
    if (next === undefined) throw new EngineError('path-unknown', { snapshot: snapshot.id.slice(0, 8), path });
    node = next;
  }
  return node;
}
