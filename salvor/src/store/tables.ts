/** The rows of the agent's store. Times are RFC 3339 in UTC, booleans 0 and 1. */

/** One run of one operation. `pid` and `process_start` say whose run it is while it lasts. */
export type TaskRow = {
  id: string;
  operation: string;
  account: string;
  uri: string;
  state: string;
  started: string;
  ended: string | null;
  /** The point that a backup made, or a restore's safety point. */
  point: string | null;
  undo_until: string | null;
  error: string | null;
  pid: number;
  process_start: string;
};

/** What a task said, in the order in which it said it. */
export type TaskLogRow = { task: string; number: number; time: string; line: string };

/** A point as its manifest tells it. A cache: every row can be made again from the repositories. */
export type PointRow = {
  id: string;
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
  /** The snapshot in the account's local repository. */
  snapshot: string;
};

export type StoreTables = { tasks: TaskRow; task_log: TaskLogRow; points: PointRow };
