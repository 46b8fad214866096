/** What a caller may ask of each call, and what a task is told of it. */
import type { Problem } from '@salvor/contract';
import type { CopyName } from '../points/repositories.ts';
import type { RestoreWish } from '../tasks/restore-scope.ts';
import type { TaskProgress } from '../tasks/task-run.ts';
import type { WaitOptions } from './queue.ts';

export type CallOptions = {
  readonly signal?: AbortSignal;
  /** Told what is wrong with what is looked at, where the answer itself has no place for it. */
  readonly onProblem?: (problem: Problem) => void;
};
/** The copy that is asked alone; else the local one is, and where that can't be read the remote one. */
export type FromCopy = { readonly from?: CopyName | null };
export type TaskCallOptions = CallOptions & {
  readonly onProgress?: (progress: TaskProgress) => void;
  /** Wait for a site that is busy, instead of `site-busy` at once. */
  readonly wait?: boolean;
  /** Told what the task waits for. */
  readonly onWait?: (why: string) => void;
};
export type PlannedCallOptions = TaskCallOptions & {
  /** Show what would be done, and change nothing: there is no task. */
  readonly dryRun?: boolean;
};
export type BackupCall = TaskCallOptions & {
  readonly reason: string | null;
  /** How often it is tried again where its error may pass by itself. */
  readonly retries?: number;
};
export type DeleteCall = TaskCallOptions & {
  readonly dryRun: boolean;
  /** Leave a database behind that can't be judged or saved, instead of `delete-obstructed` and `delete-unsaved`. */
  readonly withoutBackup?: boolean;
};
export type ExportCall = PlannedCallOptions & FromCopy & { readonly point: string | null; readonly output: string };
export type RestoreCall = TaskCallOptions &
  FromCopy &
  RestoreWish & {
    /** An id or its beginning; null for the newest complete point that is not a safety point. */
    readonly point: string | null;
    /** An empty or missing directory to write into instead of the site. */
    readonly to: string | null;
    /** Another site of the account, by URI or ACCOUNT/URI, that gets what the point holds. */
    readonly into: string | null;
    /** Where the platform that it lay on is still there: restore it where it lies now, instead of `platform-still-there`. */
    readonly despitePlatform?: boolean;
    readonly dryRun: boolean;
  };

/** What the queue is told where the caller says nothing. */
export function waitOptions(options: TaskCallOptions): WaitOptions {
  return {
    signal: options.signal ?? new AbortController().signal,
    onProgress: options.onProgress ?? (() => {}),
    wait: options.wait ?? false,
    onWait: options.onWait ?? (() => {}),
  };
}
