/** The rows of the agent's store. Times are RFC 3339 in UTC, booleans 0 and 1. */

/**
 * One run of one operation, from when it was wanted to how it ended. `pid` and `process_start` say whose it is: the
 * process that waits for its turn or runs it; of a task that whoever runs the queue may take they are nobody's.
 */
export type TaskRow = {
  id: string;
  operation: string;
  account: string;
  uri: string;
  /** Where the site and the account's home lie; null in rows of before there was a queue. */
  path: string | null;
  home: string | null;
  state: string;
  priority: number;
  queued: string;
  started: string | null;
  ended: string | null;
  /** The point that a backup made, or a restore's safety point. */
  point: string | null;
  undo_until: string | null;
  error: string | null;
  error_code: string | null;
  /** The task that an undo takes back or a confirmation ends. */
  of_task: string | null;
  /** What was asked for beside the site, as JSON: enough for another process to do it. */
  wish: string | null;
  pid: number;
  process_start: string;
  /** The last sign of life of that process. */
  seen: string | null;
  /** As JSON. */
  progress: string | null;
  cancel_asked: string | null;
  cancelled_by: string | null;
  attempt: number;
  attempts: number;
  /** Not to begin before: the wait between two tries. */
  not_before: string | null;
  timeout_ms: number | null;
  problems: number;
};

/** What a task said, in the order in which it said it. `kind` is `info`, `warning` or `error`. */
export type TaskLogRow = {
  task: string;
  number: number;
  time: string;
  line: string;
  kind: string;
  code: string | null;
};

/** A point of one site as its manifest tells it; a night's point of an account has a row for each site. A cache: every row can be made again from the repositories. */
export type PointRow = {
  id: string;
  /** The copy that has it: of a point that both have there are two rows, which may hold different parts of it. */
  copy: string;
  account: string;
  uri: string;
  time: string;
  origin: string;
  reason: string | null;
  holds_files: number;
  holds_databases: number;
  bytes: number;
  complete: number;
  safety: number;
  pinned: number;
  task: string | null;
  /** Ids of the snapshots in the account's repository that it was read from. */
  snapshot: string;
};

/** A snapshot that this host's agent made and read back. */
export type MadeSnapshotRow = {
  snapshot: string;
  account: string;
  copy: string;
  /** As its tag says. */
  point: string;
  /** Nothing of what it should hold is missing, and it is not empty. */
  complete: number;
};

/** What an archive or a dump on the disk is, as a look at it told. A cache: a file that has changed is looked at again. */
export type ArchiveRow = {
  path: string;
  account: string;
  bytes: number;
  mtime_ns: string;
  /** JSON: `FoundLook` of `points/archive-catalogue.ts`. */
  look: string;
  /** JSON: the manifest of an archive that a task of this host wrote. */
  manifest: string | null;
};

export type StoreTables = {
  tasks: TaskRow;
  task_log: TaskLogRow;
  points: PointRow;
  made_snapshots: MadeSnapshotRow;
  archives: ArchiveRow;
};
