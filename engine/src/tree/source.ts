/** What a backup is made of: a tree of entries, each a path of this machine, a made-up directory, or a byte stream. */

import type { Snapshot } from '../format/snapshot-file.ts';
import type { ExcludeRules } from './exclusion.ts';

/**
 * How a stream is cut into blobs: as restic cuts files, or where the stream says (`given`): each array that it yields
 * becomes one blob, one of more than 1 MiB several. For content whose parts the caller knows, as rows of a dump.
 */
export type Cut = 'content' | 'given';

type Owner = { readonly mode?: number; readonly uid?: number; readonly gid?: number; readonly mtimeNs?: bigint };

/** A file or directory of this machine, walked as it is; symbolic links are stored, never followed. */
export type TreeEntry = {
  readonly kind: 'tree';
  readonly name: string;
  readonly path: string;
  /**
   * Where it is read instead: the same in a snapshot of the file system. What is left out, problems, and what nodes say of
   * their device are those of `path`, so that nothing differs from one snapshot to the next that did not change.
   */
  readonly from?: string;
  /**
   * A directory above `path` that nobody but the caller can replace: no symbolic link is followed from there down to
   * `path`. Below `path` none ever is; above it they are where this is absent.
   */
  readonly beneath?: string;
  /**
   * Whose files may have more than one name here: where it is given, one of anybody else that does is left out and named
   * (`foreign-link`). A tenant's hard link to another one's file would bring its content into the tenant's snapshot.
   */
  readonly linkOwners?: readonly number[];
  /** Absolute paths that are left out, with what is below them. */
  readonly exclude?: readonly string[];
  /** Rules of what else is left out. */
  readonly rules?: ExcludeRules;
};

/** A directory that exists in the snapshot only, or (`like`) one whose metadata is that of a real one. */
export type DirectoryEntry = Owner & {
  readonly kind: 'directory';
  readonly name: string;
  readonly like?: string;
  readonly entries: Iterable<SourceEntry> | AsyncIterable<SourceEntry>;
};

/** A file whose bytes come from elsewhere. `open` is called when all entries before it are done. */
export type StreamEntry = Owner & {
  readonly kind: 'stream';
  readonly name: string;
  readonly cut?: Cut;
  readonly open: () => AsyncIterable<Uint8Array>;
};

/**
 * What an earlier snapshot of the repository holds at an absolute path: taken over without being read. For a backup into
 * one repository, the one that holds that snapshot.
 */
export type StoredEntry = {
  readonly kind: 'stored';
  readonly name: string;
  readonly from: Snapshot;
  readonly path: string;
  /** Of a directory: entries that take the place of those of the same name, or come beside the others. */
  readonly instead?: readonly SourceEntry[];
  /** Of a directory: names of what is not taken over. */
  readonly without?: readonly string[];
};

/** One entry of a snapshot in the making: a part of the machine, a made-up directory, a stream of bytes, or a part of another snapshot. */
export type SourceEntry = TreeEntry | DirectoryEntry | StreamEntry | StoredEntry;

/**
 * The entries for absolute paths as restic lays them out: the chain of their real ancestors, with only the wanted
 * children listed.
 */
export function entriesOfPaths(paths: readonly string[], exclude: readonly string[] = []): SourceEntry[] {
  const split = [...new Set(paths)].map((path) => path.split('/').filter((part) => part !== ''));
  return below('', split, exclude);
}

function below(prefix: string, paths: readonly (readonly string[])[], exclude: readonly string[]): SourceEntry[] {
  const names = [...new Set(paths.map((path) => path[0] ?? ''))];
  return names.map((name) => {
    const path = `${prefix}/${name}`;
    const inside = paths.filter((other) => other[0] === name).map((other) => other.slice(1));
    if (inside.some((rest) => rest.length === 0)) return { kind: 'tree', name, path, exclude };
    return { kind: 'directory', name, like: path, entries: below(path, inside, exclude) };
  });
}
