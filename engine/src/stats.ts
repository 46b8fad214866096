/**
 * How much snapshots hold, counted in one of four ways:
 *
 *   restore-size       what restoring each of them would write; a file with several links once per snapshot
 *   files-by-contents  each content once, wherever and how often it lies
 *   raw-data           what it takes in the repository: each blob once, sealed and compressed
 *   blobs-per-file     each path with each content: the pieces that it is made of
 */
import { createHash } from 'node:crypto';
import { throwIfCancelled } from './errors.ts';
import type { Problem } from './errors.ts';
import type { Snapshot } from './format/snapshot-file.ts';
import type { BlobType } from './format/pack-header.ts';
import type { TreeNode } from './format/tree-node.ts';
import { BlobIndex } from './index/blob-index.ts';
import { BlobReader } from './pack/blob-reader.ts';
import type { Repository } from './repository.ts';
import { SEAL_OVERHEAD_BYTES } from './seal/master-key.ts';
import { selectSnapshots } from './snapshot-filter.ts';
import type { SnapshotFilter } from './snapshot-filter.ts';
import { readListing } from './tree/read-listing.ts';

/** The ways to count, as restic names them. */
export const STATS_MODES = ['restore-size', 'files-by-contents', 'raw-data', 'blobs-per-file'] as const;
/** One way to count. */
export type StatsMode = (typeof STATS_MODES)[number];

/** How to count, and in which snapshots. */
export type StatsOptions = {
  /** By default `restore-size`. */
  readonly mode?: StatsMode;
  /** By default all snapshots. */
  readonly filter?: SnapshotFilter;
  readonly signal?: AbortSignal;
};

/** What was counted. Complete where `problems` is empty. */
export type StatsResult = {
  readonly mode: StatsMode;
  readonly snapshots: number;
  /** Bytes: of files, and with `raw-data` of blobs as stored. */
  readonly bytes: number;
  /** With `raw-data` bytes of the blobs before compression; else the same as `bytes`. */
  readonly plainBytes: number;
  /** Entries with `restore-size` (directories and links too), contents, or paths; with `raw-data` 0. */
  readonly files: number;
  /** With `raw-data` and `blobs-per-file`; else 0. */
  readonly blobs: number;
  readonly problems: readonly Problem[];
};

/**
 * @throws EngineError `snapshot-unknown`, `snapshot-ambiguous`, `blob-missing`, `pack-damaged`, `tree-damaged`,
 *   `index-damaged`, `repository-locked`, `cancelled`.
 */
export async function stats(given: Repository, options: StatsOptions = {}): Promise<StatsResult> {
  const { mode = 'restore-size', filter, signal } = options;
  const repository = given.withSignal(signal);
  return repository.withLock('shared', async () => {
    repository.dropIndex();
    const { snapshots, problems } = await selectSnapshots(repository, filter, signal);
    const run = new StatsRun(await BlobReader.open(repository), mode, signal);
    for (const snapshot of snapshots) await run.count(snapshot);
    return { mode, snapshots: snapshots.length, ...run.totals(), problems };
  });
}

class StatsRun {
  readonly #reader: BlobReader;
  readonly #mode: StatsMode;
  readonly #signal: AbortSignal | undefined;
  /** Tables of ids that were counted; 56 bytes each, nothing is stored by them. */
  readonly #seen = new BlobIndex();
  readonly #contents = new BlobIndex();
  /** Of one snapshot: files with several links, by device and inode. */
  #links = new Set<string>();
  #bytes = 0;
  #plainBytes = 0;
  #files = 0;
  #blobs = 0;

  constructor(reader: BlobReader, mode: StatsMode, signal: AbortSignal | undefined) {
    this.#reader = reader;
    this.#mode = mode;
    this.#signal = signal;
  }

  totals(): Pick<StatsResult, 'bytes' | 'plainBytes' | 'files' | 'blobs'> {
    const plainBytes = this.#mode === 'raw-data' ? this.#plainBytes : this.#bytes;
    return { bytes: this.#bytes, plainBytes, files: this.#files, blobs: this.#blobs };
  }

  async count(snapshot: Snapshot): Promise<void> {
    this.#links = new Set();
    await this.#countTree(snapshot.tree, '');
  }

  async #countTree(tree: string, path: string): Promise<void> {
    throwIfCancelled(this.#signal);
    if (!this.#isNewTree(tree)) return;
    for (const node of await readListing(this.#reader, tree)) {
      const below = `${path}/${node.name}`;
      this.#countNode(node, below);
      if (node.subtree !== null) await this.#countTree(node.subtree, below);
    }
  }

  /** Whether a listing was not counted yet, in the sense of the mode. */
  #isNewTree(tree: string): boolean {
    switch (this.#mode) {
      case 'restore-size':
        return true;
      case 'files-by-contents':
      case 'blobs-per-file':
        return this.#seen.claim('tree', tree) !== -1;
      case 'raw-data':
        return this.#countBlob('tree', tree);
      default:
        return this.#mode satisfies never;
    }
  }

  #countNode(node: TreeNode, path: string): void {
    switch (this.#mode) {
      case 'restore-size':
        this.#countEntry(node);
        break;
      case 'files-by-contents':
        // What has no content counts as one, as in restic: directories, links and empty files together.
        if (this.#contents.claim('data', idOf(...node.content)) === -1) break;
        this.#files++;
        this.#bytes += Number(node.size);
        break;
      case 'raw-data':
        for (const id of node.content) this.#countBlob('data', id);
        break;
      case 'blobs-per-file':
        this.#countPieces(node, path);
        break;
      default:
        this.#mode satisfies never;
    }
  }

  #countEntry(node: TreeNode): void {
    this.#files++;
    if (node.links > 1n) {
      const key = `${node.device} ${node.inode}`;
      if (this.#links.has(key)) return;
      this.#links.add(key);
    }
    this.#bytes += Number(node.size);
  }

  /** A content that was seen at another path is passed over, as restic does. */
  #countPieces(node: TreeNode, path: string): void {
    if (node.content.length === 0 || this.#contents.claim('data', idOf(...node.content)) === -1) return;
    if (this.#seen.claim('data', idOf(path)) !== -1) this.#files++;
    for (const id of node.content) {
      if (this.#contents.claim('tree', idOf(path, id)) === -1) continue;
      this.#blobs++;
      const place = this.#reader.place('data', id);
      this.#bytes += place.plainBytes ?? place.length - SEAL_OVERHEAD_BYTES;
    }
  }

  /** Whether the blob was not counted yet. */
  #countBlob(type: BlobType, id: string): boolean {
    if (this.#seen.claim(type, id) === -1) return false;
    const place = this.#reader.place(type, id);
    this.#blobs++;
    this.#bytes += place.length;
    this.#plainBytes += place.plainBytes ?? place.length - SEAL_OVERHEAD_BYTES;
    return true;
  }
}

/** One id for several texts in order; NUL stands in no path and no id. */
function idOf(...texts: readonly string[]): string {
  return createHash('sha256').update(texts.join('\0')).digest('hex');
}
