/**
 * Where blobs lie that no readable index file lists: packs say themselves what is in them. For verbs that only read; what
 * writes needs a whole index, or what it wrote would depend on packs that others do not find (docs/format.md, "A lost
 * index").
 */
import { EngineError } from '../errors.ts';
import type { Problem } from '../errors.ts';
import { BlobIndex } from '../index/blob-index.ts';
import { loadIndex } from '../index/load-index.ts';
import { inParallel } from '../lib/in-parallel.ts';
import { readPackHeader } from '../repair/read-header.ts';
import type { Repository } from '../repository.ts';
import { FileMissing } from '../storage/storage.ts';

/** Enough that a distant storage answers while others are on their way. */
const HEADERS_IN_FLIGHT = 8;

/** The index, without the files of it that can't be read: they are told. */
export async function loadReadableIndex(repository: Repository, problems: Problem[]): Promise<BlobIndex> {
  try {
    return await repository.index();
  } catch (error) {
    if (!(error instanceof EngineError) || error.code !== 'index-damaged') throw error;
  }
  const onDamaged = (id: string, { code, message }: EngineError): void => {
    problems.push({ code, path: `index/${id}`, message });
  };
  return loadIndex(repository.storage, repository.key, undefined, onDamaged);
}

/** Reads the headers of the packs that the index does not know. A pack without a whole header has nothing to say. */
export async function findUnlisted(
  { storage, key }: Pick<Repository, 'storage' | 'key'>,
  index: BlobIndex,
  problems: Problem[],
): Promise<BlobIndex> {
  const found = new BlobIndex();
  const known = index.packIds();
  const unlisted = (await storage.list('data')).filter(({ id }) => !known.has(id));
  await inParallel(unlisted, HEADERS_IN_FLIGHT, async ({ id, bytes }) => {
    try {
      const entries = await readPackHeader({ storage, key }, id, bytes);
      const pack = found.addPack(id);
      for (const entry of entries) found.add(pack, entry);
    } catch (error) {
      const isNoPack = error instanceof RangeError || error instanceof FileMissing;
      if (!isNoPack && !(error instanceof EngineError && error.cause instanceof RangeError)) throw error;
    }
  });
  if (found.packs > 0) {
    const message = `the index lacks ${found.packs} packs, which were found by their own headers; mend it with: salvor repo repair index`;
    problems.push({ code: 'index-incomplete', path: 'index', message });
  }
  return found;
}
