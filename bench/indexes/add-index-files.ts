import { openRepository, openLocalStorage } from '@salvor/engine';
import { encodeIndex } from '../../engine/src/format/index-file.ts';
import type { PackListing } from '../../engine/src/format/index-file.ts';
import { sealUnpacked } from '../../engine/src/format/unpacked.ts';
import { saveHashed } from '../../engine/src/storage/load-verified.ts';
import { Random } from '../../demo/random.ts';

const SEED = 20_260_801;
/** restic's number: an index file is written once it has this many. */
const BLOBS_PER_FILE = 50_000;
/** 16 MiB of pieces of 400 KB, half as much compressed: 5 million of them are a host of 2 TB. */
const BLOBS_PER_PACK = 40;
const MOST_PLAIN_BYTES = 800_000;

/**
 * Adds index files that list `blobs` blobs in packs that are not there: for commands that load the whole index and read
 * nothing of what it lists but what was there before. The same number gives the same ids.
 */
export async function addIndexFiles(
  directory: string,
  password: string,
  blobs: number,
  signal: AbortSignal,
): Promise<void> {
  const repository = await openRepository(openLocalStorage(directory), password, { signal });
  const random = new Random(SEED);
  for (let left = blobs; left > 0; left -= BLOBS_PER_FILE) {
    signal.throwIfAborted();
    const listed = encodeIndex(makePacks(Math.min(left, BLOBS_PER_FILE), random));
    await saveHashed(repository.storage, 'index', sealUnpacked(repository.key, listed));
  }
}

function makePacks(blobs: number, random: Random): readonly PackListing[] {
  return Array.from({ length: Math.ceil(blobs / BLOBS_PER_PACK) }, (_, pack) => {
    let offset = 0;
    const count = Math.min(BLOBS_PER_PACK, blobs - pack * BLOBS_PER_PACK);
    const entries = Array.from({ length: count }, () => {
      const plainBytes = random.between(1, MOST_PLAIN_BYTES);
      const length = Math.ceil(plainBytes / 2) + 32;
      offset += length;
      return { type: 'data' as const, id: makeId(random), offset: offset - length, length, plainBytes };
    });
    return { id: makeId(random), blobs: entries };
  });
}

function makeId(random: Random): string {
  return random.bytes(32).toString('hex');
}
