/**
 * Parts of several snapshots of one repository, shown as one snapshot that is stored nowhere: its upper directories are
 * listings in memory, everything below them are the listings that the snapshots share. What looks at snapshots (views,
 * restore, diff) works on it as on any other; nothing can write it.
 */
import { hash } from 'node:crypto';
import type { Snapshot } from './format/snapshot-file.ts';
import { encodeNode, encodeTree } from './format/tree-node.ts';
import type { TreeNode } from './format/tree-node.ts';
import { parseTreeId } from './ids.ts';
import { BlobReader } from './pack/blob-reader.ts';
import type { Repository } from './repository.ts';
import { byteString } from './tree/byte-path.ts';
import { findNode, rootNode } from './tree/read-listing.ts';

/** What lies at an absolute path of a snapshot, under a name of its own; or a directory of such. */
export type ArrangedEntry = { readonly name: string } & (
  | { readonly from: Snapshot; readonly path: string }
  | { readonly entries: readonly ArrangedEntry[] }
);

/** The snapshot, and the repository as one must open it to see that. */
export type Arranged = { readonly repository: Repository; readonly snapshot: Snapshot };

/**
 * Arranges entries, names in any order, below a root. The snapshot says of itself what `like` says.
 * @throws EngineError `path-unknown` where a snapshot has no such path, `index-damaged`, `tree-damaged`.
 */
export async function arrange(
  repository: Repository,
  entries: readonly ArrangedEntry[],
  like: Snapshot,
): Promise<Arranged> {
  const reader = await BlobReader.open(repository);
  const listings = new Map<string, Buffer>();
  const directory = async (children: readonly ArrangedEntry[]): Promise<string> => {
    const nodes: TreeNode[] = [];
    for (const child of children) {
      const node = 'from' in child ? await findNode(reader, child.from, child.path) : rootNode(like);
      const subtree = 'from' in child ? node.subtree : await directory(child.entries);
      nodes.push({ ...node, name: byteString(child.name), subtree });
    }
    // By the bytes of their names: byte strings compare as bytes.
    nodes.sort((one, other) => (one.name < other.name ? -1 : 1));
    const listing = Buffer.from(encodeTree(nodes.map(encodeNode)));
    const id = hash('sha256', listing, 'hex');
    listings.set(id, listing);
    return id;
  };
  const tree = parseTreeId(await directory(entries));
  return { repository: repository.withListings(listings), snapshot: { ...like, tree } };
}
