/**
 * Stores a tree of entries as one snapshot in each of several repositories, reading the source once.
 *
 *   lock → index, parent → scan, read, cut, hash, compress, seal (workers) → packs → index → snapshot
 *
 * The order of the last three is what makes a crash harmless, each being durable before the next begins:
 *   1. packs     a crash leaves blobs that no index lists; the next backup stores them again, prune removes them
 *   2. index     a crash leaves blobs that nothing refers to; the next backup finds and uses them
 *   3. snapshot  the only commit: it is there with everything below it, or it is not there
 */
import { hostname, userInfo } from 'node:os';
import { MessageChannel } from 'node:worker_threads';
import { EngineError, throwIfCancelled } from './errors.ts';
import type { Problem } from './errors.ts';
import type { Snapshot } from './format/snapshot-file.ts';
import { formatTime } from './format/time.ts';
import { parseTreeId } from './ids.ts';
import type { SnapshotId, TreeId } from './ids.ts';
import type { BlobIndex } from './index/blob-index.ts';
import { BlobReader } from './pack/blob-reader.ts';
import { PackSaver } from './pack/pack-saver.ts';
import type { Repository } from './repository.ts';
import { findSnapshot, listSnapshots, saveSnapshot } from './snapshots.ts';
import { displayPath } from './tree/byte-path.ts';
import type { SourceEntry } from './tree/source.ts';
import type { BackupAnswer, BackupJob } from './work/backup-jobs.ts';
import { BackupRun } from './work/backup-run.ts';
import type { BackupCounts } from './work/backup-run.ts';
import type { BackupWorkerData } from './work/backup-worker.ts';
import { ParentTrees } from './work/parent-trees.ts';
import { WorkerPool } from './work/pool.ts';
import type { PackNews } from './work/seal-chain.ts';

export type BackupOptions = {
  /** The root of the snapshot. */
  readonly source: readonly SourceEntry[];
  /** All with the same chunker polynomial. */
  readonly repositories: readonly Repository[];
  /** What the snapshot says was backed up; parents are looked for by host and paths. */
  readonly paths: readonly string[];
  readonly host?: string;
  readonly username?: string;
  readonly tags?: readonly string[];
  readonly time?: Date;
  /** The snapshot to compare with; by default the newest with this host and these paths, not from the future. */
  readonly parent?: 'newest' | 'none' | SnapshotId;
  /** Worker threads; by default as many as there are processors. */
  readonly workers?: number;
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

export type BackupResult = {
  readonly snapshots: readonly {
    readonly repository: Repository;
    readonly id: SnapshotId;
    readonly tree: TreeId;
    readonly parent: SnapshotId | null;
  }[];
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

type Target = { readonly repository: Repository; readonly index: BlobIndex; readonly saver: PackSaver };
type Pool = WorkerPool<BackupJob, BackupAnswer, PackNews>;

const PROGRESS_MS = 100;
const PROGRAM = 'salvor 0.1.0';

/**
 * @throws EngineError `source-failed` (its cause is what a stream threw), `repository-locked`, `storage-failed`,
 *   `storage-full`, `polynomial-differs`, `index-damaged`, `cancelled`. Whatever is thrown, no snapshot was made.
 */
export async function backup(options: BackupOptions): Promise<BackupResult> {
  const first = firstOf(options.repositories);
  throwIfCancelled(options.signal);
  return withLocks(options.repositories, [], async (confirmed) => {
    const began = options.time ?? first.clock();
    const targets = await Promise.all(options.repositories.map(openTarget));
    try {
      const parent = await findParent(first, options, began);
      return await store(options, targets, parent, began, confirmed);
    } catch (error) {
      // Blobs that this run claimed and did not store must not look stored to the next one.
      for (const { repository } of targets) repository.dropIndex();
      throw error;
    }
  });
}

function firstOf(repositories: readonly Repository[]): Repository {
  const first = repositories[0];
  if (first === undefined) throw new RangeError('a backup needs a repository');
  for (const other of repositories) {
    if (other.version !== 2)
      throw new EngineError('repository-version', { version: other.version, reason: 'only version 2 is written' });
    if (other.polynomial !== first.polynomial)
      throw new EngineError('polynomial-differs', {
        repositories: repositories.map((each) => each.location).join(', '),
      });
  }
  return first;
}

/** Locks all repositories; `work` gets what it must await before it writes. */
async function withLocks<T>(
  repositories: readonly Repository[],
  confirmed: readonly Promise<void>[],
  work: (confirmed: Promise<unknown>) => Promise<T>,
): Promise<T> {
  const [first, ...rest] = repositories;
  if (first === undefined) {
    const all = Promise.all(confirmed);
    // Who fails before it is awaited has another error to tell.
    all.catch(() => undefined);
    return work(all);
  }
  return first.withLock('shared', async (mine) => withLocks(rest, [...confirmed, mine], work));
}

async function openTarget(repository: Repository): Promise<Target> {
  // Others may have written or pruned since this process last looked.
  repository.dropIndex();
  const index = await repository.index();
  return { repository, index, saver: new PackSaver(repository, index) };
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

async function store(
  options: BackupOptions,
  targets: readonly Target[],
  parent: Snapshot | null,
  began: Date,
  confirmed: Promise<unknown>,
): Promise<BackupResult> {
  const firstTarget = targets[0] as Target;
  const reader = await BlobReader.open(firstTarget.repository);
  const buffers = new BufferReturns();
  await using pool: Pool = openPool(options, targets, buffers, confirmed, (error) => run.abort(error));
  const run = new BackupRun(pool, new ParentTrees(reader), began);
  const cancel = (): void => run.abort(new EngineError('cancelled', {}, { cause: options.signal?.reason }));
  options.signal?.addEventListener('abort', cancel, { once: true });
  const stored = (): number => firstTarget.saver.bytesStored;
  const ticking = setInterval(() => reportProgress(options, run, stored()), PROGRESS_MS).unref();
  try {
    const tree = parseTreeId(await run.root(options.source, parent?.tree ?? null));
    await run.until(flushPacks(pool));
    await confirmed;
    throwIfCancelled(options.signal);
    // From here on nothing may be cancelled: (1) all packs, then (2) the index, then (3) the snapshot.
    for (const { saver } of targets) await saver.flush();
    const snapshots = await commit(options, targets, tree, parent, began);
    reportProgress(options, run, stored());
    return {
      snapshots,
      files: run.files,
      directories: run.directories,
      bytesProcessed: run.bytesProcessed,
      bytesRead: run.bytesRead,
      bytesStored: stored(),
      dataBlobs: firstTarget.saver.blobs.data,
      treeBlobs: firstTarget.saver.blobs.tree,
      problems: run.problems,
    };
  } finally {
    clearInterval(ticking);
    options.signal?.removeEventListener('abort', cancel);
  }
}

/** The workers' half-filled packs are put together by one of them: a small backup makes few files. */
async function flushPacks(pool: Pool): Promise<void> {
  const workers = Array.from({ length: pool.size }, (_, n) => n);
  const answers = await Promise.all(workers.map(async (worker) => pool.run(worker, { kind: 'hand-over' })));
  const packs = answers.flatMap((answer) => (answer.kind === 'hand-over' ? answer.packs : []));
  await pool.run(
    0,
    { kind: 'finish', packs },
    packs.map((pack) => pack.buffer),
  );
}

async function commit(
  options: BackupOptions,
  targets: readonly Target[],
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
    excludes: [],
    tags: options.tags ?? [],
    original: null,
    programVersion: PROGRAM,
    summary: null,
  };
  const saved: BackupResult['snapshots'][number][] = [];
  for (const { repository } of targets) {
    const { id } = await saveSnapshot(repository, record);
    saved.push({ repository, id, tree, parent: record.parent });
  }
  return saved;
}

/** Gives pack buffers back to the workers that filled them, who may be waiting for them. */
class BufferReturns {
  readonly #ports: MessageChannel[] = [];
  readonly #counts: Int32Array[] = [];

  add(): Pick<BackupWorkerData, 'returns' | 'returned'> {
    const channel = new MessageChannel();
    const returned = new Int32Array(new SharedArrayBuffer(4));
    this.#ports.push(channel);
    this.#counts.push(returned);
    channel.port1.unref();
    return { returns: channel.port2, returned };
  }

  give(worker: number, buffer: ArrayBuffer): void {
    const count = this.#counts[worker];
    if (count === undefined) return;
    this.#ports[worker]?.port1.postMessage(buffer, [buffer]);
    Atomics.add(count, 0, 1);
    Atomics.notify(count, 0);
  }
}

function openPool(
  options: BackupOptions,
  targets: readonly Target[],
  buffers: BufferReturns,
  confirmed: Promise<unknown>,
  onError: (error: unknown) => void,
): Pool {
  const repositories = targets.map(({ repository, index }) => ({ index: index.shared, key: repository.key.parts }));
  const polynomial = (targets[0] as Target).repository.polynomial;
  return new WorkerPool({
    script: new URL('./work/backup-worker.ts', import.meta.url),
    size: options.workers,
    data: () => {
      const ports = buffers.add();
      const value: BackupWorkerData = { polynomial, repositories, ...ports };
      return { value, transfer: [ports.returns] };
    },
    onNews: (worker, pack) => {
      const target = targets[pack.repository];
      if (target === undefined) return;
      confirmed.then(() => target.saver.save(pack)).then(() => buffers.give(worker, pack.buffer), onError);
    },
  });
}

function reportProgress(options: BackupOptions, run: BackupRun, bytesStored: number): void {
  const files = run.files.new + run.files.changed + run.files.unmodified;
  options.onProgress?.({ files, bytes: run.bytesProcessed, bytesStored, current: displayPath(run.current) });
}
