/**
 * A snapshot as a read-only file system: what every way in (commands, doors) sees of it. Paths are absolute and in
 * text; names that are not UTF-8 show with replacement characters and are reached by their bytes in `nameBytes`.
 */
import { EngineError } from '../errors.ts';
import type { Snapshot } from '../format/snapshot-file.ts';
import type { ExtendedAttribute, NodeType, TreeNode } from '../format/tree-node.ts';
import { DATA_CACHE_BYTES } from '../limits.ts';
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

/** Opens a snapshot for looking. @throws EngineError `index-damaged`. */
export async function openView(repository: Repository, snapshot: Snapshot): Promise<SnapshotView> {
  return new SnapshotView(await BlobReader.open(repository), snapshot);
}

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

  /** The bytes of a file that was listed or met on a walk, without looking for its path again; the next piece is read meanwhile. */
  async *readEntry({ contentIds }: Pick<ViewEntry, 'contentIds'>): AsyncGenerator<Uint8Array> {
    const start = (at: number): Promise<Buffer> | null => {
      const id = contentIds[at];
      if (id === undefined) return null;
      const piece = this.#piece(id);
      // Whoever stops reading before it has no interest in what became of it.
      piece.catch(() => undefined);
      return piece;
    };
    let next = start(0);
    for (let at = 1; next !== null; at++) {
      const piece = await next;
      next = start(at);
      yield piece;
    }
  }

  async *#readContent(content: readonly string[], from: number, length: number): AsyncGenerator<Uint8Array> {
    const to = from + length;
    let at = 0;
    for (const id of content) {
      const place = this.#reader.place('data', id);
      const bytes = place.plainBytes ?? place.length - SEAL_OVERHEAD_BYTES;
      if (at + bytes > from && at < to) yield (await this.#piece(id)).subarray(Math.max(0, from - at), to - at);
      at += bytes;
    }
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
