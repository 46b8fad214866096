/** What is done with one point: written into a file, deleted. The site that it is of is left alone. */
import type { BackupDeleteDocument, ExportDocument } from '@salvor/contract';
import type { OpenPoint } from '../points/open-point.ts';
import { policyOfSite } from '../policies/policy-levels.ts';
import { deleteBackup, planDeleteBackup } from '../tasks/delete-backup.ts';
import { exportPoint } from '../tasks/export-point.ts';
import { planExport } from '../tasks/plan-export.ts';
import { readCopy } from '../tasks/read-copy.ts';
import { readStoredSite } from '../tasks/read-stored-site.ts';
import { type Deletable, configuredFor } from './archive-points.ts';
import { type ExportCall, type PlannedCallOptions, waitOptions } from './calls.ts';
import { type SiteTasksRoom, placeOf } from './site-tasks.ts';
import { stateOfPlan } from './task-documents.ts';

export class PointTasks {
  readonly #in: SiteTasksRoom;

  constructor(room: SiteTasksRoom) {
    this.#in = room;
  }

  /** One point as one file that was not there. It holds no site: tasks of the site go on beside it. */
  async export(name: string, options: ExportCall): Promise<ExportDocument> {
    const { config, queue, archives, sites } = this.#in;
    const { output } = options;
    const waiting = waitOptions(options);
    const { account, uri } = await sites.named(name, options.signal);
    const source = await archives.openOf(
      { account, uri },
      { prefix: options.point, from: options.from ?? null },
      waiting,
    );
    const site = await source.read((point) => sites.restorable(account, uri, point, options.signal));
    const { policy } = policyOfSite(config.policies, { account, uri });
    const id = source.point.manifest.point;
    if (options.dryRun === true) {
      const found = planExport(site, source.point, output, policy);
      const plan = { ...found, notes: [...source.problems, ...found.notes] };
      const problems = [...plan.obstacles, ...source.problems];
      const state = problems.length === 0 ? stateOfPlan(plan) : 'warned';
      return { task: null, state, plan, point: id, archive: null, problems };
    }
    const { task, state, result, problems } = await queue.perform(
      { operation: 'export', site: placeOf(site), of: null, wish: { point: id, output } },
      waiting,
      async (run) => {
        run.note(...source.problems);
        const configured = configuredFor(config, account, uri);
        const read = <T>(work: (point: OpenPoint) => Promise<T>): Promise<T> => readCopy(source, run, work);
        const stored = await read((point) => readStoredSite(point, site.account, configured)).catch(() => null);
        return await read((point) => exportPoint(site, point, output, { policy, stored }, run));
      },
    );
    const { path, bytes, sha256 } = result;
    return { task, state, plan: null, point: id, archive: { path, bytes, sha256 }, problems };
  }

  /** Removes a point's archives and its snapshot. Throws `point-unknown`, `point-ambiguous`, `point-held`. */
  async deleteBackup(point: string, options: PlannedCallOptions = {}): Promise<BackupDeleteDocument> {
    const { archives, points, queue } = this.#in;
    if (options.dryRun === true) return this.#planDelete(await archives.judgeDeletable(point, options.signal));
    const { site, id } = await archives.findDeletable(point, options.signal);
    const { task, state, result, problems } = await queue.perform(
      { operation: 'backup-delete', site, of: null },
      waitOptions(options),
      async (run) => {
        // Looked up again when its turn has come.
        const { deleted } = await archives.findDeletable(id, run.signal);
        const repository = deleted.snapshot === null ? null : await points.repositories.open(site.account);
        return await deleteBackup(deleted, repository, run);
      },
    );
    return { task, state, plan: null, point: id, removed: [...result], problems };
  }

  #planDelete({ id, site: { account, uri }, time, isRemote, deleted, held }: Deletable): BackupDeleteDocument {
    const { policy } = policyOfSite(this.#in.config.policies, { account, uri });
    const plan = planDeleteBackup(deleted, { account, uri, time, isRemote, held, policy });
    return { task: null, state: stateOfPlan(plan), plan, point: id, removed: [], problems: plan.obstacles };
  }
}
