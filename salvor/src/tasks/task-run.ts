import type { Problem, TaskProgress } from '@salvor/contract';
import { SalvorError } from '../errors.ts';
import type { Audit } from '../lib/audit-log.ts';
import type { StepName } from '../policies/task-steps.ts';
import type { Journal } from './journal.ts';
import type { TaskId } from './task-id.ts';

export type { TaskProgress };

/** What kind of line it is, and the reason that a program may branch on. */
export type LineKind = { readonly kind: 'warning' | 'error'; readonly code: string | null };

/** A step of a task; `of` says which one, where there are several: the name of a database, of a copy. */
export type Step = { readonly name: StepName; readonly of: string | null };

/** What the hoster has done around the steps of a run. Both throw where the run must not go on. */
export type StepHooks = {
  readonly before: (step: Step, run: TaskRun) => Promise<void>;
  readonly after: (step: Step, outcome: 'done' | 'failed', run: TaskRun) => Promise<void>;
};

/** What a run needs of the one who runs it. */
export type TaskRunOptions = {
  readonly id: TaskId;
  /** A directory of this run alone, 0700, removed after it, by recovery where the process dies. */
  readonly scratch: string;
  readonly signal: AbortSignal;
  readonly clock: () => Date;
  readonly randomBytes: (count: number) => Uint8Array;
  /** Puts the journal on disk before it returns. */
  readonly writeJournal: (journal: Journal) => void;
  readonly readJournal: () => Journal;
  readonly say: (line: string, kind?: LineKind) => void;
  readonly audit: Audit;
  readonly onProgress: (progress: TaskProgress) => void;
  /** Null where there are none. */
  readonly hooks: StepHooks | null;
};

/**
 * One run of one operation, as its steps see it. A step begins only while the run is not cancelled; a commit runs
 * to its end whatever happens, because half of it is what must never be left.
 */
export class TaskRun {
  readonly id: TaskId;
  readonly scratch: string;
  readonly clock: () => Date;
  readonly randomBytes: (count: number) => Uint8Array;
  readonly signal: AbortSignal;
  /** Lines of the audit log around what is done with rights that others do not have. */
  readonly audit: Audit;
  readonly problems: Problem[] = [];
  /** What it was to find out is not so: it runs to its end, and ends as failed. */
  failure: SalvorError | null = null;
  /** Somebody else has begun to do it: nothing of it can be taken back by us. */
  isHandedOver = false;
  readonly #options: TaskRunOptions;
  #step = '';

  constructor(options: TaskRunOptions) {
    this.id = options.id;
    this.scratch = options.scratch;
    this.clock = options.clock;
    this.randomBytes = options.randomBytes;
    this.signal = options.signal;
    this.audit = options.audit;
    this.#options = options;
  }

  get journal(): Journal {
    return this.#options.readJournal();
  }

  /** Adds what is known now to the journal and returns when it is on disk. */
  record(change: Partial<Journal>): void {
    this.#options.writeJournal({ ...this.journal, ...change });
  }

  say(line: string): void {
    this.#options.say(line);
  }

  /** A fact that does not stop the run; it ends `warned`. */
  note(...problems: readonly Problem[]): void {
    for (const problem of problems) {
      this.problems.push(problem);
      const { code, message, path } = problem;
      const isNamed = path === undefined || path === null || path === '' || message.includes(path);
      this.#options.say(isNamed ? message : `${path}: ${message}`, { kind: 'warning', code });
    }
  }

  /** Ends the run as failed, although its body returns what it has found. */
  fail(error: SalvorError): void {
    this.failure = error;
    this.#options.say(error.message, { kind: 'error', code: error.code });
  }

  async step<T>(name: StepName, body: () => Promise<T>, of: string | null = null): Promise<T> {
    if (this.signal.aborted)
      throw new SalvorError(
        'cancelled',
        { what: `before ${name}; nothing was changed` },
        { cause: this.signal.reason },
      );
    return await this.commit(name, body, of);
  }

  /** Like a step, and begins although the run was cancelled: its body must not look at the signal. */
  async commit<T>(name: StepName, body: () => Promise<T>, of: string | null = null): Promise<T> {
    const { hooks } = this.#options;
    const step = { name, of };
    await hooks?.before(step, this);
    let result: T;
    try {
      result = await this.#begin(of === null ? name : `${name} (${of})`, body);
    } catch (error) {
      await hooks?.after(step, 'failed', this);
      throw error;
    }
    await hooks?.after(step, 'done', this);
    return result;
  }

  /** A command of the hoster's that is itself said as a step is: there are no hooks around it. */
  async hook<T>(body: () => Promise<T>): Promise<T> {
    return await this.#begin('hook', body);
  }

  async #begin<T>(title: string, body: () => Promise<T>): Promise<T> {
    const outer = this.#step;
    this.#step = title;
    const began = this.clock();
    this.say(`${title}: begins`);
    this.progress({});
    try {
      const result = await body();
      this.say(`${title}: done after ${((this.clock().getTime() - began.getTime()) / 1000).toFixed(1)} s`);
      return result;
    } catch (error) {
      this.say(`${title}: failed: ${error instanceof Error ? error.message : String(error)}`);
      throw error;
    } finally {
      this.#step = outer;
    }
  }

  progress(progress: Partial<TaskProgress>): void {
    this.#options.onProgress({
      step: this.#step,
      files: 0,
      bytes: 0,
      filesTotal: null,
      bytesTotal: null,
      current: '',
      ...progress,
    });
  }
}
