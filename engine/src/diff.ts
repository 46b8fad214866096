/**
 * What differs between two snapshots, path by path, in the order of their names. Listings that are the same are not
 * read unless the statistics are wanted, which must know every blob of both.
 *
 *   walk both listings side by side, by name:
 *     only in the first `-`, only in the second `+`, and all below     in both: type `T`, content `M`, metadata `U`
 *     same type and id: passed over                                    `?`: other content under the same metadata
 */
import { throwIfCancelled } from './errors.ts';
import type { Snapshot } from './format/snapshot-file.ts';
import type { BlobType } from './format/pack-header.ts';
import type { TreeNode } from './format/tree-node.ts';
import { BlobIndex } from './index/blob-index.ts';
import { BlobReader } from './pack/blob-reader.ts';
import type { Repository } from './repository.ts';
import { SEAL_OVERHEAD_BYTES } from './seal/master-key.ts';
import { displayPath } from './tree/byte-path.ts';
import { findNode, readListing } from './tree/read-listing.ts';

/** A snapshot, or one directory of it. */
export type DiffSide = { readonly snapshot: Snapshot; readonly path?: string };

/** What is compared beside types and content. */
export type DiffOptions = {
  /** Also tell where only owner, mode, times or attributes differ (`U`). */
  readonly metadata?: boolean;
  /** Count blobs and bytes: every listing of both sides is read. */
  readonly statistics?: boolean;
  readonly signal?: AbortSignal;
};

/**
 * `modifier` is `+`, `-`, or one or more of: `T` another type, `M` other content, `U` other metadata, and `?` behind
 * `M` where only the content differs, which is what a disk that forgets looks like. Directories end in `/`.
 */
export type DiffChange = { readonly path: string; readonly modifier: string };

/** What one side has and the other has not. Bytes are of blobs, as they were before compression. */
export type DiffCounts = {
  files: number;
  dirs: number;
  others: number;
  dataBlobs: number;
  treeBlobs: number;
  bytes: number;
};

/** Blobs and bytes are 0 unless `statistics` were asked for. */
export type DiffStatistics = {
  readonly changedFiles: number;
  readonly added: Readonly<DiffCounts>;
  readonly removed: Readonly<DiffCounts>;
};

/**
 * Yields each change as it is found, and returns the counts at the end.
 * @throws EngineError `path-unknown`, `blob-missing`, `pack-damaged`, `tree-damaged`, `index-damaged`,
 *   `repository-locked`, `cancelled`.
 */
export async function* diff(
  given: Repository,
  from: DiffSide,
  to: DiffSide,
  options: DiffOptions = {},
): AsyncGenerator<DiffChange, DiffStatistics, undefined> {
  throwIfCancelled(options.signal);
  const repository = given.withSignal(options.signal);
  await using lock = await repository.lock('shared');
  const confirmed = lock.confirm();
  confirmed.catch(() => undefined);
  // What others wrote since is known only by reading the index anew.
  repository.dropIndex();
  const run = new DiffRun(await BlobReader.open(repository), options);
  yield* run.compare(from, to);
  await confirmed;
  return run.statistics();
}

type Kind = 'added' | 'removed';

const zero = (): DiffCounts => ({ files: 0, dirs: 0, others: 0, dataBlobs: 0, treeBlobs: 0, bytes: 0 });

class DiffRun {
  readonly #reader: BlobReader;
  readonly #options: DiffOptions;
  #changedFiles = 0;
  readonly #counts: Readonly<Record<Kind, DiffCounts>> = { added: zero(), removed: zero() };
  /** Blobs seen on the side that has them; what both have is taken out at the end. */
  readonly #blobs: Readonly<Record<Kind, Map<string, BlobType>>> = { added: new Map(), removed: new Map() };
  /** Blobs of listings that both sides share: a table of ids, nothing is stored by it. */
  readonly #common = new BlobIndex();

  constructor(reader: BlobReader, options: DiffOptions) {
    this.#reader = reader;
    this.#options = options;
  }

  async *compare(from: DiffSide, to: DiffSide): AsyncGenerator<DiffChange> {
    const first = await findNode(this.#reader, from.snapshot, from.path ?? '/');
    const second = await findNode(this.#reader, to.snapshot, to.path ?? '/');
    // Two files: there is no listing to walk, they are compared under the second's path.
    if (first.subtree === null || second.subtree === null) yield* this.#compareNodes(first, second, '');
    else {
      this.#addBlobs('removed', first);
      this.#addBlobs('added', second);
      yield* this.#compareTrees(first.subtree, second.subtree, '');
    }
  }

  statistics(): DiffStatistics {
    for (const kind of ['added', 'removed'] as const) this.#countBlobs(kind);
    return { changedFiles: this.#changedFiles, ...this.#counts };
  }

  async *#compareTrees(first: string, second: string, path: string): AsyncGenerator<DiffChange> {
    throwIfCancelled(this.#options.signal);
    if (first === second) {
      if (this.#options.statistics === true) await this.#addCommon(first);
      return;
    }
    const before = (await readListing(this.#reader, first))[Symbol.iterator]();
    const after = (await readListing(this.#reader, second))[Symbol.iterator]();
    // Both are in the order of their names' bytes.
    let [old, young] = [next(before), next(after)];
    while (old !== null || young !== null) {
      if (young === null || (old !== null && old.name < young.name)) {
        if (old !== null) yield* this.#tellAll('removed', old, path);
        old = next(before);
      } else if (old === null || young.name < old.name) {
        yield* this.#tellAll('added', young, path);
        young = next(after);
      } else {
        yield* this.#compareNodes(old, young, path);
        [old, young] = [next(before), next(after)];
      }
    }
  }

  async *#compareNodes(first: TreeNode, second: TreeNode, path: string): AsyncGenerator<DiffChange> {
    this.#addBlobs('removed', first);
    this.#addBlobs('added', second);
    const below = `${path}/${displayPath(second.name)}`;
    const modifier = this.#modifierOf(first, second);
    if (modifier !== '') yield { path: second.type === 'dir' ? `${below}/` : below, modifier };
    if (first.subtree !== null && second.subtree !== null)
      yield* this.#compareTrees(first.subtree, second.subtree, below);
  }

  #modifierOf(first: TreeNode, second: TreeNode): string {
    const isOtherType = first.type !== second.type;
    let modifier = isOtherType ? 'T' : '';
    if (first.type === 'file' && second.type === 'file' && !isSameList(first.content, second.content)) {
      this.#changedFiles++;
      return `${modifier}M${isSameNode(first, second, false) ? '?' : ''}`;
    }
    if (this.#options.metadata === true && !isSameNode(first, second, true)) modifier += 'U';
    return modifier;
  }

  async *#tellAll(kind: Kind, node: TreeNode, path: string): AsyncGenerator<DiffChange> {
    throwIfCancelled(this.#options.signal);
    this.#addBlobs(kind, node);
    const below = `${path}/${displayPath(node.name)}`;
    const counts = this.#counts[kind];
    if (node.type === 'file') counts.files++;
    else if (node.type === 'dir') counts.dirs++;
    else counts.others++;
    yield { path: node.type === 'dir' ? `${below}/` : below, modifier: kind === 'added' ? '+' : '-' };
    if (node.subtree === null) return;
    for (const child of await readListing(this.#reader, node.subtree)) yield* this.#tellAll(kind, child, below);
  }

  #addBlobs(kind: Kind, node: TreeNode): void {
    if (this.#options.statistics !== true) return;
    for (const id of node.content) this.#blobs[kind].set(`data ${id}`, 'data');
    if (node.subtree !== null) this.#blobs[kind].set(`tree ${node.subtree}`, 'tree');
  }

  async #addCommon(tree: string): Promise<void> {
    throwIfCancelled(this.#options.signal);
    if (this.#common.claim('tree', tree) === -1) return;
    for (const node of await readListing(this.#reader, tree)) {
      for (const id of node.content) this.#common.claim('data', id);
      if (node.subtree !== null) await this.#addCommon(node.subtree);
    }
  }

  #countBlobs(kind: Kind): void {
    const other = this.#blobs[kind === 'added' ? 'removed' : 'added'];
    const counts = this.#counts[kind];
    for (const [key, type] of this.#blobs[kind]) {
      const id = key.slice('data '.length);
      if (other.has(key) || this.#common.has(type, id)) continue;
      if (type === 'tree') counts.treeBlobs++;
      else counts.dataBlobs++;
      const place = this.#reader.place(type, id);
      counts.bytes += place.plainBytes ?? place.length - SEAL_OVERHEAD_BYTES;
    }
  }
}

function next(nodes: Iterator<TreeNode>): TreeNode | null {
  const { done, value } = nodes.next();
  return done === true ? null : value;
}

function isSameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((id, i) => id === b[i]);
}

/** Whether two nodes say the same of what they describe, with or without the content of a file. */
function isSameNode(a: TreeNode, b: TreeNode, withContent: boolean): boolean {
  if (withContent && (!isSameList(a.content, b.content) || a.subtree !== b.subtree)) return false;
  const plain = ['type', 'mode', 'mtimeNs', 'ctimeNs', 'uid', 'gid', 'user', 'group', 'inode', 'device'] as const;
  const rest = ['size', 'links', 'linkTarget', 'specialDevice', 'error'] as const;
  return [...plain, ...rest].every((name) => a[name] === b[name]) && isSameAttributes(a, b);
}

function isSameAttributes({ extendedAttributes: a }: TreeNode, { extendedAttributes: b }: TreeNode): boolean {
  return (
    a.length === b.length &&
    a.every(({ name, value }) => b.some((each) => each.name === name && Buffer.compare(each.value, value) === 0))
  );
}
