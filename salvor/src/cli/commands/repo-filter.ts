import type { Snapshot, SnapshotFilter } from '@salvor/engine';
import type { RepoSnapshot } from '@salvor/contract';
import type { RepoFlags } from './repo.ts';

/** How verbs that choose among snapshots are told which; named as restic names them. */
export type FilterFlags = RepoFlags & {
  readonly host?: readonly string[];
  /** Each a list: `a,b` is a snapshot that has both. */
  readonly tag?: readonly string[];
  readonly path?: readonly string[];
};

export function toFilter(flags: Omit<FilterFlags, 'repo'>, ids: readonly string[] = []): SnapshotFilter {
  return { ids, hosts: flags.host ?? [], tags: toTagLists(flags.tag), paths: flags.path ?? [] };
}

/** `a,b` → both; the empty text stands for a snapshot without tags. */
export function toTagLists(lists: readonly string[] = []): readonly (readonly string[])[] {
  return lists.map((list) => list.split(',').map((tag) => tag.trim()));
}

export function toSnapshot({ id, time, tree, paths, hostname, username, tags, parent }: Snapshot): RepoSnapshot {
  return { id, time, tree, paths, hostname, username, tags, parent };
}
