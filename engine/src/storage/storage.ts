/**
 * Where a repository's files lie. The contract that every storage keeps:
 *
 * - `save` is all or nothing: a name is visible only with all of its bytes, and when `save` returns they survive a
 *   loss of power. Saving a name that is there already with the same length is no error.
 * - `load` gives exactly the bytes asked for, or fails: a short answer is an error, never a shorter result.
 * - `list` names each file once; files whose names are no ids (what a crash left) are passed over.
 * - `remove` of what is not there is no error.
 * - Errors are `EngineError`s: `storage-failed` and `storage-full`. A missing file is `null` from `size` and
 *   `FileMissing` from `load`.
 */
export type FileKind = 'config' | 'keys' | 'locks' | 'snapshots' | 'index' | 'data';

/** One file: its kind, and its id (of `config`, which has none, the empty text). */
export type FileHandle = { readonly kind: FileKind; readonly id: string };

export const CONFIG_FILE: FileHandle = { kind: 'config', id: '' };

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

export type LoadRange = { readonly offset: number; readonly length: number };

export interface Storage {
  /** For messages: never with a password in it. */
  readonly location: string;
  /** Makes the directories of an empty repository. */
  create(): Promise<void>;
  save(file: FileHandle, bytes: Uint8Array): Promise<void>;
  /** The whole file, at most `maxBytes`, or one range of it. */
  load(file: FileHandle, range?: LoadRange): Promise<Buffer>;
  /** Bytes of the file, or null where it is not there. */
  size(file: FileHandle): Promise<number | null>;
  list(kind: FileKind): Promise<readonly ListedFile[]>;
  remove(file: FileHandle): Promise<void>;
}
