/**
 * What an archive is made of: a site's directory, entry by entry, and dumps. A point gives both of one instant
 * (`points/point-source.ts`), a plain directory its files as they are (`directory-source.ts`).
 */
import type { Xattr } from './tar/tar-member.ts';

export type ArchiveSource = {
  /** The directory itself first (its path is empty), then all below it, parents before children. */
  entries(): AsyncIterable<SourceEntry>;
  /** The site's own database first. */
  readonly databases: readonly SourceDatabase[];
  /** Directories among the entries that are links to elsewhere in the site. */
  readonly moved: readonly { readonly path: string; readonly target: string }[];
};

/** Paths and targets are byte strings, one character per byte. */
export type SourceEntry = {
  /** Below the site's directory, without a slash at either end. */
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'other';
  /** The low 12 bits of Unix. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly user: string;
  readonly group: string;
  /** Bytes of a file. */
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly linkTarget: string;
  readonly xattrs: readonly Xattr[];
  /** The same for all names of one file; null where it has one name only. */
  readonly identity: string | null;
  /** SHA-256 of a file's bytes in hex, where whoever reads them compares them with it; null where nobody does. */
  readonly sha256: string | null;
  /** A file's bytes, before the next entry is asked for; a piece is good until the next piece is. */
  open(): AsyncIterable<Uint8Array>;
};

export type SourceDatabase = {
  readonly name: string;
  /** Of the whole dump. */
  readonly bytes: number;
  readonly server: string;
  readonly charset: string;
  readonly collation: string;
  readonly tables: number;
  /** One plain dump, which the stock client loads. */
  open(): AsyncIterable<Uint8Array>;
};
