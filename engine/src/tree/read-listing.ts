/** Reads listings out of a repository, and finds the node at a path. */
import { EngineError, reasonOf } from '../errors.ts';
import type { Snapshot } from '../format/snapshot-file.ts';
import { decodeNodes } from '../format/tree-node.ts';
import type { TreeNode } from '../format/tree-node.ts';
import type { BlobReader } from '../pack/blob-reader.ts';
import type { Pieces } from '../pack/open-blob.ts';
import { byteString } from './byte-path.ts';

/**
 * The nodes of one directory in the order of their names, each decoded when it is asked for: a directory may have
 * millions. Its bytes have been compared with its id; that they are a listing shows while one goes through them.
 */
export class Listing implements Iterable<TreeNode> {
  readonly #tree: string;
  readonly #pieces: Pieces;

  constructor(tree: string, pieces: Pieces) {
    this.#tree = tree;
    this.#pieces = pieces;
  }

  /** @throws EngineError `tree-damaged`, maybe behind some nodes. */
  *[Symbol.iterator](): Generator<TreeNode> {
    try {
      yield* decodeNodes(this.#pieces());
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new EngineError('tree-damaged', { blob: this.#tree, reason: reasonOf(error) }, { cause: error });
    }
  }

  /** The node of a name, given as a byte string. @throws EngineError `tree-damaged`. */
  find(name: string): TreeNode | undefined {
    for (const node of this) {
      if (node.name === name) return node;
      if (node.name > name) return undefined;
    }
    return undefined;
  }
}

/** A directory's listing. @throws EngineError `blob-missing`, `pack-damaged`. */
export async function readListing(reader: Pick<BlobReader, 'readPieces'>, tree: string): Promise<Listing> {
  return new Listing(tree, await reader.readPieces(tree));
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
    const next = node.subtree === null ? undefined : (await readListing(reader, node.subtree)).find(name);
    if (next === undefined) throw new EngineError('path-unknown', { snapshot: snapshot.id.slice(0, 8), path });
    node = next;
  }
  return node;
}
