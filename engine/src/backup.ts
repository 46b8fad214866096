/**
 * Stores a tree of entries as one snapshot in each of several repositories, reading the source once.
 *
 *   lock → index, parent → scan, read, cut, hash, compress, seal (workers) → packs → index → snapshot
 *
 * What is unchanged is asked of the first repository; what another one lacks of it is taken from the first, never from
 * the source again. Each repository is committed for itself: one that fails or is too slow is dropped from the pass,
 * told as `behind`, and caught up by `copy`.
 *
 * The order of the last three is what makes a crash harmless, each being durable before the next begins:
 *   1. packs     a crash leaves blobs that no index lists; the next backup stores them again, prune removes them
 *   2. index     a crash leaves blobs that nothing refers to; the next backup finds and uses them
 *   3. snapshot  the only commit: it is there with everything below it, or it is not there
 */
import { hostname, userInfo } from 'node:os';
import { EngineError, throwIfCancelled } from './errors.ts';
import type { Problem } from './errors.ts';
import type { Snapshot } from './format/snapshot-file.ts';
import { formatTime } from './format/time.ts';
import { parseTreeId } from './ids.ts';
import type { SnapshotId, TreeId } from './ids.ts';
import { BlobReader } from './pack/blob-reader.ts';
import type { Repository } from './repository.ts';
import { findSnapshot, listSnapshots, saveSnapshot } from './snapshots.ts';
import { displayPath } from './tree/byte-path.ts';
import { findNode, readListing } from './tree/read-listing.ts';
import type { SourceEntry } from './tree/source.ts';
import { TreeRoots } from './tree/tree-root.ts';
import { BackupRun } from './work/backup-run.ts';
import type { BackupCounts, NodeFinder } from './work/backup-run.ts';
import { ParentTrees } from './work/parent-trees.ts';
import { StorePass } from './work/store-pass.ts';
import type { CopyState } from './work/store-pass.ts';

/** What to back up, and into which repositories; `slowAfterMs` in milliseconds. */
export type BackupOptions = {
  /** The root of the snapshot. */
  readonly source: readonly SourceEntry[];
  /** All with the same chunker polynomial. */
  readonly repositories: readonly Repository[];
  /** What the snapshot says was backed up; parents are looked for by host and paths. */
  readonly paths: readonly string[];
  /** What the snapshot says was left out, for people; what is, says the source. */
  readonly excludes?: readonly string[];
  readonly host?: string;
  readonly username?: string;
  readonly tags?: readonly string[];
  readonly time?: Date;
  /** The snapshot to compare with; by default the newest with this host and these paths, not from the future. */
  readonly parent?: 'newest' | 'none' | SnapshotId;
  /** Worker threads; by default as many as there are processors. */
  readonly workers?: number;
  /** A repository other than the first that takes longer to save one pack is dropped; by default a minute. */
  readonly slowAfterMs?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: BackupProgress) => void;
};

/** What was handled so far; bytes are the source's. */
export type BackupProgress = {
  readonly files: number;
  readonly bytes: number;
  readonly bytesStored: number;
  readonly current: string;
};

/** What a backup made and met. Complete where `problems` is empty and every one of `copies` is complete; bytes throughout. */
export type BackupResult = {
  readonly snapshots: readonly {
    readonly repository: Repository;
    readonly id: SnapshotId;
    readonly tree: TreeId;
    readonly parent: SnapshotId | null;
  }[];
  /** What became of each repository: `snapshots` has those that are complete. */
  readonly copies: readonly CopyState[];
  readonly files: Readonly<BackupCounts>;
  readonly directories: Readonly<BackupCounts>;
  /** Bytes of all files of the snapshot, and of those that were really read. */
  readonly bytesProcessed: number;
  readonly bytesRead: number;
  /** Added to the first repository, as stored. */
  readonly bytesStored: number;
  /** New blobs in the first repository. */
  readonly dataBlobs: number;
  readonly treeBlobs: number;
  readonly problems: readonly Problem[];
};

/** Of a listing without entries. */
const EMPTY_TREE = 'ac08ce34ba4f8123618661bef2425f7028ffb9ac740578a3ee88684d2523fee8';
const PROGRESS_MS = 100;
const PROGRAM = 'salvor 0.1.0';
/** Blobs that are taken from the first repository in one go. */
const TRANSFER_BATCH = 20_000;

/**
 * @throws EngineError `source-empty`, `pattern-invalid`, `source-failed` (its cause is what a stream threw), `repository-locked`, `storage-failed`,
 *   `storage-full`, `polynomial-differs`, `index-damaged`, `lock-lost`, `cancelled`. Whatever is thrown, no snapshot was made. With
 *   several repositories only what all of them met is thrown; else see `copies`.
 */
export async function backup(options: BackupOptions): Promise<BackupResult> {
  throwIfCancelled(options.signal);
  requireOnePolynomial(options.repositories);
  // Not the caller's own: what ends calls that are under way must not reach those of the commit.
  const stopping = new AbortController();
  let abort: (error: unknown) => void = () => undefined;
  const cancel = (): void => {
    abort(new EngineError('cancelled', {}, { cause: options.signal?.reason }));
    stopping.abort(options.signal?.reason);
  };
  options.signal?.addEventListener('abort', cancel, { once: true });
  using cleanup = new DisposableStack();
  cleanup.defer(() => options.signal?.removeEventListener('abort', cancel));
  using roots = new TreeRoots();
  const given = new Map(options.repositories.map((each) => [each.withSignal(stopping.signal), each]));
  await using pass = await StorePass.open([...given.keys()], {
    workers: options.workers,
    slowAfterMs: options.slowAfterMs,
    onFailure: (error) => abort(error),
  });
  const base = pass.base.repository;
  const began = options.time ?? base.clock();
  const parent = await findParent(base, options, began);
  const reader = await BlobReader.open(base);
  const run = new BackupRun(pass.pool, new ParentTrees(reader), findIn(reader, options), roots, began);
  abort = (error) => run.abort(error);
  const ticking = setInterval(() => reportProgress(options, run, pass), PROGRESS_MS).unref();
  try {
    throwIfCancelled(options.signal);
    const tree = parseTreeId(await run.root(options.source, parent?.tree ?? null));
    await run.until(transferLacking(pass, reader, run.lacking, options.signal));
    if (tree === EMPTY_TREE) throw new EngineError('source-empty');
    throwIfCancelled(options.signal);
    // From here on nothing may be cancelled: (1) all packs, then (2) the indexes, then (3) the snapshots.
    options.signal?.removeEventListener('abort', cancel);
    await run.until(pass.finish());
    const snapshots = await commit(options, pass, tree, parent, began);
    reportProgress(options, run, pass);
    const asGiven = <T extends { readonly repository: Repository }>(each: T): T => {
      return { ...each, repository: given.get(each.repository) ?? each.repository };
    };
    return {
      snapshots: snapshots.map(asGiven),
      copies: pass.copies.map(asGiven),
      files: run.files,
      directories: run.directories,
      bytesProcessed: run.bytesProcessed,
      bytesRead: run.bytesRead,
      bytesStored: pass.base.saver.bytesStored,
      dataBlobs: pass.base.saver.blobs.data,
      treeBlobs: pass.base.saver.blobs.tree,
      problems: run.problems,
    };
  } finally {
    clearInterval(ticking);
  }
}

function requireOnePolynomial(repositories: readonly Repository[]): void {
  if (new Set(repositories.map((repository) => repository.polynomial)).size > 1) {
    const locations = repositories.map((repository) => repository.location).join(', ');
    throw new EngineError('polynomial-differs', { repositories: locations });
  }
}

function findIn(reader: BlobReader, { repositories }: BackupOptions): NodeFinder {
  return {
    node: async (from, path) => {
      if (repositories.length > 1) throw new RangeError('parts of a snapshot are taken over within one repository');
      return await findNode(reader, from, path);
    },
    listing: (tree) => readListing(reader, tree),
  };
}

async function findParent(repository: Repository, options: BackupOptions, now: Date): Promise<Snapshot | null> {
  const wanted = options.parent ?? 'newest';
  if (wanted === 'none') return null;
  if (wanted !== 'newest') return findSnapshot(repository, wanted);
  const { snapshots } = await listSnapshots(repository, { host: options.host ?? hostname() });
  const fits = (snapshot: Snapshot): boolean =>
    Date.parse(snapshot.time) <= now.getTime() && options.paths.every((path) => snapshot.paths.includes(path));
  return snapshots.findLast(fits) ?? null;
}

/** What the first repository has of unchanged files and another one lacks. */
async function transferLacking(
  pass: StorePass,
  reader: BlobReader,
  lacking: ReadonlySet<string>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const ids = [...lacking];
  for (let at = 0; at < ids.length; at += TRANSFER_BATCH) {
    const blobs = ids.slice(at, at + TRANSFER_BATCH).map((id) => ({ type: 'data' as const, id }));
    await pass.transfer(reader, blobs, signal);
  }
}

async function commit(
  options: BackupOptions,
  pass: StorePass,
  tree: TreeId,
  parent: Snapshot | null,
  began: Date,
): Promise<BackupResult['snapshots']> {
  const record: Omit<Snapshot, 'id'> = {
    time: formatTime(BigInt(began.getTime()) * 1_000_000n),
    tree,
    parent: parent?.id ?? null,
    paths: options.paths,
    hostname: options.host ?? hostname(),
    username: options.username ?? userInfo().username,
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    excludes: options.excludes ?? [],
    tags: options.tags ?? [],
    original: null,
    programVersion: PROGRAM,
    summary: null,
  };
  const saved: BackupResult['snapshots'][number][] = [];
  await pass.each(async (target) => {
    await target.lock.requireHeld();
    // Ids of snapshots are a repository's own: the parent is named only where it lies.
    const own = target === pass.base ? record : { ...record, parent: null };
    const { id } = await saveSnapshot(target.repository, own);
    saved.push({ repository: target.repository, id, tree, parent: own.parent });
  });
  if (saved.length === 0) throw pass.failure();
  return saved;
}

function reportProgress(options: BackupOptions, run: BackupRun, pass: StorePass): void {
  options.onProgress?.({
    files: run.files.new + run.files.changed + run.files.unmodified,
    bytes: run.bytesProcessed,
    bytesStored: pass.base.saver.bytesStored,
    current: displayPath(run.current),
  });
}
