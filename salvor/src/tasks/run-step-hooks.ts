/**
 * Runs the hoster's commands before and after the steps of a task. Decides what a command that fails does, by where the
 * task stands:
 *
 *   before the switch, or while the updates of other code may still send it back     the task stops, all goes back
 *   a task that changes nothing of a site (backup, verify, the night)                before: it stops; after: a problem
 *   after the switch, and where Aegir has begun to do it                             a problem; the task goes on
 *
 * After a step that failed its hook runs too; what it comes to is told and changes nothing. A hook whose process dies with
 * ours is not run again: recovery runs none.
 */
import { lstatSync } from 'node:fs';
import { SalvorError } from '../errors.ts';
import type { Policy } from '../policies/settings.ts';
import { chooseHook } from '../policies/task-steps.ts';
import type { Account } from '../sites/account.ts';
import { runConfigured } from './configured-command.ts';
import type { Journal } from './journal.ts';
import { HARMLESS } from './recover-task.ts';
import { findHookUser } from './run-hook.ts';
import type { Step, StepHooks, TaskRun } from './task-run.ts';

/** The task that a hook is told of. */
export type HookedTask = {
  readonly operation: Journal['operation'];
  readonly account: string;
  /** Empty for a night, which is of no one site. */
  readonly uri: string;
  /** The site's directory; of a night the account's home. */
  readonly path: string;
  /** Which try of the task it is, from 1. */
  readonly attempt: number;
  /** Of a night. */
  readonly job: string | null;
  /** What the host says of the site now; asked once, before the first hook. */
  readonly lookUp: () => Promise<HookedPlace>;
};

/** Null is what is not known: an account or site that is not there. */
export type HookedPlace = {
  readonly account: Account | null;
  readonly platform: string | null;
  readonly cms: string | null;
};

type When = 'before' | 'after';

export class RunStepHooks implements StepHooks {
  readonly #policy: Policy;
  readonly #task: HookedTask;
  #place: Promise<HookedPlace> | null = null;

  constructor(policy: Policy, task: HookedTask) {
    this.#policy = policy;
    this.#task = task;
  }

  /** Throws `hook-failed` where the step must not begin. */
  async before(step: Step, run: TaskRun): Promise<void> {
    await this.#around('before', step, canGoBack(run), {}, run);
  }

  /** Throws `hook-failed` where all must go back. */
  async after(step: Step, outcome: 'done' | 'failed', run: TaskRun): Promise<void> {
    const mayStop = outcome === 'done' && canGoBack(run) && !HARMLESS.has(this.#task.operation);
    await this.#around('after', step, mayStop, { SALVOR_STEP_STATE: outcome }, run);
  }

  async #around(
    when: When,
    step: Step,
    mayStop: boolean,
    told: Readonly<Record<string, string>>,
    run: TaskRun,
  ): Promise<void> {
    const { hooksBefore, hooksAfter } = this.#policy;
    const words = chooseHook(when === 'before' ? hooksBefore : hooksAfter, this.#task.operation, step.name);
    if (words === null) return;
    const why = await this.#run(`hook ${when} ${step.name}`, words, { ...tell(when, step), ...told }, mayStop, run);
    if (why === null) return;
    const { account, uri, path } = this.#task;
    if (mayStop)
      throw new SalvorError('hook-failed', {
        hook: `“${when} ${step.name}”`,
        site: uri === '' ? account : `${account}/${uri}`,
        why,
      });
    run.note({ code: 'hook-failed', message: `the hook ${when} ${step.name} failed: ${why}`, path });
  }

  /** Null where it ended well, else why not. What may not stop the task runs also where that is cancelled. */
  async #run(
    title: string,
    words: readonly string[],
    told: Readonly<Record<string, string>>,
    mayStop: boolean,
    run: TaskRun,
  ): Promise<string | null> {
    const { hookUser, hookWithinMs: withinMs } = this.#policy;
    const place = await (this.#place ??= this.#task.lookUp());
    const found = findHookUser(hookUser, place.account);
    if ('why' in found) return found.why;
    const { user, name, home } = found;
    const began = run.clock();
    const why = await runConfigured(
      {
        title,
        words,
        user,
        directory: this.#directoryOf(run.journal),
        env: { ...this.#describe(place, run), ...told, HOME: home, USER: name, LOGNAME: name },
        withinMs,
        tree: run.id,
        ...(mayStop ? { signal: run.signal } : {}),
      },
      run,
    );
    if (why === null)
      run.say(`${title}: ended well after ${((run.clock().getTime() - began.getTime()) / 1000).toFixed(1)} s`);
    return why;
  }

  #describe({ platform, cms }: HookedPlace, run: TaskRun): Readonly<Record<string, string>> {
    const { operation, account, uri, path, attempt, job } = this.#task;
    const { target } = run.journal;
    return {
      SALVOR_OPERATION: operation,
      SALVOR_TASK: run.id,
      SALVOR_TRY: String(attempt),
      SALVOR_ACCOUNT: account,
      ...(uri === '' ? {} : { SALVOR_SITE: uri, SALVOR_SITE_PATH: path }),
      ...(target === undefined ? {} : { SALVOR_NEW_URI: target.uri, SALVOR_NEW_PATH: target.path }),
      ...(platform === null ? {} : { SALVOR_PLATFORM: platform }),
      ...(cms === null ? {} : { SALVOR_CMS: cms }),
      ...(job === null ? {} : { SALVOR_JOB: job }),
    };
  }

  /** The site's, also where a rename has put it; else the top. */
  #directoryOf({ target }: Journal): string {
    const places = [this.#task.path, ...(target === undefined ? [] : [target.path])];
    return places.find((path) => lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true) ?? '/';
  }
}

function tell(when: When, { name, of }: Step): Readonly<Record<string, string>> {
  return { SALVOR_HOOK: when, SALVOR_STEP: name, ...(of === null ? {} : { SALVOR_STEP_OF: of }) };
}

/** Whether a task that stops now leaves the site as it was. */
function canGoBack({ journal, isHandedOver }: TaskRun): boolean {
  return (
    !isHandedOver && (journal.phase === 'started' || (journal.phase === 'switched' && journal.update === 'pending'))
  );
}
