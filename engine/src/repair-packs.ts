/**
 * Takes what is whole out of damaged packs and drops the rest.
 *
 *   lock → each named pack: every blob that opens and has the hash that names it goes into a new pack
 *     1. new packs           killed here: packs that no index lists
 *     2. new index files, which list the new packs and not the damaged ones   killed here: blobs are listed twice
 *     3. old index files go  killed here: the same, or whole
 *     4. damaged packs go    killed here: packs that no index lists
 *
 * What could not be saved is named; snapshots that need it are mended by `repairSnapshots`, or by `heal`, which takes
 * it from another copy of the repository.
 */
import { EngineError, throwIfCancelled } from './errors.ts';
import type { Problem } from './errors.ts';
import type { PackEntry } from './format/pack-header.ts';
import { isId } from './ids.ts';
import { IndexWriter } from './index/index-writer.ts';
import { readIndexFiles } from './index/load-index.ts';
import { MAX_PACK_BYTES } from './limits.ts';
import type { HeldLock } from './lock/lock.ts';
import { refuseVersion1 } from './prune.ts';
import { PackWriter } from './prune/pack-writer.ts';
import { readPackHeader } from './repair/read-header.ts';
import type { Repository } from './repository.ts';
import type { Storage } from './storage/storage.ts';

/** What happens to the damaged bytes before they go. */
export type RepairPacksOptions = {
  readonly signal?: AbortSignal;
  /** Gets the bytes of each damaged pack before it goes, to keep them elsewhere. */
  readonly keep?: (pack: string, bytes: Uint8Array) => Promise<void>;
};

/** What was saved out of the packs; what is lost stands in `problems`. */
export type RepairPacksResult = {
  readonly packs: readonly string[];
  readonly blobsSaved: number;
  /** One for each blob that is lost, and for packs that were not there. */
  readonly problems: readonly Problem[];
};

/**
 * @param packs ids of pack files, 64 hex digits each.
 * @throws EngineError `pack-unknown` where a pack is neither there nor listed, `index-damaged`, `repository-locked`,
 *   `lock-lost`, `cancelled`.
 */
export async function repairPacks(
  repository: Repository,
  packs: readonly string[],
  options: RepairPacksOptions = {},
): Promise<RepairPacksResult> {
  refuseVersion1(repository);
  for (const id of packs) if (!isId(id)) throw new EngineError('pack-unknown', { pack: id });
  const cancellable = repository.withSignal(options.signal);
  return cancellable.withLock('exclusive', async (confirmed, lock) => {
    await confirmed;
    try {
      return await salvage(cancellable, repository.storage, lock, new Set(packs), options);
    } finally {
      repository.dropIndex();
    }
  });
}

/** `committed`: for the last steps, which nobody cancels. */
async function salvage(
  repository: Repository,
  committed: Storage,
  lock: HeldLock,
  packs: ReadonlySet<string>,
  options: RepairPacksOptions,
): Promise<RepairPacksResult> {
  const { storage } = repository;
  const problems: Problem[] = [];
  const { entries, files } = await findListings(repository, packs);
  const sizes = new Map<string, number | null>();
  // All are looked for before any is touched.
  for (const id of packs) {
    const bytes = await storage.size({ kind: 'data', id });
    sizes.set(id, bytes);
    if (bytes === null && !entries.has(id)) throw new EngineError('pack-unknown', { pack: id });
  }
  const index = new IndexWriter(repository);
  const writer = new PackWriter(repository, index);
  for (const [id, bytes] of sizes) {
    throwIfCancelled(options.signal);
    if (bytes === null) {
      problems.push({ code: 'pack-missing', path: `data/${id}`, message: 'is missing: nothing of it could be saved' });
      continue;
    }
    problems.push(...(await savePack(repository, writer, id, bytes, entries.get(id) ?? [], options)));
  }
  await writer.finish(); // 1
  for await (const file of readIndexFiles(storage, repository.key)) {
    if (!files.has(file.id)) continue;
    for (const pack of file.packs) if (!packs.has(pack.id)) await index.add(pack);
  }
  await index.flush(); // 2
  await lock.requireHeld();
  for (const id of files) await committed.remove({ kind: 'index', id }); // 3
  for (const id of packs) await committed.remove({ kind: 'data', id }); // 4
  return { packs: [...packs], blobsSaved: writer.written.blobs, problems };
}

/** What the index says of the packs, and which files say it. */
async function findListings(
  repository: Repository,
  packs: ReadonlySet<string>,
): Promise<{ readonly entries: Map<string, readonly PackEntry[]>; readonly files: ReadonlySet<string> }> {
  const entries = new Map<string, readonly PackEntry[]>();
  const files = new Set<string>();
  for await (const file of readIndexFiles(repository.storage, repository.key)) {
    for (const { id, blobs } of file.packs) {
      if (!packs.has(id)) continue;
      files.add(file.id);
      entries.set(id, [...(entries.get(id) ?? []), ...blobs]);
    }
  }
  return { entries, files };
}

async function savePack(
  repository: Repository,
  writer: PackWriter,
  id: string,
  size: number,
  listed: readonly PackEntry[],
  options: RepairPacksOptions,
): Promise<Problem[]> {
  const problems: Problem[] = [];
  const path = `data/${id}`;
  if (size > MAX_PACK_BYTES) return [{ code: 'pack-damaged', path, message: `has ${size} bytes` }];
  const load = async (): Promise<Buffer> => repository.storage.load({ kind: 'data', id }, { offset: 0, length: size });
  const bytes = await load();
  await options.keep?.(id, bytes);
  let again: Promise<Buffer> | undefined;
  const seen = new Map<string, boolean>();
  for (const entry of [...listed, ...(await ownEntries(repository, id, size))]) {
    throwIfCancelled(options.signal);
    const name = `${entry.type} ${entry.id}`;
    if (seen.get(name) === true) continue;
    // It may be the way that spoiled it: what is wrong twice is lost.
    seen.set(name, (await isSaved(writer, entry, bytes)) || (await isSaved(writer, entry, await (again ??= load()))));
  }
  for (const [name, isSafe] of seen)
    if (!isSafe)
      problems.push({ code: 'blob-lost', path, message: `the ${name.replace(' ', ' blob ')} can't be read` });
  return problems;
}

/** What the header lists, where there is one: without an index it is all that is known. */
async function ownEntries(repository: Repository, id: string, size: number): Promise<readonly PackEntry[]> {
  try {
    return await readPackHeader(repository, id, size);
  } catch (error) {
    if (error instanceof RangeError) return [];
    throw error;
  }
}

async function isSaved(writer: PackWriter, entry: PackEntry, bytes: Buffer): Promise<boolean> {
  try {
    await writer.take(entry, bytes.subarray(entry.offset, entry.offset + entry.length));
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
