/**
 * Where a repository's files lie: whole files under names, nothing of what is in them. Each storage is one file
 * (local, memory, sftp; s3 and rest have their room here), and what all of them need is a wrapper of the same
 * interface: retry, limit, watch, cache. `open-storage.ts` makes the chain out of a URL.
 *
 * The contract that every storage and every wrapper keeps, executed by `test/storage/storage-conformance.ts`:
 *
 * - `save` is all or nothing: a name is visible only with all of its bytes, and when `save` returns they survive a
 *   loss of power. Saving a name that is there already replaces it, as one step. Once `save` has settled, the bytes
 *   are the caller's again.
 * - `load` gives exactly the bytes asked for, or fails: where the file ends too early with `storage-failed` whose
 *   cause is a `RangeError`. The buffer's memory is the caller's alone, so that it may go to another thread. A whole
 *   file of more than `MAX_PACK_BYTES` is refused.
 * - `list` names each file once, and every file that was there from its beginning to its end; names that are no ids
 *   (what a crash left) are passed over. A kind without a directory has no files.
 * - `remove` of what is not there is no error.
 * - A call whose signal is aborted rejects with `cancelled` at once and leaves either nothing or the whole effect.
 * - `onBytes` is awaited for every piece (at most `MAX_PIECE_BYTES`) that a save or load moves, before it is moved,
 *   and may be called with 0 for a step that moved none.
 * - `beginFile`, which a storage has where a file costs no memory there until it has its name: bytes are appended, one
 *   call after another, to a file that no listing names. `finish` gives it its name and all that `save` promises;
 *   `discard` takes it away, and so does nobody but the one who looks after a crash. An append that has settled gives
 *   its bytes back; after one that failed there is only `discard`.
 * - Errors are `EngineError`s: `storage-…` and `cancelled`; those with `retry: 'never'` fail the same way each time.
 *   A missing file is `null` from `size` and `FileMissing` from `load`. A name that is no id is `storage-failed`.
 */
export type FileKind = 'config' | 'keys' | 'locks' | 'snapshots' | 'index' | 'data';

/** One file: its kind, and its id (of `config`, which has none, the empty text). */
export type FileHandle = {
  readonly kind: FileKind;
  readonly id: string;
  /** Of a pack: that it holds listings of directories, which are read again and again, and may be kept near. */
  readonly holds?: 'trees';
};

export const CONFIG_FILE: FileHandle = { kind: 'config', id: '' };

/** The kinds that are directories. */
export const LISTED_KINDS: readonly Exclude<FileKind, 'config'>[] = ['keys', 'locks', 'snapshots', 'index', 'data'];

/** A file as listings name it. */
export type ListedFile = { readonly id: string; readonly bytes: number };

/** A file that should be there is not. */
export class FileMissing extends Error {
  override readonly name = 'FileMissing';
  readonly file: FileHandle;

  constructor(file: FileHandle) {
    super(`no file ${file.kind}/${file.id}`);
    this.file = file;
  }
}

/** A part of a file, in bytes from its start. */
export type LoadRange = { readonly offset: number; readonly length: number };

/** What every call of a storage takes. */
export type CallOptions = {
  readonly signal?: AbortSignal | undefined;
  /** See the contract: progress for who watches, and a brake for who limits. */
  readonly onBytes?: ((bytes: number) => void | Promise<void>) | undefined;
  /**
   * Memory that a load may put its bytes into, from the beginning on, instead of fresh memory. It is the storage's until
   * the load has settled, and lost to the caller where it failed.
   */
  readonly into?: ArrayBuffer | undefined;
};

/** Largest piece between two calls of `onBytes`: small beside a second of a slow line. */
export const MAX_PIECE_BYTES: number = 256 * 1024;

/** A file that is written before its name is known: see `beginFile` in the contract. */
export interface GrowingFile {
  /** Fastest where `bytes` begins at a page of memory and has whole ones, but for the last call. */
  append(bytes: Uint8Array): Promise<void>;
  finish(file: FileHandle): Promise<void>;
  /** Nothing of it is left then, also where a call is still under way. Never rejects; without effect once it is finished. */
  discard(): Promise<void>;
}

/** Where a repository lies: see the contract at the top of this file. Whoever writes one runs the conformance suite on it. */
export interface Storage {
  /** For messages: never with a password in it. */
  readonly location: string;
  /** Where a wrapper answers out of copies of its own: the storage itself, which is what checks must read. */
  readonly uncached?: Storage;
  /** Makes the directories of an empty repository. */
  create(options?: CallOptions): Promise<void>;
  save(file: FileHandle, bytes: Uint8Array, options?: CallOptions): Promise<void>;
  /** Nothing is made before the first `append`. Wrappers that may try again do not pass it on. */
  beginFile?(options?: CallOptions): GrowingFile;
  /** The whole file, or one range of it. */
  load(file: FileHandle, range?: LoadRange, options?: CallOptions): Promise<Buffer>;
  /** Bytes of the file, or null where it is not there. */
  size(file: FileHandle, options?: CallOptions): Promise<number | null>;
  list(kind: FileKind, options?: CallOptions): Promise<readonly ListedFile[]>;
  remove(file: FileHandle, options?: CallOptions): Promise<void>;
}
