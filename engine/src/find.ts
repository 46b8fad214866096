/**
 * Looks through snapshots: for names, or for what a blob, listing or pack is part of.
 *
 *   snapshots, oldest first → walk each; a directory in which nothing was found is not read again at the same place
 *
 * A listing that can't be read is a problem, and the others are looked through.
 */
import { createHash } from 'node:crypto';
import { toEntry } from './browse/snapshot-view.ts';
import type { ViewEntry } from './browse/snapshot-view.ts';
import { EngineError, throwIfCancelled } from './errors.ts';
import type { Problem } from './errors.ts';
import type { Snapshot } from './format/snapshot-file.ts';
import type { BlobType } from './format/pack-header.ts';
import type { TreeNode } from './format/tree-node.ts';
import { BlobIndex } from './index/blob-index.ts';
import { readIndexFiles } from './index/load-index.ts';
import { MAX_PROBLEMS } from './limits.ts';
import { BlobReader } from './pack/blob-reader.ts';
import { parsePattern } from './path-pattern.ts';
import type { Repository } from './repository.ts';
import { selectSnapshots } from './snapshot-filter.ts';
import type { SnapshotFilter } from './snapshot-filter.ts';
import { displayPath } from './tree/byte-path.ts';
import { readListing, rootNode } from './tree/read-listing.ts';

/** Which names are looked for, and where. */
export type FindOptions = {
  /** Names or paths with `*`, `?`, `[…]` and `**`; what fits one of them is found, with everything below it. */
  readonly patterns: readonly string[];
  readonly ignoreCase?: boolean;
  /** Only what was changed at or after, and at or before this. */
  readonly oldest?: Date;
  readonly newest?: Date;
  /** Where to look; by default in all snapshots. */
  readonly filter?: SnapshotFilter;
  readonly signal?: AbortSignal;
};

/** An entry that fits, with the snapshot that has it. */
export type FoundPath = { readonly snapshot: Snapshot; readonly path: string; readonly entry: ViewEntry };

/**
 * Yields what fits, snapshot by snapshot, and returns the problems at the end.
 * @throws EngineError `pattern-invalid`, `snapshot-unknown`, `snapshot-ambiguous`, `index-damaged`,
 *   `repository-locked`, `cancelled`.
 */
export async function* find(
  repository: Repository,
  options: FindOptions,
): AsyncGenerator<FoundPath, readonly Problem[], undefined> {
  const patterns = options.patterns.map((pattern) => parsePattern(pattern, options));
  const [oldestNs, newestNs] = [toNs(options.oldest), toNs(options.newest)];
  return yield* walkSnapshots(repository, options, ({ snapshot, path, node }) => {
    if (path === '/' || !patterns.some((pattern) => pattern.fits(path))) return [];
    if (oldestNs !== null && node.mtimeNs < oldestNs) return [];
    if (newestNs !== null && node.mtimeNs > newestNs) return [];
    return [{ snapshot, path, entry: toEntry(node) }];
  });
}

const toNs = (date: Date | undefined): bigint | null =>
  date === undefined ? null : BigInt(date.getTime()) * 1_000_000n;

/** Which blobs, listings or packs are looked for, and where. */
export type FindBlobsOptions = {
  /** What the ids are of. */
  readonly kind: 'blob' | 'tree' | 'pack';
  /** Ids or their beginnings, at least four digits. */
  readonly ids: readonly string[];
  readonly filter?: SnapshotFilter;
  readonly signal?: AbortSignal;
};

/** A blob that is part of a file, or the listing of a directory; the root's is at `/`. */
export type FoundBlob = {
  readonly snapshot: Snapshot;
  readonly path: string;
  readonly type: BlobType;
  readonly id: string;
  /** The listing that names it; null for the root. */
  readonly parentTree: string | null;
};

/**
 * Yields each place of each wanted blob, and returns the problems at the end. Of packs, the blobs that the index
 * lists in them are looked for.
 * @throws EngineError `pattern-invalid` for what is no id, and as `find` does.
 */
export async function* findBlobs(
  repository: Repository,
  options: FindBlobsOptions,
): AsyncGenerator<FoundBlob, readonly Problem[], undefined> {
  for (const id of options.ids) {
    if (!/^[0-9a-f]{4,64}$/.test(id))
      throw new EngineError('pattern-invalid', { pattern: id.slice(0, 80), reason: 'ids are 4 to 64 hex digits' });
  }
  const wanted = options.kind === 'pack' ? await wantedOfPacks(repository, options) : wantedByName(options);
  return yield* walkSnapshots(repository, options, ({ snapshot, path, node, parentTree }) => {
    const found: FoundBlob[] = [];
    // A file may hold the same blob a thousand times; its place is said once.
    for (const id of new Set(node.content))
      if (wanted('data', id)) found.push({ snapshot, path, type: 'data', id, parentTree });
    if (node.subtree !== null && wanted('tree', node.subtree))
      found.push({ snapshot, path, type: 'tree', id: node.subtree, parentTree });
    return found;
  });
}

type Wanted = (type: BlobType, id: string) => boolean;

function wantedByName({ kind, ids }: FindBlobsOptions): Wanted {
  const type: BlobType = kind === 'tree' ? 'tree' : 'data';
  return (found, id) => found === type && ids.some((start) => id.startsWith(start));
}

async function wantedOfPacks(repository: Repository, { ids, signal }: FindBlobsOptions): Promise<Wanted> {
  const blobs = new BlobIndex();
  for await (const { packs } of readIndexFiles(repository.withSignal(signal).storage, repository.key)) {
    for (const pack of packs) {
      if (ids.some((start) => pack.id.startsWith(start))) for (const { type, id } of pack.blobs) blobs.claim(type, id);
    }
  }
  return (type, id) => blobs.has(type, id);
}

type Visit = {
  readonly snapshot: Snapshot;
  readonly path: string;
  readonly node: TreeNode;
  readonly parentTree: string | null;
};

async function* walkSnapshots<Found>(
  given: Repository,
  { filter, signal }: { readonly filter?: SnapshotFilter; readonly signal?: AbortSignal },
  look: (visit: Visit) => readonly Found[],
): AsyncGenerator<Found, readonly Problem[], undefined> {
  throwIfCancelled(signal);
  const repository = given.withSignal(signal);
  await using lock = await repository.lock('shared');
  const confirmed = lock.confirm();
  confirmed.catch(() => undefined);
  repository.dropIndex();
  const { snapshots, problems } = await selectSnapshots(repository, filter, signal);
  const walk = new FindWalk(await BlobReader.open(repository), look, signal, [...problems]);
  for (const snapshot of snapshots) yield* walk.visit(snapshot);
  await confirmed;
  return walk.problems;
}

class FindWalk<Found> {
  readonly problems: Problem[];
  readonly #reader: BlobReader;
  readonly #look: (visit: Visit) => readonly Found[];
  readonly #signal: AbortSignal | undefined;
  /** Listings at their paths in which nothing was found: a table of ids, nothing is stored by it. */
  readonly #empty = new BlobIndex();

  constructor(
    reader: BlobReader,
    look: (visit: Visit) => readonly Found[],
    signal: AbortSignal | undefined,
    problems: Problem[],
  ) {
    this.#reader = reader;
    this.#look = look;
    this.#signal = signal;
    this.problems = problems;
  }

  async *visit(snapshot: Snapshot): AsyncGenerator<Found> {
    const root = rootNode(snapshot);
    yield* this.#look({ snapshot, path: '/', node: root, parentTree: null });
    yield* this.#walk(snapshot, snapshot.tree, '');
  }

  /** Returns whether anything was found. */
  async *#walk(snapshot: Snapshot, tree: string, path: string): AsyncGenerator<Found, boolean> {
    throwIfCancelled(this.#signal);
    const place = createHash('sha256').update(`${tree}${path}`).digest('hex');
    if (this.#empty.has('tree', place)) return false;
    let isFound = false;
    try {
      for (const node of await readListing(this.#reader, tree)) {
        const below = `${path}/${displayPath(node.name)}`;
        const found = this.#look({ snapshot, path: below, node, parentTree: tree });
        isFound ||= found.length > 0;
        yield* found;
        if (node.subtree !== null && (yield* this.#walk(snapshot, node.subtree, below))) isFound = true;
      }
    } catch (error) {
      this.#report(snapshot, path, error);
    }
    if (!isFound) this.#empty.claim('tree', place);
    return isFound;
  }

  /** What is damaged is told, and the walk goes on; anything else is thrown on. */
  #report(snapshot: Snapshot, path: string, error: unknown): void {
    if (!(error instanceof EngineError) || !DAMAGE.has(error.code)) throw error;
    if (this.problems.length >= MAX_PROBLEMS) return;
    const shown = `${snapshot.id.slice(0, 8)}:${path || '/'}`;
    this.problems.push({ code: error.code, path: shown, message: error.message });
  }
}

const DAMAGE: ReadonlySet<string> = new Set(['blob-missing', 'pack-damaged', 'tree-damaged']);
