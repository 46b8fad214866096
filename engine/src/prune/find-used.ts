/** Which blobs the snapshots of a repository reach. */
import { EngineError, throwIfCancelled } from '../errors.ts';
import { BlobReader } from '../pack/blob-reader.ts';
import type { Repository } from '../repository.ts';
import { listSnapshots } from '../snapshots.ts';
import { readListing } from '../tree/read-listing.ts';
import { BlobNumbers } from './blob-numbers.ts';

export type FindUsedOptions = {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((snapshots: number, of: number) => void) | undefined;
};

/**
 * Walks all snapshots; a listing that several share is read once.
 * @throws EngineError where a snapshot or a listing can't be read (`snapshot-damaged`, `blob-missing`,
 *   `tree-damaged`, `pack-damaged`): what it reaches is not known, so nothing may be called unused.
 */
export async function findUsedBlobs(repository: Repository, options: FindUsedOptions = {}): Promise<BlobNumbers> {
  const { snapshots, problems } = await listSnapshots(repository);
  const [damaged] = problems;
  if (damaged !== undefined)
    throw new EngineError('snapshot-damaged', {
      file: damaged.path.replace(/^.*\//, ''),
      reason: 'what it needs is not known, so nothing may be called unused',
    });
  repository.dropIndex();
  const reader = await BlobReader.open(repository);
  const used = new BlobNumbers();
  for (const [done, snapshot] of snapshots.entries()) {
    // Depth first by a list of our own: a tree may be deeper than the stack.
    const waiting: string[] = [snapshot.tree];
    for (let tree = waiting.pop(); tree !== undefined; tree = waiting.pop()) {
      if (!used.add('tree', tree)) continue;
      throwIfCancelled(options.signal);
      const subtrees: string[] = [];
      for (const node of await readListing(reader, tree)) {
        for (const id of node.content) used.add('data', id);
        if (node.subtree !== null) subtrees.push(node.subtree);
      }
      waiting.push(...subtrees.toReversed());
    }
    options.onProgress?.(done + 1, snapshots.length);
  }
  return used;
}
