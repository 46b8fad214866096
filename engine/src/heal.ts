/**
 * Mends a repository with what another copy of it has. Copies have keys and packs of their own; what they share is
 * the ids of blobs, and records of the same snapshots.
 *
 *   1. all is read: which index files, packs and snapshot files can't be trusted (`findDamage`)
 *   2. packs that only a damaged index listed are listed again, from their own headers
 *   3. what the snapshots need and whole packs lack comes from the other copy, and whatever else is whole in damaged
 *      packs out of these, sealed into new packs with a new index
 *   4. only then do damaged index files and packs go
 *   5. snapshots whose files are damaged come from the other copy, with everything they need
 *   6. only then do the damaged snapshot files go
 *   7. all is read once more
 *
 * A snapshot that is not there was forgotten, as far as anybody can tell: it does not come back only because the other
 * copy has it. It is told (`onlyThere`), and `copy` brings it.
 *
 * A crash before 4 leaves everything that was there and some packs more, later some damaged files; the next heal goes
 * on. What neither copy has is named by 7.
 */
import { check } from './check.ts';
import { copy, isSameSnapshot } from './copy.ts';
import { EngineError, throwIfCancelled } from './errors.ts';
import type { Problem } from './errors.ts';
import { findDamage } from './find-damage.ts';
import type { Damage } from './find-damage.ts';
import type { BlobType } from './format/pack-header.ts';
import type { Snapshot } from './format/snapshot-file.ts';
import type { SnapshotId } from './ids.ts';
import { IndexWriter } from './index/index-writer.ts';
import { BlobReader } from './pack/blob-reader.ts';
import type { Repository } from './repository.ts';
import { listSnapshots } from './snapshots.ts';
import { readListing } from './tree/read-listing.ts';
import { StorePass } from './work/store-pass.ts';

/** Which repository is healed, and what from; `workers` are threads, by default one per processor. */
export type HealOptions = {
  readonly damaged: Repository;
  /** The other copy. */
  readonly healthy: Repository;
  readonly workers?: number;
  readonly signal?: AbortSignal;
};

/** What was found and mended. Whole where `left` is empty. */
export type HealResult = {
  /** What was found damaged or missing. */
  readonly found: readonly Problem[];
  /** Blobs that were stored anew. */
  readonly blobsHealed: number;
  /** Snapshots that came from the other copy, because their files were damaged. */
  readonly snapshotsHealed: number;
  /** Snapshots of the other copy that are not here: forgotten here, or their files are gone. `copy` brings them. */
  readonly onlyThere: readonly SnapshotId[];
  /** What is still wrong, because neither copy has it. Empty where the repository is whole again. */
  readonly left: readonly Problem[];
};

type Wanted = { readonly type: BlobType; readonly id: string };

/** @throws EngineError `repository-locked`, `storage-failed`, `lock-lost`, `cancelled`. What can't be healed is returned. */
export async function heal(options: HealOptions): Promise<HealResult> {
  const { signal } = options;
  throwIfCancelled(signal);
  const whole = options.damaged.uncached();
  const [damaged, healthy] = [whole.withSignal(signal), options.healthy.withSignal(signal)];
  const direct = { ...options, damaged, healthy };
  const damage = await findAndList(direct);
  const blobsHealed = await storeTrusting(direct, damage);
  options.damaged.dropIndex();
  await removeLocked(damaged, () => removeDamage(whole, damage)); // 4
  const lost = await findLost(direct, damage.snapshots);
  const wanted = ({ id }: Snapshot): boolean => lost.wanted.has(id);
  const more = signal === undefined ? {} : { signal };
  if (lost.wanted.size > 0) await copy({ from: options.healthy, to: whole, wanted, ...more }); // 5
  if (damage.snapshots.length > 0)
    await removeLocked(damaged, async () => {
      for (const id of damage.snapshots) await whole.storage.remove({ kind: 'snapshots', id });
    }); // 6
  const { errors } = await check(whole, { readData: true, ...more });
  return {
    found: damage.problems,
    blobsHealed,
    snapshotsHealed: lost.wanted.size,
    onlyThere: lost.onlyThere,
    left: [...lost.problems, ...errors],
  };
}

/** Removes alone. The lock was not held since the damage was found. */
async function removeLocked(damaged: Repository, remove: () => Promise<void>): Promise<void> {
  await damaged.withLock('exclusive', async (confirmed, lock) => {
    await confirmed;
    await lock.requireHeld();
    await remove();
  });
}

/** Steps 1 and 2. */
async function findAndList(options: HealOptions): Promise<Damage> {
  const { damaged } = options;
  return damaged.withLock('exclusive', async (confirmed, lock) => {
    await confirmed;
    const damage = await findDamage(damaged, options);
    // That took a while: a prune in it may have taken away what is about to be listed.
    await lock.requireHeld();
    const writer = new IndexWriter(damaged);
    for (const pack of damage.salvaged) await writer.add(pack);
    await writer.flush();
    return damage;
  });
}

/** Step 3, and once more where the other copy turns out to be damaged too: then each of its blobs is tried before. */
async function storeTrusting(options: HealOptions, damage: Damage): Promise<number> {
  try {
    return await storeAnew(options, damage, async () => true);
  } catch (error) {
    if (!isDamage(error)) throw error;
    return storeAnew(options, damage, canRead);
  }
}

async function canRead(reader: BlobReader, { type, id }: Wanted): Promise<boolean> {
  try {
    await reader.read(type, id);
    return true;
  } catch (error) {
    if (isDamage(error)) return false;
    throw error;
  }
}

async function storeAnew(
  options: HealOptions,
  damage: Damage,
  isWhole: (other: BlobReader, blob: Wanted) => Promise<boolean>,
): Promise<number> {
  const { damaged, healthy, signal } = options;
  return healthy.withLock('shared', async () => {
    healthy.dropIndex();
    let failure: unknown;
    await using pass = await StorePass.open([damaged], {
      workers: options.workers,
      sourceKey: healthy.key.parts,
      ignoring: { packs: damage.packs, indexFiles: new Set(damage.indexFiles), packsOfIgnoredFiles: damage.relisted },
      onFailure: (error) => (failure ??= error),
    });
    const [own, other] = [await BlobReader.open(damaged), await BlobReader.open(healthy)];
    const wanted = await findWanted(damaged, [own, other], (type, id) => pass.base.index.has(type, id), signal);
    const fromOther: Wanted[] = [];
    for (const blob of wanted) {
      throwIfCancelled(signal);
      if (other.has(blob.type, blob.id) && (await isWhole(other, blob))) fromOther.push(blob);
    }
    await pass.transfer(other, fromOther, signal);
    // All of it: a snapshot that can't be read now, and the other copy has, may need what these packs alone still hold.
    const rest = [...damage.wholeBlobs.values()].filter(({ type, id }) => !pass.base.index.has(type, id));
    await pass.transferOwn(damage.wholeBlobs, rest);
    if (failure !== undefined) throw failure;
    await pass.finish();
    return fromOther.length + rest.length;
  });
}

type Lost = {
  /** Snapshots of the other copy that come back. */
  readonly wanted: ReadonlySet<SnapshotId>;
  readonly onlyThere: readonly SnapshotId[];
  readonly problems: readonly Problem[];
};

/**
 * Which snapshots of the other copy those were whose files are damaged. One that was copied from here says so. Of
 * others nothing tells it for sure, as ids are each repository's own: those that are not here, and whose root is (it
 * outlives the file of a snapshot, unless that was forgotten and pruned); where these are too few, all that are not here.
 */
async function findLost({ damaged, healthy }: HealOptions, damagedFiles: readonly string[]): Promise<Lost> {
  const here = (await listSnapshots(damaged)).snapshots;
  const there = (await listSnapshots(healthy)).snapshots;
  const lacking = there.filter((snapshot) => !here.some((other) => isSameSnapshot(snapshot, other)));
  const files = new Set(damagedFiles);
  // Those that a heal that was killed has brought, and what it had not removed yet.
  for (const { original } of here) if (original !== null) files.delete(original);
  const sure = lacking.filter(({ original, id }) => files.delete(original ?? id));
  const others = lacking.filter((each) => !sure.includes(each));
  const index = await damaged.index();
  const likely = others.filter(({ tree }) => index.has('tree', tree));
  const guessed = files.size === 0 ? [] : likely.length < files.size ? others : likely;
  const wanted = new Set([...sure, ...guessed].map(({ id }) => id));
  return {
    wanted,
    onlyThere: lacking.map(({ id }) => id).filter((id) => !wanted.has(id)),
    problems: unfound(files, guessed.length + broughtBefore(here, there)),
  };
}

/** Snapshots here that came from the other copy, by a heal that was killed maybe. */
function broughtBefore(here: readonly Snapshot[], there: readonly Snapshot[]): number {
  const ids = new Set(there.map(({ id, original }) => original ?? id));
  return here.filter(({ original }) => original !== null && ids.has(original)).length;
}

function unfound(files: ReadonlySet<string>, found: number): readonly Problem[] {
  if (found >= files.size) return [];
  const message = `can't be read and was removed; of ${files.size} such snapshots the other copy has ${found}`;
  return Array.from(files, (id) => ({ code: 'snapshot-damaged', path: `snapshots/${id}`, message }));
}

/** Everything that the snapshots of the damaged repository need and its whole packs lack; listings are read where they can be. */
async function findWanted(
  damaged: Repository,
  readers: readonly BlobReader[],
  isThere: (type: BlobType, id: string) => boolean,
  signal: AbortSignal | undefined,
): Promise<Wanted[]> {
  const wanted = new Map<string, Wanted>();
  const seen = new Set<string>();
  const want = (type: BlobType, id: string): void => {
    if (!isThere(type, id)) wanted.set(`${type} ${id}`, { type, id });
  };
  const walk = async (tree: string): Promise<void> => {
    throwIfCancelled(signal);
    if (seen.has(tree)) return;
    seen.add(tree);
    want('tree', tree);
    for (const subtree of await lookAnywhere(readers, tree, (id) => want('data', id))) await walk(subtree);
  };
  for (const snapshot of (await listSnapshots(damaged)).snapshots) await walk(snapshot.tree);
  return [...wanted.values()];
}

/** Goes through a listing of the first repository that has it whole; where none has, the last check names it. Its subtrees. */
async function lookAnywhere(
  readers: readonly BlobReader[],
  tree: string,
  look: (dataBlob: string) => void,
): Promise<readonly string[]> {
  for (const reader of readers) {
    const subtrees: string[] = [];
    try {
      for (const node of await readListing(reader, tree)) {
        for (const id of node.content) look(id);
        if (node.subtree !== null) subtrees.push(node.subtree);
      }
      return subtrees;
    } catch (error) {
      if (!isDamage(error)) throw error;
    }
  }
  return [];
}

const DAMAGE: ReadonlySet<string> = new Set(['blob-missing', 'pack-damaged', 'tree-damaged']);

const isDamage = (error: unknown): boolean => error instanceof EngineError && DAMAGE.has(error.code);

/** Step 4: the index first, then what it no longer lists. */
async function removeDamage(damaged: Repository, damage: Damage): Promise<void> {
  const writer = new IndexWriter(damaged);
  // No lock was held since the damage was found: a prune in between may have taken packs away.
  for (const pack of damage.relisted)
    if ((await damaged.storage.size({ kind: 'data', id: pack.id })) !== null) await writer.add(pack);
  await writer.flush();
  for (const id of damage.indexFiles) await damaged.storage.remove({ kind: 'index', id });
  for (const id of damage.packs) await damaged.storage.remove({ kind: 'data', id });
  damaged.dropIndex();
}
