/** Reads all index files of a repository into one `BlobIndex`. */
import { EngineError, reasonOf } from '../errors.ts';
import { decodeIndex } from '../format/index-file.ts';
import type { PackListing } from '../format/index-file.ts';
import { openUnpacked } from '../format/unpacked.ts';
import { MAX_INDEX_BYTES, MAX_INDEX_PLAIN_BYTES } from '../limits.ts';
import type { MasterKey } from '../seal/master-key.ts';
import type { Storage } from '../storage/storage.ts';
import { loadVerified } from '../storage/load-verified.ts';
import { BlobIndex } from './blob-index.ts';

export type ListedIndexFile = { readonly id: string; readonly packs: readonly PackListing[] };

/** One index file after another; a damaged one throws `index-damaged`. */
export async function* readIndexFiles(storage: Storage, key: MasterKey): AsyncGenerator<ListedIndexFile> {
  for (const { id, bytes } of await storage.list('index')) {
    try {
      if (bytes > MAX_INDEX_BYTES) throw new RangeError(`it has ${bytes} bytes`);
      const sealed = await loadVerified(storage, { kind: 'index', id });
      yield { id, packs: decodeIndex(openUnpacked(key, sealed, MAX_INDEX_PLAIN_BYTES)) };
    } catch (error) {
      if (error instanceof RangeError)
        throw new EngineError('index-damaged', { file: id, reason: reasonOf(error) }, { cause: error });
      throw error;
    }
  }
}

/** Everything that the index files list. @throws EngineError `index-damaged`, `storage-failed`. */
export async function loadIndex(storage: Storage, key: MasterKey): Promise<BlobIndex> {
  const index = new BlobIndex();
  for await (const file of readIndexFiles(storage, key)) {
    for (const pack of file.packs) {
      const number = index.addPack(pack.id);
      for (const blob of pack.blobs) index.add(number, blob);
    }
  }
  return index;
}
