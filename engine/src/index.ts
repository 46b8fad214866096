/** The public face of the engine. */
export { arrange } from './arrange.ts';
export type { Arranged, ArrangedEntry } from './arrange.ts';
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
export { openMemoryStorage } from './storage/memory-storage.ts';
export { openStorage } from './storage/open-storage.ts';
export type { OpenStorageOptions, SshLogin, StorageLimits } from './storage/open-storage.ts';
export { parseStorageUrl } from './storage/parse-storage-url.ts';
export type { StorageAddress } from './storage/parse-storage-url.ts';
export type { HostTrust } from './storage/known-hosts.ts';
export type { StorageRetry } from './storage/retry-storage.ts';
export { testConnection } from './storage/connection-test.ts';
export type { ConnectionStep, ConnectionVerdict } from './storage/connection-test.ts';
export type { CallOptions, FileHandle, FileKind, ListedFile, LoadRange, Storage } from './storage/storage.ts';
export type { Timers } from './storage/timers.ts';
export { parsePattern } from './path-pattern.ts';
export type { PathPattern, PatternOptions } from './path-pattern.ts';
export { CACHE_TAG } from './tree/exclusion.ts';
export type { ExcludeRules, TagFile } from './tree/exclusion.ts';
export { entriesOfPaths } from './tree/source.ts';
export type { Cut, DirectoryEntry, SourceEntry, StoredEntry, StreamEntry, TreeEntry } from './tree/source.ts';
export { restore } from './restore.ts';
export type { RestoreOptions, RestoreProgress, RestoreResult } from './restore.ts';
export type { OwnerRules } from './restore/plan-owner.ts';
export { planAttributes } from './restore/plan-attributes.ts';
export { check } from './check.ts';
export { MAX_PARTS } from './data-share.ts';
export type { DataShare } from './data-share.ts';
export type { CheckOptions, CheckProgress, CheckResult } from './check.ts';
export { SnapshotView, openView } from './browse/snapshot-view.ts';
export type { ViewEntry, Walked } from './browse/snapshot-view.ts';
export type { NodeType } from './format/tree-node.ts';
export { copy } from './copy.ts';
export type { CopyOptions, CopyProgress, CopyResult } from './copy.ts';
export { heal } from './heal.ts';
export type { HealOptions, HealResult } from './heal.ts';
export type { CopyState } from './work/store-pass.ts';
export { forget, forgetNamed } from './forget.ts';
export type { ForgetNamedOptions, ForgetOptions, ForgetResult } from './forget.ts';
export { PIN_TAG, planForget } from './plan-forget.ts';
export type {
  CalendarUnit,
  ForgetGroup,
  ForgetPlan,
  ForgetPolicy,
  GroupKey,
  KeepCounts,
  KeepReason,
  KeepRule,
  KeptSnapshot,
  PlanForgetOptions,
} from './plan-forget.ts';
export { formatDuration, parseDuration } from './lib/zoned-time.ts';
export type { Duration } from './lib/zoned-time.ts';
export { matchesFilter } from './snapshot-filter.ts';
export type { SnapshotFilter } from './snapshot-filter.ts';
export { tag } from './tag.ts';
export type { TagChange, TagOptions, TagResult } from './tag.ts';
export { addKey, changePassword, listKeys, removeKey } from './keys.ts';
export type { AddKeyOptions, KeyList, KeyListing, KeyOptions } from './keys.ts';
export type { PruneLimits, UnusedLimit } from './plan-prune.ts';
export { prune } from './prune.ts';
export type { PruneOptions, PruneProgress, PruneResult } from './prune.ts';
export { repairIndex } from './repair-index.ts';
export type { RepairIndexOptions, RepairIndexResult } from './repair-index.ts';
export { repairPacks } from './repair-packs.ts';
export type { RepairPacksOptions, RepairPacksResult } from './repair-packs.ts';
export { repairSnapshots } from './repair-snapshots.ts';
export type { RepairSnapshotsOptions, RepairSnapshotsResult, RepairedSnapshot } from './repair-snapshots.ts';
export { unlock } from './unlock.ts';
export type { FoundLock, UnlockOptions, UnlockResult } from './unlock.ts';
export { diff } from './diff.ts';
export type { DiffChange, DiffCounts, DiffOptions, DiffSide, DiffStatistics } from './diff.ts';
export { find, findBlobs } from './find.ts';
export type { FindBlobsOptions, FindOptions, FoundBlob, FoundPath } from './find.ts';
export { STATS_MODES, stats } from './stats.ts';
export type { StatsMode, StatsOptions, StatsResult } from './stats.ts';
export { versions } from './versions.ts';
export type { PathVersion, VersionsOptions, VersionsResult } from './versions.ts';
export { calendarOf, renderCalendar, simulateForget } from './forget-calendar.ts';
export type { CalendarDay, ForgetCalendar, SimulateOptions } from './forget-calendar.ts';
