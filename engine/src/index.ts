/** The public face of the engine. */
export { backup } from './backup.ts';
export type { BackupOptions, BackupProgress, BackupResult } from './backup.ts';
export { ENGINE_ERRORS, EngineError } from './errors.ts';
export type { EngineErrorCode, ErrorContext, ErrorEntry, Problem } from './errors.ts';
export type { Snapshot } from './format/snapshot-file.ts';
export { isId, parseSnapshotId } from './ids.ts';
export type { BlobId, Brand, IndexId, PackId, SnapshotId, TreeId } from './ids.ts';
export { initRepository, openRepository } from './repository.ts';
export type { InitOptions, OpenOptions, Repository } from './repository.ts';
export { generateKey } from './seal/password.ts';
export type { Secret } from './seal/password.ts';
export { findSnapshot, listSnapshots } from './snapshots.ts';
export type { ListOptions } from './snapshots.ts';
export { openLocalStorage } from './storage/local-storage.ts';
export type { Storage } from './storage/storage.ts';
export { entriesOfPaths } from './tree/source.ts';
export type { Cut, DirectoryEntry, SourceEntry, StreamEntry, TreeEntry } from './tree/source.ts';
