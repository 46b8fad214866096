/**
 * Every version of one path: what it was in all snapshots, equal contents together. Contents are compared by the ids
 * of their pieces, so that no data is read.
 */
import { createHash } from 'node:crypto';
import { toEntry } from './browse/snapshot-view.ts';
import type { ViewEntry } from './browse/snapshot-view.ts';
import { EngineError, throwIfCancelled } from './errors.ts';
import type { Problem } from './errors.ts';
import type { Snapshot } from './format/snapshot-file.ts';
import type { TreeNode } from './format/tree-node.ts';
import { BlobReader } from './pack/blob-reader.ts';
import type { Repository } from './repository.ts';
import { selectSnapshots } from './snapshot-filter.ts';
import type { SnapshotFilter } from './snapshot-filter.ts';
import { findNode } from './tree/read-listing.ts';

/** In which snapshots the path is looked for. */
export type VersionsOptions = {
  /** By default all snapshots. */
  readonly filter?: SnapshotFilter;
  readonly signal?: AbortSignal;
};

/** One content that a path had, with the snapshots that hold it. */
export type PathVersion = {
  /** Equal for equal contents of the same type: files by their pieces, links by target, directories by listing. */
  readonly content: string;
  /** As the newest snapshot with this content has it: size, mode, mtime. */
  readonly entry: ViewEntry;
  /** Oldest first; those between that hold another content or none are not in it. */
  readonly snapshots: readonly Snapshot[];
  readonly firstSeen: Snapshot;
  readonly lastSeen: Snapshot;
};

/** All contents of a path. Complete where `problems` is empty. */
export type VersionsResult = {
  /** The one that was seen last first; empty where no snapshot has the path. */
  readonly versions: readonly PathVersion[];
  /** Snapshots that could not be looked into. */
  readonly problems: readonly Problem[];
};

/**
 * @throws EngineError `snapshot-unknown`, `snapshot-ambiguous`, `index-damaged`, `repository-locked`, `cancelled`.
 */
export async function versions(
  given: Repository,
  path: string,
  options: VersionsOptions = {},
): Promise<VersionsResult> {
  const repository = given.withSignal(options.signal);
  return repository.withLock('shared', async () => {
    repository.dropIndex();
    const selected = await selectSnapshots(repository, options.filter, options.signal);
    const problems = [...selected.problems];
    const reader = await BlobReader.open(repository);
    const nodes = new Map<string, TreeNode | null>();
    const found = new Map<string, { node: TreeNode; snapshots: Snapshot[] }>();
    for (const snapshot of selected.snapshots) {
      throwIfCancelled(options.signal);
      // Snapshots between which nothing changed have the same tree.
      let node = nodes.get(snapshot.tree);
      if (node === undefined) nodes.set(snapshot.tree, (node = await lookUp(reader, snapshot, path, problems)));
      if (node === null) continue;
      const content = contentOf(node);
      const snapshots = found.get(content)?.snapshots ?? [];
      snapshots.push(snapshot);
      // Last in the map is what was seen last.
      found.delete(content);
      found.set(content, { node, snapshots });
    }
    return { versions: [...found].map(([content, each]) => toVersion(content, each)).toReversed(), problems };
  });
}

async function lookUp(
  reader: BlobReader,
  snapshot: Snapshot,
  path: string,
  problems: Problem[],
): Promise<TreeNode | null> {
  try {
    return await findNode(reader, snapshot, path);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    if (error.code === 'path-unknown') return null;
    if (!DAMAGE.has(error.code)) throw error;
    problems.push({ code: error.code, path: `snapshots/${snapshot.id}`, message: error.message });
    return null;
  }
}

const DAMAGE: ReadonlySet<string> = new Set(['blob-missing', 'pack-damaged', 'tree-damaged']);

function contentOf({ type, content, subtree, linkTarget, specialDevice }: TreeNode): string {
  const parts = [type, subtree ?? '', linkTarget, specialDevice, ...content];
  return createHash('sha256').update(parts.join('\0')).digest('hex');
}

function toVersion(
  content: string,
  { node, snapshots }: { readonly node: TreeNode; readonly snapshots: readonly Snapshot[] },
): PathVersion {
  const [firstSeen, lastSeen] = [snapshots[0], snapshots.at(-1)];
  if (firstSeen === undefined || lastSeen === undefined) throw new RangeError('a version was seen nowhere');
  return { content, entry: toEntry(node), snapshots, firstSeen, lastSeen };
}
