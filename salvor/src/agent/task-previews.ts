/** What `--dry-run` of a task shows whose plan is not a step of the task itself: nothing is touched, and there is no task. */
import type { BackupPlanDocument, ConfirmDocument, Problem, UndoDocument } from '@salvor/contract';
import { SalvorError } from '../errors.ts';
import { policyOfSite } from '../policies/policy-levels.ts';
import { isMaking, siteAfter } from '../tasks/journal.ts';
import { planBackup } from '../tasks/plan-backup.ts';
import { planConfirm } from '../tasks/plan-confirm.ts';
import { planDelete } from '../tasks/plan-delete.ts';
import { planUndo } from '../tasks/plan-undo.ts';
import { type CallOptions, type TaskCallOptions, waitOptions } from './calls.ts';
import type { SiteTasks, SiteTasksRoom } from './site-tasks.ts';
import { stateOfPlan } from './task-documents.ts';

export class TaskPreviews {
  readonly #in: SiteTasksRoom;
  readonly #siteTasks: SiteTasks;

  constructor(room: SiteTasksRoom, siteTasks: SiteTasks) {
    this.#in = room;
    this.#siteTasks = siteTasks;
  }

  async backup(name: string, options: CallOptions): Promise<BackupPlanDocument> {
    const { config, room, sites } = this.#in;
    const { signal } = waitOptions(options);
    const site = await sites.find(name, signal);
    const { policy } = policyOfSite(config.policies, { account: site.account.name, uri: site.uri });
    const tools = { policy, sites: await sites.all(), now: room.clock(), signal };
    const plan = await planBackup(site, tools);
    return { task: null, state: stateOfPlan(plan), plan, problems: plan.obstacles };
  }

  /** Throws `task-unknown`, and `nothing-to-undo` where nothing is left that could be looked at. */
  async undo(task: string, options: TaskCallOptions): Promise<UndoDocument> {
    const { config, room, kept } = this.#in;
    const { signal } = waitOptions(options);
    const { journal, refused } = await kept.judgeUndoable(task);
    const { account, uri } = siteAfter(journal);
    const { policy } = policyOfSite(config.policies, { account, uri });
    const tools = { administratorOf: room.administratorOf, policy, signal, now: room.clock() };
    const found = await planUndo(journal, refused, tools);
    const foreign = isMaking(journal.operation) ? await this.#findForeign(`${account}/${uri}`, signal) : [];
    const plan = { ...found, obstacles: [...found.obstacles, ...foreign] };
    return { task: null, state: stateOfPlan(plan), plan, refreshed: [], problems: plan.obstacles };
  }

  /** What a site that was made must not take along when it goes: as of any site that is deleted. */
  async #findForeign(key: string, signal: AbortSignal): Promise<readonly Problem[]> {
    try {
      const site = await this.#in.sites.find(key, signal);
      const tools = { ...(await this.#siteTasks.deleteTools(site, () => {})), signal };
      return (await planDelete(site, tools, this.#in.room.say)).document.obstacles;
    } catch (error) {
      if (!(error instanceof SalvorError) || error.code === 'cancelled') throw error;
      return [{ code: error.code, message: error.message, path: key }];
    }
  }

  /** Throws `task-unknown`. */
  async confirm(name: string, options: TaskCallOptions): Promise<ConfirmDocument> {
    const { config, room, kept, sites } = this.#in;
    const { row, site, original, point, refused } = await kept.judgeConfirmable(name);
    const read = await room.log.read(row.id);
    const plan = await planConfirm(
      {
        account: site.account,
        uri: site.uri,
        task: row.id,
        operation: original?.operation ?? read?.operation ?? null,
        original,
        point,
        refused,
      },
      {
        administratorOf: room.administratorOf,
        policy: policyOfSite(config.policies, site).policy,
        readSites: () => sites.all(),
        signal: waitOptions(options).signal,
      },
    );
    return {
      task: null,
      state: stateOfPlan(plan),
      plan,
      safetyPoint: null,
      isDropped: false,
      problems: plan.obstacles,
    };
  }
}
