/** Reads all index files of a repository into one `BlobIndex`. */
import { EngineError, reasonOf } from '../errors.ts';
import { decodeIndex } from '../format/index-file.ts';
import type { PackListing } from '../format/index-file.ts';
import { scanIndex } from '../format/scan-index.ts';
import { openUnpackedForLook } from '../format/unpacked.ts';
import { MAX_INDEX_BYTES, MAX_INDEX_PLAIN_BYTES } from '../limits.ts';
import type { MasterKey } from '../seal/master-key.ts';
import type { ListedFile, Storage } from '../storage/storage.ts';
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

/** Index files that are on their way while one is read: a far storage answers each after its own while. */
const LOADED_AHEAD = 4;
/** An id does not compress: no index file lists a blob in less. */
const LEAST_BLOB_BYTES = 32;

/** One index file. @throws EngineError `index-damaged`. */
export async function readIndexFile(storage: Storage, key: MasterKey, id: string): Promise<ListedIndexFile> {
  // A file that is gone is told of by its load.
  const file = { id, bytes: (await storage.size({ kind: 'index', id })) ?? 0 };
  return { id, packs: decode(key, file, await loadSealed(storage, file), decodeBytes) };
}

/** One index file after another; a damaged one throws `index-damaged`. */
export async function* readIndexFiles(storage: Storage, key: MasterKey): AsyncGenerator<ListedIndexFile> {
  for await (const [file, sealed] of loadAll(storage, await storage.list('index'))) {
    yield { id: file.id, packs: decode(key, file, sealed, decodeBytes) };
  }
}

/**
 * Everything that the index files list; a damaged one is passed over where `onDamaged` is told of it.
 * @throws EngineError `index-damaged`, `storage-failed`.
 */
export async function loadIndex(
  storage: Storage,
  key: MasterKey,
  ignored?: IgnoredParts,
  onDamaged?: (id: string, error: EngineError) => void,
): Promise<BlobIndex> {
  const index = new BlobIndex();
  const add = (packs: readonly PackListing[]): void => {
    for (const pack of packs) {
      if (ignored?.packs.has(pack.id) === true) continue;
      const number = index.addPack(pack.id);
      for (const blob of pack.blobs) index.add(number, blob);
    }
  };
  const files = (await storage.list('index')).filter(({ id }) => ignored?.indexFiles.has(id) !== true);
  const bytesTotal = files.reduce((sum, { bytes }) => sum + bytes, 0);
  const read = (json: Buffer): void => {
    const isScanned = ignored === undefined && index.addScanned((sink) => scanIndex(json, sink));
    // What the scan listed of a file in another form, or of a damaged one, is listed again, or thrown away.
    if (!isScanned) add(decodeBytes(json));
  };
  if (onDamaged !== undefined) {
    for (const file of files) {
      try {
        decode(key, file, await loadSealed(storage, file), read);
      } catch (error) {
        if (!(error instanceof EngineError) || error.code !== 'index-damaged') throw error;
        onDamaged(file.id, error);
      }
    }
    return index;
  }
  for await (const [file, sealed] of loadAll(storage, files)) {
    decode(key, file, sealed, read);
    // The first file tells about how many blobs the others list.
    if (file === files[0])
      index.reserve(Math.min((index.blobs * bytesTotal) / file.bytes, bytesTotal / LEAST_BLOB_BYTES));
  }
  add(ignored?.packsOfIgnoredFiles ?? []);
  return index;
}

const decodeBytes = (json: Buffer): PackListing[] => decodeIndex(json.toString('utf8'));

/** The files as they are stored, in their order. */
async function* loadAll(
  storage: Storage,
  files: readonly ListedFile[],
): AsyncGenerator<readonly [file: ListedFile, sealed: Buffer]> {
  const ahead: Promise<Buffer>[] = [];
  for (const [number, file] of files.entries()) {
    for (const next of files.slice(number + ahead.length, number + LOADED_AHEAD)) {
      const loading = loadSealed(storage, next);
      // It is thrown in its turn, or not at all where an earlier one ends the reading.
      loading.catch(() => undefined);
      ahead.push(loading);
    }
    yield [file, await (ahead.shift() as Promise<Buffer>)];
  }
}

async function loadSealed(storage: Storage, { id, bytes }: ListedFile): Promise<Buffer> {
  try {
    if (bytes > MAX_INDEX_BYTES) throw new RangeError(`it has ${bytes} bytes`);
    return await loadVerified(storage, { kind: 'index', id });
  } catch (error) {
    throw damaged(id, error);
  }
}

/** What `read` makes of the JSON, which it must not keep. */
function decode<T>(key: MasterKey, { id }: ListedFile, sealed: Buffer, read: (json: Buffer) => T): T {
  try {
    return read(openUnpackedForLook(key, sealed, MAX_INDEX_PLAIN_BYTES));
  } catch (error) {
    throw damaged(id, error);
  }
}

/** Bytes that are not what they should be; anything else is what it is. */
function damaged(file: string, error: unknown): unknown {
  if (!(error instanceof RangeError)) return error;
  return new EngineError('index-damaged', { file, reason: reasonOf(error) }, { cause: error });
}
