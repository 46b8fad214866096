/** The parent snapshot's listings, for finding what is unchanged. What can't be read is as good as absent. */
import { EngineError } from '../errors.ts';
import type { BlobReader } from '../pack/blob-reader.ts';
import { readListing } from '../tree/read-listing.ts';
import type { SealedTree } from './backup-jobs.ts';

export class ParentTrees {
  readonly #reader: BlobReader;

  constructor(reader: BlobReader) {
    this.#reader = reader;
  }

  /** A listing as it lies in its pack, for a worker to open. */
  async sealed(tree: string | null): Promise<SealedTree | null> {
    if (tree === null) return null;
    return orNull(async () => {
      const place = this.#reader.place('tree', tree);
      // A view would take the whole pack along when it crosses to a worker.
      const sealed = new Uint8Array(await this.#reader.readSealed('tree', place));
      return { id: tree, sealed, plainBytes: place.plainBytes };
    });
  }

  /** Directory names of a listing, as byte strings, with the ids of their own listings. */
  async subtrees(tree: string | null): Promise<ReadonlyMap<string, string>> {
    const found = new Map<string, string>();
    if (tree === null) return found;
    await orNull(async () => {
      for (const node of await readListing(this.#reader, tree))
        if (node.subtree !== null) found.set(node.name, node.subtree);
    });
    return found;
  }
}

/** Damage in the parent costs reading files again, not the backup. */
async function orNull<T>(work: () => Promise<T>): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof EngineError || error instanceof RangeError) return null;
    throw error;
  }
}
