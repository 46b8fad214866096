/**
 * Brings snapshots of one repository into another, with everything they need; blobs are neither cut nor compressed
 * again.
 *
 *   which snapshots lack there → walk their listings → blobs that lack there → transfer (workers) → packs → index
 *   → snapshots, each with the id that it had first as `original`
 *
 * A snapshot that is there already (the same original and the same record) is left alone, so a copy that was killed
 * goes on where it was.
 */
import { throwIfCancelled } from './errors.ts';
import type { Problem } from './errors.ts';
import type { BlobType } from './format/pack-header.ts';
import type { Snapshot } from './format/snapshot-file.ts';
import type { SnapshotId } from './ids.ts';
import { BlobReader } from './pack/blob-reader.ts';
import type { Repository } from './repository.ts';
import { listSnapshots, saveSnapshot } from './snapshots.ts';
import { readListing } from './tree/read-listing.ts';
import { StorePass } from './work/store-pass.ts';

/** From where to where, and which snapshots. */
export type CopyOptions = {
  readonly from: Repository;
  readonly to: Repository;
  /** Which snapshots; by default all. */
  readonly wanted?: (snapshot: Snapshot) => boolean;
  readonly workers?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: CopyProgress) => void;
};

/** What was handled so far. */
export type CopyProgress = { readonly snapshots: number; readonly blobs: number };

/** What was brought over; `bytesStored` as sealed in the target. */
export type CopyResult = {
  readonly copied: readonly { readonly from: SnapshotId; readonly to: SnapshotId }[];
  /** Were there already. */
  readonly skipped: number;
  readonly blobs: number;
  readonly bytesStored: number;
  /** What of the source's index was damaged or lost and made up for. */
  readonly problems: readonly Problem[];
};

/** Blobs that are collected before they are transferred: a bound on memory, and packs fill. */
const BATCH_BLOBS = 20_000;

/**
 * @throws EngineError `repository-locked`, `storage-failed`, `pack-damaged`, `blob-missing`, `tree-damaged`,
 *   `lock-lost`, `cancelled`. Snapshots that were copied before stay; none is made whose blobs are not all there.
 */
export async function copy(given: CopyOptions): Promise<CopyResult> {
  const { signal } = given;
  throwIfCancelled(signal);
  const options = { ...given, from: given.from.withSignal(signal), to: given.to.withSignal(signal) };
  const { from, to } = options;
  return from.withLock('shared', async () => {
    const lacking = await lackingSnapshots(options);
    if (lacking.snapshots.length === 0)
      return { copied: [], skipped: lacking.skipped, blobs: 0, bytesStored: 0, problems: [] };
    let failure: unknown;
    await using pass = await StorePass.open([to], {
      workers: options.workers,
      sourceKey: from.key.parts,
      onFailure: (error) => (failure ??= error),
    });
    from.dropIndex();
    const reader = await BlobReader.openRescuing(from);
    const run = new CopyRun(options, pass, reader);
    for (const snapshot of lacking.snapshots) {
      await run.take(snapshot);
      if (failure !== undefined) throw failure;
    }
    await run.flush();
    // Packs and index first, then the snapshots that refer to them: from there on nothing may be cancelled.
    await pass.finish();
    throwIfCancelled(signal);
    // Whoever took the lock away may have pruned what the snapshots need.
    await pass.base.lock.requireHeld();
    const copied: CopyResult['copied'][number][] = [];
    for (const snapshot of lacking.snapshots) {
      if (copied.length > 0) await pass.base.lock.requireHeld({});
      const { id } = await saveSnapshot(given.to, {
        ...snapshot,
        parent: null,
        original: snapshot.original ?? snapshot.id,
      });
      copied.push({ from: snapshot.id, to: id });
    }
    const { problems } = reader;
    return { copied, skipped: lacking.skipped, blobs: run.blobs, bytesStored: pass.base.saver.bytesStored, problems };
  });
}

/** Two records of one snapshot, whatever repository they lie in. */
export function isSameSnapshot(a: Snapshot, b: Snapshot): boolean {
  const key = (snapshot: Snapshot): string =>
    JSON.stringify([
      Date.parse(snapshot.time),
      snapshot.tree,
      snapshot.paths,
      snapshot.hostname,
      snapshot.username,
      snapshot.tags.toSorted(),
    ]);
  return key(a) === key(b);
}

async function lackingSnapshots(options: CopyOptions): Promise<{ snapshots: Snapshot[]; skipped: number }> {
  const there = (await listSnapshots(options.to)).snapshots;
  const here = (await listSnapshots(options.from)).snapshots.filter((snapshot) => options.wanted?.(snapshot) ?? true);
  const snapshots = here.filter((snapshot) => !there.some((other) => isSameSnapshot(snapshot, other)));
  return { snapshots, skipped: here.length - snapshots.length };
}

class CopyRun {
  blobs = 0;
  readonly #options: CopyOptions;
  readonly #pass: StorePass;
  readonly #reader: BlobReader;
  readonly #seen = new Set<string>();
  #waiting = new Map<string, BlobType>();
  #snapshots = 0;

  constructor(options: CopyOptions, pass: StorePass, reader: BlobReader) {
    this.#options = options;
    this.#pass = pass;
    this.#reader = reader;
  }

  /** Transfers everything that a snapshot needs and the target lacks. */
  async take(snapshot: Snapshot): Promise<void> {
    await this.#walk(snapshot.tree);
    this.#snapshots += 1;
    this.#progress();
  }

  async flush(): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = new Map();
    // A tree and a data blob may have one id; the key of the map tells them apart.
    const blobs = [...waiting].map(([key, type]) => ({ type, id: key.slice(type.length + 1) }));
    const data = blobs.filter(({ type }) => type === 'data').map(({ id }) => id);
    await this.#reader.ensure('data', data);
    await this.#pass.transfer(this.#reader, blobs, this.#options.signal);
    this.blobs += blobs.length;
    this.#progress();
  }

  async #walk(tree: string): Promise<void> {
    throwIfCancelled(this.#options.signal);
    if (this.#seen.has(tree)) return;
    this.#seen.add(tree);
    for (const node of await readListing(this.#reader, tree)) {
      for (const id of node.content) await this.#want('data', id);
      if (node.subtree !== null) await this.#walk(node.subtree);
    }
    await this.#want('tree', tree);
  }

  async #want(type: BlobType, id: string): Promise<void> {
    if (this.#pass.base.index.has(type, id)) return;
    this.#waiting.set(`${type} ${id}`, type);
    if (this.#waiting.size >= BATCH_BLOBS) await this.flush();
  }

  #progress(): void {
    this.#options.onProgress?.({ snapshots: this.#snapshots, blobs: this.blobs });
  }
}
