/**
 * What brings a site back: the point that is meant and the copy that it is read from, its turn waited for, looked up again,
 * done, and told. Neither copy is named by whoever does it: where one can't be read the other is, and that is told.
 */
import type { Problem, RestoreDocument } from '@salvor/contract';
import type { EitherCopy } from '../points/either-copy.ts';
import { policyOfSite } from '../policies/policy-levels.ts';
import { type Site, siteKey } from '../sites/site.ts';
import { planRestore } from '../tasks/plan-restore.ts';
import { tellCopy } from '../tasks/read-copy.ts';
import { type RestoreScope, readScope } from '../tasks/restore-scope.ts';
import { type RestoreTools, type Restored, restoreSite } from '../tasks/restore-site.ts';
import { clearWritten, planWrite, writePoint } from '../tasks/write-point.ts';
import { askedOf, waitBeside } from './beside-aegir.ts';
import { type RestoreCall, waitOptions } from './calls.ts';
import { readHost } from './host-sites.ts';
import { type RestoreRowWish } from './row-wish.ts';
import type { TaskBody } from './run-task.ts';
import { type SiteTasks, type SiteTasksRoom, placeOf } from './site-tasks.ts';
import { withoutTask } from './task-documents.ts';

type Wanted = { readonly source: EitherCopy; readonly site: Site; readonly scope: RestoreScope };

export class RestoreTasks {
  readonly #in: SiteTasksRoom;
  readonly #siteTasks: SiteTasks;

  constructor(room: SiteTasksRoom, siteTasks: SiteTasks) {
    this.#in = room;
    this.#siteTasks = siteTasks;
  }

  /** With `to` or `dryRun` nothing that anybody has is touched, and there is no task. */
  async restore(name: string, options: RestoreCall): Promise<RestoreDocument> {
    const { archives, queue, sites } = this.#in;
    const { account, uri } = await sites.named(name, options.signal);
    const meant = { prefix: options.point, from: options.from ?? null };
    const source = await archives.openOf({ account, uri }, meant, waitOptions(options));
    const { site, scope } = await source.read(async (point) => ({
      site: await sites.target(account, uri, point, options),
      scope: await readScope(options, point),
    }));
    if (options.to !== null) return await this.#write({ source, site, scope }, options.to, options);
    if (options.dryRun) return await this.#preview({ source, site, scope }, options);
    await this.#siteTasks.expireKept();
    const { only, paths, tables, into, despitePlatform = false } = options;
    const point = source.point.manifest.point;
    const wish: RestoreRowWish = { account, uri, point, from: meant.from, into, despitePlatform, only, paths, tables };
    const { task, state, result, problems } = await queue.perform(
      { operation: 'restore', site: placeOf(site), of: null, wish },
      waitOptions(options),
      this.#restoring(wish, source, scope),
    );
    const done = { task, state, ...result, undoneBy: null, problems };
    return this.#isRolledBack(placeOf(site), result.page) ? await this.#rollBack(done) : done;
  }

  /** The site is looked up again when its turn has come: what it waited for may have changed it. */
  #restoring(
    { account, uri, into, despitePlatform = false }: RestoreRowWish,
    source: EitherCopy,
    scope: RestoreScope,
  ): TaskBody<Restored & Pick<RestoreDocument, 'archive'>> {
    const { config, sites } = this.#in;
    return async (run) => {
      const now = await source.read((point) => sites.target(account, uri, point, { into, signal: run.signal }));
      const tools = await this.#tools(now, run.signal, (problem) => {
        // Of the copy that its point could not be read from either it is told with that.
        if (!source.problems.some(({ code }) => code === problem.code)) run.note(problem);
      });
      const waitForOthers = (): Promise<void> => waitBeside(askedOf('restore', now), config, tools.sites, run);
      const restored = await restoreSite(now, source, scope, { ...tools, despitePlatform, waitForOthers }, run);
      const archive = await this.#siteTasks.archiveSafety(now, restored.safetyPoint, tools.sites, run);
      return { ...restored, archive };
    };
  }

  /** Of somebody who is gone: what his process had found is found again. */
  restoringLeft(wish: RestoreRowWish): TaskBody<unknown> {
    return async (run) => {
      const meant = { prefix: wish.point, from: wish.from ?? null };
      const source = await this.#in.archives.openOf(wish, meant, waitOptions({ signal: run.signal }));
      const scope = await source.read((point) => readScope(wish, point));
      const { page } = await this.#restoring(wish, source, scope)(run);
      const message = `its page is broken, and nobody waits for it who would switch back what was there: salvor undo ${run.id}`;
      if (this.#isRolledBack(run.journal.site, page)) run.note({ code: 'roll-back-failed', message });
    };
  }

  #isRolledBack(site: { readonly account: string; readonly uri: string }, page: RestoreDocument['page']): boolean {
    return page === 'broken' && policyOfSite(this.#in.config.policies, site).policy.pageFailure === 'rollBack';
  }

  async #preview(
    { source, site, scope }: Wanted,
    { signal, despitePlatform = false }: RestoreCall,
  ): Promise<RestoreDocument> {
    const waiting = waitOptions(signal === undefined ? {} : { signal });
    const tools = await this.#tools(site, signal, () => {});
    const { document } = await source.read((point) =>
      planRestore(site, point, scope, { ...tools, despitePlatform, signal: waiting.signal }),
    );
    const plan = tellCopy(document, source);
    return withoutTask({ ...plan, notes: [...source.problems, ...plan.notes] }, [
      ...document.obstacles,
      ...source.problems,
    ]);
  }

  async #write({ source, site, scope }: Wanted, to: string, options: RestoreCall): Promise<RestoreDocument> {
    const { room } = this.#in;
    const { signal, onProgress } = waitOptions(options);
    const { account } = site;
    const rates = this.#siteTasks.rates();
    const planned = await source.read((point) => planWrite(point, scope, to, { account, rates }));
    if (options.dryRun) return withoutTask(tellCopy(planned, source), source.problems);
    const problems = await room.auditLog.for(null)('write-files', planned.target ?? to, () =>
      source.read(
        (point) => writePoint(point, scope, to, account, { signal, onProgress }),
        async () => clearWritten(to, account),
      ),
    );
    return withoutTask(tellCopy(planned, source), [...source.problems, ...problems]);
  }

  /** The page of the restored site is broken: what was there comes back by an undo, which keeps what is broken. */
  async #rollBack(done: RestoreDocument): Promise<RestoreDocument> {
    try {
      // Somebody may wait for the site by now: what brings it back goes first.
      const undone = await this.#siteTasks.undo(done.task ?? '', { wait: true });
      // A page that was broken before is broken again: said once.
      const said = new Set(done.problems.map(({ message }) => message));
      const problems = [...done.problems, ...undone.problems.filter(({ message }) => !said.has(message))];
      return { ...done, state: 'rolled-back', undoneBy: undone.task, undoUntil: null, problems };
    } catch (error) {
      const message = `what was there could not be switched back: ${error instanceof Error ? error.message : String(error)}`;
      return { ...done, problems: [...done.problems, { code: 'roll-back-failed', message }] };
    }
  }

  /** `tell`: what is wrong with the copy that its safety point would go to first. */
  async #tools(
    site: Site,
    signal: AbortSignal | undefined,
    tell: (problem: Problem) => void,
  ): Promise<Omit<RestoreTools, 'waitForOthers'>> {
    const { config, room, points, sites: finder, kept } = this.#in;
    const { sites } = await readHost(config, signal);
    const of = { account: site.account.name, uri: site.uri };
    const { problem, ...place } = await points.repositories.openForNew(site.account.name);
    if (problem !== null) tell(problem);
    return {
      administratorOf: room.administratorOf,
      journals: room.journals,
      staging: config.staging,
      sites,
      ...place,
      remember: (point) => points.remember(point),
      readSite: () => finder.find(siteKey(site), undefined),
      graceHours: this.#siteTasks.graceHoursOf(of),
      rates: this.#siteTasks.rates(),
      policy: policyOfSite(config.policies, of).policy,
      measure: (kind, rate) => this.#siteTasks.measure(kind, rate),
      ...kept.ofSite(site),
    };
  }
}
