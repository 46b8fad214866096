/**
 * Gives each snapshot of which something is missing a successor without that: files keep the pieces that are there
 * (their size is what is left), directories that can't be read become empty ones. It carries the tag `repaired` and
 * the id of the one before it. What is missing is what no index lists: mend the index first.
 *
 *   lock → each snapshot: rewritten bottom up
 *     1. packs of new listings, 2. their index, 3. the new snapshots    killed before 3: listings that nothing uses
 *     4. the originals go, where that was asked for                     killed here: both are there
 */
import { throwIfCancelled } from './errors.ts';
import type { Problem } from './errors.ts';
import type { Snapshot } from './format/snapshot-file.ts';
import { parseTreeId } from './ids.ts';
import type { SnapshotId } from './ids.ts';
import { IndexWriter } from './index/index-writer.ts';
import type { HeldLock } from './lock/lock.ts';
import { BlobReader } from './pack/blob-reader.ts';
import { refuseVersion1 } from './prune.ts';
import { PackWriter } from './prune/pack-writer.ts';
import { TreeRewriter } from './repair/rewrite-tree.ts';
import type { Repository } from './repository.ts';
import { findSnapshot, listSnapshots, saveSnapshot } from './snapshots.ts';

/** Which snapshots are mended, and whether the originals go. */
export type RepairSnapshotsOptions = {
  /** Ids, or starts of ids; all by default. */
  readonly snapshots?: readonly string[];
  /** Remove the snapshots that got a successor, and those of which not even the root can be read. */
  readonly forget?: boolean;
  readonly dryRun?: boolean;
  readonly signal?: AbortSignal;
};

/** A snapshot that lacked something. */
export type RepairedSnapshot = {
  readonly id: SnapshotId;
  /** Null in a dry run, and where not even the root can be read. */
  readonly successor: SnapshotId | null;
  readonly isForgotten: boolean;
  /** What of it is lost, by path in the snapshot. */
  readonly losses: readonly Problem[];
};

/** Which snapshots lacked something, and what became of them. */
export type RepairSnapshotsResult = {
  /** Those of which something was missing. */
  readonly repaired: readonly RepairedSnapshot[];
  readonly whole: number;
  /** Snapshot files that can't be read. */
  readonly problems: readonly Problem[];
};

const TAG = 'repaired';

/** @throws EngineError `snapshot-unknown`, `index-damaged`, `repository-locked`, `storage-failed`, `lock-lost`, `cancelled`. */
export async function repairSnapshots(
  repository: Repository,
  options: RepairSnapshotsOptions = {},
): Promise<RepairSnapshotsResult> {
  refuseVersion1(repository);
  const cancellable = repository.withSignal(options.signal);
  return cancellable.withLock('exclusive', async (confirmed, lock) => {
    await confirmed;
    try {
      return await mend(cancellable, repository, lock, options);
    } finally {
      repository.dropIndex();
    }
  });
}

type Mended = { readonly snapshot: Snapshot; readonly tree: string | null; readonly losses: readonly Problem[] };

/** `committed`: for the last steps, which nobody cancels. */
async function mend(
  repository: Repository,
  committed: Repository,
  lock: HeldLock,
  options: RepairSnapshotsOptions,
): Promise<RepairSnapshotsResult> {
  const { snapshots, problems } = await chooseSnapshots(repository, options);
  repository.dropIndex();
  const indexWriter = new IndexWriter(repository);
  const packs = new PackWriter(repository, indexWriter);
  const store = async (bytes: Buffer): Promise<void> =>
    options.dryRun === true ? undefined : packs.store('tree', bytes);
  const index = await repository.index();
  const rewriter = new TreeRewriter(await BlobReader.open(repository), index, store);
  const mended: Mended[] = [];
  for (const snapshot of snapshots) {
    throwIfCancelled(options.signal);
    const { tree, problems: losses } = await rewriter.rewrite(snapshot.tree);
    if (tree !== snapshot.tree) mended.push({ snapshot, tree, losses });
  }
  await packs.finish(); // 1
  await indexWriter.flush(); // 2
  throwIfCancelled(options.signal);
  const repaired: RepairedSnapshot[] = [];
  for (const each of mended) {
    if (options.dryRun !== true) await lock.requireHeld(repaired.length === 0 ? undefined : {});
    repaired.push(await succeed(committed, each, options));
  }
  return { repaired, whole: snapshots.length - mended.length, problems };
}

async function chooseSnapshots(
  repository: Repository,
  options: RepairSnapshotsOptions,
): Promise<{ readonly snapshots: readonly Snapshot[]; readonly problems: readonly Problem[] }> {
  if (options.snapshots === undefined || options.snapshots.length === 0) return listSnapshots(repository);
  const snapshots: Snapshot[] = [];
  for (const wanted of options.snapshots) snapshots.push(await findSnapshot(repository, wanted));
  return { snapshots, problems: [] };
}

async function succeed(
  repository: Repository,
  { snapshot, tree, losses }: Mended,
  options: RepairSnapshotsOptions,
): Promise<RepairedSnapshot> {
  const { id, ...record } = snapshot;
  if (options.dryRun === true) return { id, successor: null, isForgotten: false, losses };
  const tags = record.tags.includes(TAG) ? record.tags : [...record.tags, TAG];
  const successor =
    tree === null
      ? null
      : (await saveSnapshot(repository, { ...record, tree: parseTreeId(tree), tags, original: id })).id; // 3
  if (options.forget === true) await repository.storage.remove({ kind: 'snapshots', id }); // 4
  return { id, successor, isForgotten: options.forget === true, losses };
}
