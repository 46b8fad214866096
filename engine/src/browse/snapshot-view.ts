/**
 * A snapshot as a read-only file system: what every way in (commands, doors) sees of it. Paths are absolute and in
 * text; names that are not UTF-8 show with replacement characters and are reached by their bytes in `nameBytes`.
 */
import { EngineError } from '../errors.ts';
import type { Problem } from '../errors.ts';
import type { Snapshot } from '../format/snapshot-file.ts';
import type { ExtendedAttribute, NodeType, TreeNode } from '../format/tree-node.ts';
import { DATA_CACHE_BYTES, VIEW_BATCH_BYTES } from '../limits.ts';
import { BlobReader } from '../pack/blob-reader.ts';
import type { Repository } from '../repository.ts';
import { SEAL_OVERHEAD_BYTES } from '../seal/master-key.ts';
import { byteString, displayPath } from '../tree/byte-path.ts';
import { findNode, readListing } from '../tree/read-listing.ts';

/** One file, directory, link or device. `mode` are the low 12 bits of Unix. */
export type ViewEntry = {
  readonly name: string;
  readonly nameBytes: Uint8Array;
  readonly type: NodeType;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly user: string;
  readonly group: string;
  /** Bytes. */
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly linkTarget: string | null;
  readonly linkTargetBytes: Uint8Array | null;
  readonly attributes: readonly ExtendedAttribute[];
  /** Of the file system that was read: equal pairs are names of one file where `links` is more than one. */
  readonly device: bigint;
  readonly inode: bigint;
  readonly links: bigint;
  /** Hashes of the pieces of a file: equal lists are equal contents where files are cut by content. */
  readonly contentIds: readonly string[];
};

/** One of a walk. `path` shows it, `pathBytes` is it. */
export type Walked = { readonly path: string; readonly pathBytes: Uint8Array; readonly entry: ViewEntry };

/**
 * Opens a snapshot for looking. A part of the index that is damaged or lost is no obstacle (docs/format.md, "A lost
 * index"): the view's `problems` tell of it.
 */
export async function openView(repository: Repository, snapshot: Snapshot): Promise<SnapshotView> {
  return new SnapshotView(await BlobReader.openRescuing(repository), snapshot);
}

/**
 * A snapshot as a read-only file system; opened by `openView`. Whatever reads it ends with `blob-missing`, `pack-damaged`,
 * `tree-damaged` or `storage-failed` where what is wanted can't be had.
 */
export class SnapshotView {
  readonly snapshot: Snapshot;
  readonly #reader: BlobReader;
  /** Pieces that were read last: a reader asks for parts of one piece again and again. */
  readonly #pieces = new Map<string, Buffer>();
  #cachedBytes = 0;

  constructor(reader: BlobReader, snapshot: Snapshot) {
    this.#reader = reader;
    this.snapshot = snapshot;
  }

  /** What of the index was damaged or lost and made up for, as far as it was met. */
  get problems(): readonly Problem[] {
    return this.#reader.problems;
  }

  /** What a directory holds, names in the order of their bytes. @throws EngineError `path-unknown`. */
  async *list(path: string): AsyncGenerator<ViewEntry> {
    const node = await findNode(this.#reader, this.snapshot, path);
    if (node.subtree === null) yield toEntry(node);
    else for (const child of await readListing(this.#reader, node.subtree)) yield toEntry(child);
  }

  /** @throws EngineError `path-unknown`. */
  async stat(path: string): Promise<ViewEntry> {
    return toEntry(await findNode(this.#reader, this.snapshot, path));
  }

  /** A file's bytes, or a part of them. @throws EngineError `path-unknown` where the path is no file. */
  async *read(
    path: string,
    range: { readonly offset?: number; readonly length?: number } = {},
  ): AsyncGenerator<Uint8Array> {
    const node = await findNode(this.#reader, this.snapshot, path);
    if (node.type !== 'file')
      throw new EngineError('path-unknown', { snapshot: this.snapshot.id.slice(0, 8), path: `file ${path}` });
    yield* this.#readContent(node.content, range.offset ?? 0, range.length ?? Number.MAX_SAFE_INTEGER);
  }

  /** The bytes of a file that was listed or met on a walk, without looking for its path again; the next batch is read meanwhile. */
  async *readEntry({ contentIds }: Pick<ViewEntry, 'contentIds'>): AsyncGenerator<Uint8Array> {
    await this.#reader.ensure('data', contentIds);
    yield* this.#readPieces(this.piecesOf({ contentIds }));
  }

  /** The pieces of a file, in order: SHA-256 of each, and how long it is. What has them is that file, unread. */
  piecesOf({ contentIds }: Pick<ViewEntry, 'contentIds'>): readonly { readonly id: string; readonly bytes: number }[] {
    return contentIds.map((id) => ({ id, bytes: this.#bytesOf(id) }));
  }

  async *#readContent(content: readonly string[], from: number, length: number): AsyncGenerator<Uint8Array> {
    await this.#reader.ensure('data', content);
    const to = from + length;
    const wanted: { readonly id: string; readonly bytes: number }[] = [];
    let start = 0;
    let at = 0;
    for (const id of content) {
      const bytes = this.#bytesOf(id);
      if (at + bytes > from && at < to) {
        if (wanted.length === 0) start = at;
        wanted.push({ id, bytes });
      }
      at += bytes;
    }
    for await (const piece of this.#readPieces(wanted)) {
      yield piece.subarray(Math.max(0, from - start), to - start);
      start += piece.length;
    }
  }

  #bytesOf(id: string): number {
    const { plainBytes, length } = this.#reader.place('data', id);
    return plainBytes ?? length - SEAL_OVERHEAD_BYTES;
  }

  /** Pieces in order. Small ones lie side by side in their packs, by the hundred: they are read in batches, one ahead. */
  async *#readPieces(pieces: readonly { readonly id: string; readonly bytes: number }[]): AsyncGenerator<Buffer> {
    const batches = gatherBatches(pieces);
    const start = (at: number): Promise<readonly Buffer[]> | null => {
      const ids = batches[at];
      if (ids === undefined) return null;
      const batch = this.#readBatch(ids);
      // Whoever stops reading before it has no interest in what became of it.
      batch.catch(() => undefined);
      return batch;
    };
    let next = start(0);
    for (let at = 1; next !== null; at++) {
      const batch = await next;
      next = start(at);
      yield* batch;
    }
  }

  async #readBatch(ids: readonly string[]): Promise<readonly Buffer[]> {
    const [first] = ids;
    if (ids.length === 1 && first !== undefined) return [await this.#piece(first)];
    const read = await this.#reader.readMany(ids);
    return ids.map((id) => read.get(id) as Buffer);
  }

  /** The bytes of several files at once, each whole: for small ones, of which many lie near each other. */
  async readWhole(entries: readonly Pick<ViewEntry, 'contentIds'>[]): Promise<Buffer[]> {
    const pieces = await this.#reader.readMany(entries.flatMap(({ contentIds }) => contentIds));
    return entries.map(({ contentIds: [first, ...rest] }) => {
      if (first === undefined) return Buffer.alloc(0);
      if (rest.length === 0) return pieces.get(first) as Buffer;
      return Buffer.concat([first, ...rest].map((id) => pieces.get(id) as Buffer));
    });
  }

  /** Everything below a path, parents before children. */
  async *walk(path: string): AsyncGenerator<Walked> {
    const node = await findNode(this.#reader, this.snapshot, path);
    if (node.subtree !== null) yield* this.#walk(node.subtree, byteString(path.replace(/\/+$/, '')));
  }

  async *#walk(tree: string, path: string): AsyncGenerator<Walked> {
    for (const node of await readListing(this.#reader, tree)) {
      const below = `${path}/${node.name}`;
      yield { path: displayPath(below), pathBytes: Buffer.from(below, 'latin1'), entry: toEntry(node) };
      if (node.subtree !== null) yield* this.#walk(node.subtree, below);
    }
  }

  async #piece(id: string): Promise<Buffer> {
    const known = this.#pieces.get(id);
    if (known !== undefined) return known;
    const piece = await this.#reader.read('data', id);
    this.#pieces.set(id, piece);
    this.#cachedBytes += piece.length;
    for (const [old, bytes] of this.#pieces) {
      if (this.#cachedBytes <= DATA_CACHE_BYTES || old === id) break;
      this.#pieces.delete(old);
      this.#cachedBytes -= bytes.length;
    }
    return piece;
  }
}

/** Runs of pieces that have this much together, or one that has more. */
function gatherBatches(pieces: readonly { readonly id: string; readonly bytes: number }[]): string[][] {
  const batches: string[][] = [];
  let held = Infinity;
  for (const { id, bytes } of pieces) {
    if (held + bytes > VIEW_BATCH_BYTES) {
      batches.push([]);
      held = 0;
    }
    batches.at(-1)?.push(id);
    held += bytes;
  }
  return batches;
}

/** A node as it is shown. */
export function toEntry(node: TreeNode): ViewEntry {
  return {
    name: displayPath(node.name),
    nameBytes: Buffer.from(node.name, 'latin1'),
    type: node.type,
    mode: node.mode & 0o7777,
    uid: node.uid,
    gid: node.gid,
    user: node.user,
    group: node.group,
    size: Number(node.size),
    mtimeNs: node.mtimeNs,
    linkTarget: node.type === 'symlink' ? displayPath(node.linkTarget) : null,
    linkTargetBytes: node.type === 'symlink' ? Buffer.from(node.linkTarget, 'latin1') : null,
    attributes: node.extendedAttributes,
    device: node.device,
    inode: node.inode,
    links: node.links,
    contentIds: node.content,
  };
}
