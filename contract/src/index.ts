/**
 * What crosses the wire: the shape of every `--json` document and the error codes that a caller may
 * branch on. Pure data: schemas and the types inferred from them, nothing that reads, writes or decides.
 *
 * Rules of every document: times are RFC 3339 with an offset or Z, `bytes` are whole numbers, a thing that is
 * not there is `null` and never left out, and a reader must bear keys that it does not know.
 */
export { Bytes, Count, Time, list } from './scalars.ts';
export { Problem } from './problem.ts';
export { EXIT_OF_STATE, TASK_STATES, TaskProgress, TaskState, TaskSummary } from './task.ts';
export {
  ConfirmDocument,
  ConfirmPlan,
  TASK_LINE_KINDS,
  TaskCancelDocument,
  TaskLine,
  TaskLogDocument,
  TasksDocument,
} from './tasks.ts';
export {
  AccountDocument,
  AllSitesDocument,
  CMS_NAMES,
  DATABASE_ENGINES,
  NOT_SITE_CODES,
  NotSiteDocument,
  SiteDocument,
  SitesDocument,
} from './sites.ts';
export { AvailabilityDocument, AvailabilityPlan } from './availability.ts';
export { BackupDeleteDocument, BackupDeletePlan } from './backup-delete.ts';
export { BackupDocument, BackupPlan, BackupPlanDocument } from './backup.ts';
export { PlannedHook } from './hook.ts';
export { ExportDocument, ExportPlan } from './export.ts';
export { DailyAccount, DailyCopy, DailyDocument } from './daily.ts';
export { PolicyDocument, PolicySetting, SimulationDocument } from './policy.ts';
export { PointDocument, PointsDocument, Proof } from './points.ts';
export { RestoreDocument, RestorePlan } from './restore.ts';
export { DeleteDocument, DeletePlan } from './delete.ts';
export { IdentityDocument, IdentityPlan, RewrittenSettingsFile, RewrittenValues } from './identity.ts';
export { UndoDocument, UndoPlan } from './undo.ts';
export { VERIFY_CHECKS, VerifyCheck, VerifyDocument } from './verify.ts';
export { LsDocument, LsEntry } from './ls.ts';
export { AccountStatus, RepositoryStatus, SiteStatus, StatusDocument } from './status.ts';
export { DoctorDocument, DoctorFinding, FINDING_SEVERITIES } from './doctor.ts';
export { InitDocument } from './init.ts';
export { InstallDocument, UninstallDocument, UpgradeDocument } from './install.ts';
export { KeysRotateDocument } from './keys.ts';
export { RecoverAccount, RecoverCatalogueDocument, RecoverCopiesDocument, RecoverDocument } from './recover.ts';
export {
  RepoBackupDocument,
  RepoCheckDocument,
  RepoConnectionDocument,
  RepoInitDocument,
  RepoRestoreDocument,
  RepoSnapshot,
  RepoSnapshotsDocument,
} from './repo.ts';
export {
  RepoDiffDocument,
  RepoFindDocument,
  RepoForgetDocument,
  RepoStatsDocument,
  RepoTagDocument,
  RepoVersionsDocument,
} from './repo-snapshots.ts';
export { ErrorDocument } from './error.ts';
export { ERROR_CODES, type ErrorCode } from './error-codes.ts';
export { RepoCopyDocument, RepoHealDocument } from './repo-copies.ts';
export {
  RepoKeyDocument,
  RepoKeysDocument,
  RepoPruneDocument,
  RepoRepairIndexDocument,
  RepoRepairPacksDocument,
  RepoRepairSnapshotsDocument,
  RepoUnlockDocument,
} from './repo-upkeep.ts';
