/** How much an archive of unknown origin may make us do. Every bound can be given by whoever opens one. */
export type ArchiveLimits = {
  /** Of everything that comes out of it, sparse files counted as large as they say they are. */
  readonly maxBytes: number;
  /** Bytes out for each byte in, once more than `ratioFromBytes` came out. */
  readonly maxRatio: number;
  readonly ratioFromBytes: number;
  readonly maxMembers: number;
  /** Of one member's extended headers, with its attributes. */
  readonly maxHeaderBytes: number;
  /** Of sparse pieces of one file. */
  readonly maxPieces: number;
};

const MiB = 1024 * 1024;

export const DEFAULT_LIMITS: ArchiveLimits = {
  // Four times the largest site that BOA's own documents speak of; whoever unpacks gives what the disk has free.
  maxBytes: 2 ** 40,
  // Dumps of real sites compress by 5 to 15, tables of nothing but zeros by 100; a bomb by 1000 and more.
  maxRatio: 250,
  ratioFromBytes: 256 * MiB,
  // Aegir's largest sites are said to have "an extremely large number of files": a tenth of this.
  maxMembers: 20_000_000,
  // An attribute has 64 KiB at most, and one file system lets a file have a few of them.
  maxHeaderBytes: MiB,
  maxPieces: 1_000_000,
};

/** Of Linux: a longer name or path can't be made, whatever an archive says. */
export const MAX_PATH_BYTES = 4095;

/** For what we wrote ourselves a moment ago. */
export const UNLIMITED: ArchiveLimits = {
  maxBytes: Number.MAX_SAFE_INTEGER,
  maxRatio: Number.MAX_SAFE_INTEGER,
  ratioFromBytes: Number.MAX_SAFE_INTEGER,
  maxMembers: Number.MAX_SAFE_INTEGER,
  maxHeaderBytes: 64 * MiB,
  maxPieces: DEFAULT_LIMITS.maxPieces,
};
