/**
 * Names of what a repository holds. All are SHA-256 sums in lower-case hex: equal in bytes, different in meaning,
 * hence one type each, minted only here.
 */
export type Brand<T, Name extends string> = T & { readonly '~brand': Name };

/** SHA-256 of a blob's plaintext. */
export type BlobId = Brand<string, 'BlobId'>;
/** SHA-256 of a tree blob's plaintext: a blob id whose blob is a directory listing. */
export type TreeId = Brand<string, 'TreeId'>;
/** SHA-256 of a pack file as stored. */
export type PackId = Brand<string, 'PackId'>;
/** SHA-256 of an index file as stored. */
export type IndexId = Brand<string, 'IndexId'>;
/** SHA-256 of a snapshot file as stored. */
export type SnapshotId = Brand<string, 'SnapshotId'>;

/** Bytes of one id. */
export const ID_BYTES = 32;

const HEX_ID = /^[0-9a-f]{64}$/;

/** Whether a text is an id as repositories write it. */
export function isId(text: string): boolean {
  return HEX_ID.test(text);
}

function parse<T extends string>(text: string, what: string): T {
  if (!HEX_ID.test(text)) throw new RangeError(`not a ${what} id: ${text.slice(0, 80)}`);
  return text as T;
}

export const parseBlobId = (text: string): BlobId => parse<BlobId>(text, 'blob');
export const parseTreeId = (text: string): TreeId => parse<TreeId>(text, 'tree');
export const parsePackId = (text: string): PackId => parse<PackId>(text, 'pack');
export const parseIndexId = (text: string): IndexId => parse<IndexId>(text, 'index');
/** An id of 64 hex digits. @throws RangeError where the text is none. */
export const parseSnapshotId = (text: string): SnapshotId => parse<SnapshotId>(text, 'snapshot');

/** A tree is a blob too: its id is used to look the blob up. */
export const blobIdOfTree = (id: TreeId): BlobId => parseBlobId(id);

/** The 32 bytes of an id, in a buffer of its own. */
export function idBytes(id: string): Uint8Array {
  return Buffer.from(id, 'hex');
}
