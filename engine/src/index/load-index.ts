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

/** What is passed over on loading: for `heal`, which does not believe in it. */
export type IgnoredParts = {
  readonly packs: ReadonlySet<string>;
  readonly indexFiles: ReadonlySet<string>;
  /** What of the ignored files still holds. */
  readonly packsOfIgnoredFiles: readonly PackListing[];
};

/** One index file. @throws EngineError `index-damaged`. */
export async function readIndexFile(storage: Storage, key: MasterKey, id: string): Promise<ListedIndexFile> {
  try {
    const bytes = await storage.size({ kind: 'index', id });
    if (bytes !== null && bytes > MAX_INDEX_BYTES) throw new RangeError(`it has ${bytes} bytes`);
    const sealed = await loadVerified(storage, { kind: 'index', id });
    return { id, packs: decodeIndex(openUnpacked(key, sealed, MAX_INDEX_PLAIN_BYTES)) };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new EngineError('index-damaged', { file: id, reason: reasonOf(error) }, { cause: error });
  }
}

/** One index file after another; a damaged one throws `index-damaged`. */
export async function* readIndexFiles(storage: Storage, key: MasterKey): AsyncGenerator<ListedIndexFile> {
  for (const { id } of await storage.list('index')) yield await readIndexFile(storage, key, id);
}

/** Everything that the index files list. @throws EngineError `index-damaged`, `storage-failed`. */
export async function loadIndex(storage: Storage, key: MasterKey, ignored?: IgnoredParts): Promise<BlobIndex> {
  const index = new BlobIndex();
  const add = (packs: readonly PackListing[]): void => {
    for (const pack of packs) {
      if (ignored?.packs.has(pack.id) === true) continue;
      const number = index.addPack(pack.id);
      for (const blob of pack.blobs) index.add(number, blob);
    }
  };
  for (const { id } of await storage.list('index')) {
    if (ignored?.indexFiles.has(id) !== true) add((await readIndexFile(storage, key, id)).packs);
  }
  add(ignored?.packsOfIgnoredFiles ?? []);
  return index;
}
