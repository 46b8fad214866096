/**
 * What is done with one site: looked up, its turn waited for, looked up again, done, and told. Each is a task under its
 * site's lock; the tasks themselves are in `tasks/`.
 */
import type {
  BackupDocument,
  ConfirmDocument,
  DeleteDocument,
  Problem,
  RestoreDocument,
  UndoDocument,
} from '@salvor/contract';
import type { Config } from '../config.ts';
import { SalvorError } from '../errors.ts';
import type { HostPoints } from '../points/host-points.ts';
import { openWantedOf } from '../points/open-wanted.ts';
import { policyOfSite } from '../policies/policy-levels.ts';
import type { LivingAegir } from '../sites/find-aegir.ts';
import { resolveSite } from '../sites/resolve-site.ts';
import { type Site, siteKey } from '../sites/site.ts';
import type { TaskRow } from '../store/tables.ts';
import { type ArchiveTools, archivePoint } from '../tasks/archive-point.ts';
import { type BackedUp, backUpSite, placesOf } from '../tasks/back-up-site.ts';
import { confirmTask } from '../tasks/confirm-task.ts';
import { type DeleteSiteTools, deleteSite } from '../tasks/delete-site.ts';
import { type JournalSite, isMaking, siteAfter } from '../tasks/journal.ts';
import { planDelete } from '../tasks/plan-delete.ts';
import { type TaskId, parseTaskId } from '../tasks/task-id.ts';
import type { TaskRun } from '../tasks/task-run.ts';
import { undoRestore } from '../tasks/undo-restore.ts';
import { handOver } from '../tasks/hand-over.ts';
import type { ArchivePoints } from './archive-points.ts';
import { askedOf, judgeBeside, tellBeside, waitBeside } from './beside-aegir.ts';
import { type BackupCall, type DeleteCall, type TaskCallOptions, waitOptions } from './calls.ts';
import { expireKept } from './expire-kept.ts';
import type { SiteFinder } from './find-site.ts';
import { readHost } from './host-sites.ts';
import type { KeptTasks } from './kept-tasks.ts';
import type { Queue } from './queue.ts';
import { MeasuredRates } from './rates.ts';
import { type RestoreRowWish, readRowWish } from './row-wish.ts';
import type { TaskBody, TaskRoom } from './run-task.ts';

export type SiteTasksRoom = {
  readonly config: Config;
  readonly room: TaskRoom;
  readonly points: HostPoints;
  readonly queue: Queue;
  readonly archives: ArchivePoints;
  readonly sites: SiteFinder;
  readonly kept: KeptTasks;
};

export class SiteTasks {
  readonly #config: Config;
  readonly #room: TaskRoom;
  readonly #points: HostPoints;
  readonly #queue: Queue;
  readonly #sites: SiteFinder;
  readonly #kept: KeptTasks;
  readonly #rates: MeasuredRates;

  constructor({ config, room, points, queue, sites, kept }: SiteTasksRoom) {
    this.#config = config;
    this.#room = room;
    this.#points = points;
    this.#queue = queue;
    this.#sites = sites;
    this.#kept = kept;
    this.#rates = new MeasuredRates(config.state);
  }

  /** What earlier tasks took. */
  rates(): ReturnType<MeasuredRates['read']> {
    return this.#rates.read();
  }

  /** Keeps what a part of one took. */
  measure(...told: Parameters<MeasuredRates['add']>): void {
    this.#rates.add(...told);
  }

  /** Drops what has been kept for long enough. */
  async expireKept(): Promise<void> {
    await expireKept(this.#room, () => this.#sites.all());
  }

  async backup(name: string, options: BackupCall): Promise<BackupDocument> {
    const site = await this.#sites.find(name, options.signal);
    await expireKept(this.#room, () => this.#sites.all());
    const { reason } = options;
    const { task, state, result, problems } = await this.#queue.perform(
      { operation: 'backup', site: placeOf(site), of: null, wish: { reason }, attempts: (options.retries ?? 0) + 1 },
      waitOptions(options),
      this.#backUp(siteKey(site), reason),
    );
    const { point, result: written, tables, archive } = result;
    return {
      task,
      state,
      point: point.manifest.point,
      archive,
      files: point.manifest.files?.count ?? 0,
      tables,
      bytesRead: written.bytesRead,
      bytesStored: written.bytesStored,
      problems,
    };
  }

  /** The site is looked up again when its turn has come: what it waited for may have changed it. */
  #backUp(key: string, reason: string | null): TaskBody<BackedUp & { readonly archive: BackupDocument['archive'] }> {
    return async (run) => {
      const { sites } = await readHost(this.#config, run.signal);
      const site = resolveSite(sites, key);
      await waitBeside(askedOf('backup', site), this.#config, sites, run);
      const { problem, ...place } = await this.#points.repositories.openForNew(site.account.name);
      if (problem !== null) run.note(problem);
      const tools = { ...place, administratorOf: this.#room.administratorOf };
      const backedUp = await backUpSite(site, { reason, safety: false, places: placesOf(site) }, tools, run);
      run.note(...backedUp.problems);
      run.record({ point: backedUp.point.manifest.point });
      await this.#points.remember(backedUp.point);
      return { ...backedUp, archive: await archivePoint(site, backedUp.point, this.#archiveTools(site, sites), run) };
    };
  }

  /** Switches back what a task has switched. Throws `task-unknown` and `nothing-to-undo` with the reason. */
  async undo(task: string, options: TaskCallOptions = {}): Promise<UndoDocument> {
    const original = await this.#kept.findUndoable(task);
    const now = siteAfter(original);
    const back = isMaking(original.operation) ? now : original.site;
    const key = `${back.account}/${back.uri}`;
    const tools = {
      administratorOf: this.#room.administratorOf,
      journals: this.#room.journals,
      readSite: () => this.#sites.find(key, undefined),
      graceHours: this.graceHoursOf(back),
      policy: policyOfSite(this.#config.policies, back).policy,
      account: await this.#sites.account(original.site.account, options.signal),
    };
    const {
      task: id,
      state,
      result,
      problems,
    } = await this.#queue.perform(
      { operation: 'undo', site: now, of: original.task },
      waitOptions(options),
      async (run) => {
        using held = new DisposableStack();
        if (back.uri !== now.uri) held.use(this.#room.locks.lockSite(back, run.id));
        const { sites } = await readHost(this.#config, run.signal);
        const { account } = tools;
        if (account !== null) await waitBeside(askedOf('undo', { account, uri: back.uri }), this.#config, sites, run);
        const kept = await this.#kept.findUndoable(task);
        if (isMaking(kept.operation)) await this.#requireOnlyOwn(now, run);
        return await undoRestore(kept, tools, run);
      },
    );
    return { task: id, state, plan: null, refreshed: result, problems };
  }

  /** What a clone takes along when it goes must be its own, as of any site that is deleted. Throws `delete-obstructed`. */
  async #requireOnlyOwn(place: JournalSite, run: TaskRun): Promise<void> {
    const site = await this.#sites.find(`${place.account}/${place.uri}`, run.signal);
    const { document } = await planDelete(
      site,
      { ...(await this.deleteTools(site, () => {})), signal: run.signal },
      this.#room.say,
    );
    const { obstacles } = document;
    if (obstacles.length > 0)
      throw new SalvorError('delete-obstructed', {
        site: siteKey(site),
        obstacles: obstacles.map(({ message }) => message),
      });
  }

  /**
   * Ends the pin of a task's safety point and drops what the task has replaced: it can't be undone after that.
   * Throws `task-unknown` and `nothing-to-confirm` with the reason.
   */
  async confirm(name: string, options: TaskCallOptions = {}): Promise<ConfirmDocument> {
    const { row, site } = await this.#kept.findConfirmable(name);
    const { task, state, result, problems } = await this.#queue.perform(
      { operation: 'confirm', site, of: parseTaskId(row.id) },
      waitOptions(options),
      async (run) => {
        const { original, point } = await this.#kept.findConfirmable(name);
        const tools = {
          administratorOf: this.#room.administratorOf,
          journals: this.#room.journals,
          readSites: () => this.#sites.all(),
          unpin: (pinned: string) => this.#points.unpin(row.account, pinned, row.id, run.signal),
        };
        const confirmed = await confirmTask({ original, point }, tools, run);
        if (original !== null && confirmed.isDropped) await this.#room.log.setUndoUntil(row.id, null);
        return confirmed;
      },
    );
    return { task, state, plan: null, ...result, problems };
  }

  /** Takes a site away, so that `undo` can bring it back. With `dryRun` nothing is touched, and there is no task. */
  async delete(name: string, options: DeleteCall): Promise<DeleteDocument> {
    const { withoutBackup = false } = options;
    const site = await this.#sites.find(name, options.signal);
    const waiting = waitOptions(options);
    if (options.dryRun) {
      const tools = { ...(await this.deleteTools(site, () => {})), withoutBackup };
      const { document } = await planDelete(site, { ...tools, signal: waiting.signal }, this.#room.say);
      const plan = tellBeside(document, askedOf('delete', site), this.#config, tools.sites);
      const state = plan.obstacles.length === 0 ? 'succeeded' : 'warned';
      return { task: null, state, safetyPoint: null, archive: null, plan, undoUntil: null, problems: plan.obstacles };
    }
    await expireKept(this.#room, () => this.#sites.all());
    const { task, state, result, problems } = await this.#queue.perform(
      { operation: 'delete', site: placeOf(site), of: null },
      waiting,
      async (run) => {
        const now = await this.#sites.find(siteKey(site), run.signal);
        const tools = { ...(await this.deleteTools(now, (problem) => run.note(problem))), withoutBackup };
        const aegir = judgeBeside(askedOf('delete', now), this.#config, tools.sites);
        const deleted =
          aegir === null ? await deleteSite(now, tools, run) : await this.#deleteByAegir(now, aegir, tools, run);
        return { ...deleted, archive: await this.archiveSafety(now, deleted.safetyPoint, tools.sites, run) };
      },
    );
    return { task, state, ...result, problems };
  }

  /** Its own commands take the site away: nothing is kept for `undo`, and the safety point brings it back. */
  async #deleteByAegir(
    site: Site,
    aegir: LivingAegir,
    tools: DeleteSiteTools,
    run: TaskRun,
  ): Promise<Pick<DeleteDocument, 'safetyPoint' | 'plan' | 'undoUntil'>> {
    const { document: plan } = await planDelete(site, { ...tools, signal: run.signal }, (line) => run.say(line));
    if (tools.withoutBackup === true) {
      const why = 'Aegir’s own command drops databases, and --without-backup leaves them behind';
      throw new SalvorError('delete-obstructed', { site: siteKey(site), obstacles: [why] });
    }
    const { policy } = policyOfSite(this.#config.policies, { account: site.account.name, uri: site.uri });
    const wish = { operation: 'delete', uri: null, platform: null };
    const readSites = (): Promise<readonly Site[]> => this.#sites.all();
    const { safetyPoint } = await handOver(site, wish, { ...tools, policy, aegir, readSites }, run);
    return { safetyPoint, plan, undoUntil: null };
  }

  /** What a delete of it goes by. `tell`: what is wrong with the copy that its safety point would go to first. */
  async deleteTools(site: Site, tell: (problem: Problem) => void): Promise<DeleteSiteTools> {
    const { problem, ...place } = await this.#points.repositories.openForNew(site.account.name);
    if (problem !== null) tell(problem);
    return {
      administratorOf: this.#room.administratorOf,
      withoutBackup: false,
      journals: this.#room.journals,
      staging: this.#config.staging,
      sites: await this.#sites.all(),
      ...place,
      remember: (point) => this.#points.remember(point),
      graceHours: this.graceHoursOf({ account: site.account.name, uri: site.uri }),
      unfinished: this.#kept.ofSite(site).unfinished,
      policy: policyOfSite(this.#config.policies, { account: site.account.name, uri: site.uri }).policy,
    };
  }

  graceHoursOf(site: { readonly account: string; readonly uri: string }): number {
    return policyOfSite(this.#config.policies, site).policy.graceMs / 3_600_000;
  }

  /** Adds a backup that is nobody's: `runQueue` runs it, in this process or another. */
  async enqueueBackup(name: string, reason: string | null, attempts = 3): Promise<TaskId> {
    const site = await this.#sites.find(name, undefined);
    return await this.#queue.enqueue({
      operation: 'backup',
      site: placeOf(site),
      of: null,
      wish: { reason },
      attempts,
    });
  }

  /** What a task of this kind does, from its row alone; `restoring` for one that brings a site back. */
  bodyOf(row: TaskRow, restoring: (wish: RestoreRowWish) => TaskBody<unknown>): TaskBody<unknown> {
    const wish = readRowWish(row);
    if (wish?.operation === 'backup') return this.#backUp(`${row.account}/${row.uri}`, wish.reason);
    if (wish?.operation === 'restore') return restoring(wish.wish);
    throw new Error(`a ${row.operation} is run by whoever wants it`);
  }

  #archiveTools(site: Site, sites: readonly Site[]): ArchiveTools {
    return {
      policy: policyOfSite(this.#config.policies, { account: site.account.name, uri: site.uri }).policy,
      sites,
      remember: (account, path, written) => this.#points.rememberArchive(account, path, written),
    };
  }

  /** Of what a task replaced, as it was at the switch; the site need not wait for it. */
  async archiveSafety(
    site: Site,
    point: string | null,
    sites: readonly Site[],
    run: TaskRun,
  ): Promise<RestoreDocument['archive']> {
    if (point === null) return null;
    const of = { account: site.account.name, uri: site.uri };
    const safety = await openWantedOf(this.#points, of, { prefix: point, from: null });
    return await archivePoint(site, safety.point, this.#archiveTools(site, sites), run);
  }
}

/** What a task's row and journal say of its site. */
export function placeOf(site: Site): JournalSite {
  return { account: site.account.name, uri: site.uri, path: site.path, home: site.account.home };
}
