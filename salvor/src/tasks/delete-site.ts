/**
 * Takes a site away, so that it can be brought back: its directory, what names it and its tables go to where a restore
 * keeps what it replaces, in the same switch with nothing in their place. Owns the order of the steps.
 *
 *   plan → safety point → switch → keep
 *
 * No database leaves that is not in the safety point. Without the person's word one that can't be saved stops all of it;
 * with it the database stays where it is, and is told of.
 *
 * What a crash leaves is finished or undone as a restore's is (the table is in recover-task.ts). The emptied database and
 * its user stay until the grace period ends, so that undo finds them; then `drop-kept.ts` asks again whose they are.
 */
import { join } from 'node:path';
import type { DeleteDocument } from '@salvor/contract';
import { SalvorError } from '../errors.ts';
import type { NewPointPlace } from '../points/account-repositories.ts';
import type { OpenPoint } from '../points/open-point.ts';
import { type Site, siteKey } from '../sites/site.ts';
import { backUpSite, placesOf } from './back-up-site.ts';
import { switchingTo } from './journal.ts';
import { type Move, planMove } from './move-site.ts';
import { type DeletePlanned, type DeleteTools, type StayingDatabase, planDelete } from './plan-delete.ts';
import { nameStaying } from './plan-deleted-database.ts';
import { dropOf, nameLeaving, planLeaving } from './plan-leaving.ts';
import { type RecoveryTools, keep } from './recover-task.ts';
import { locateNames, stageNames } from './stage-names.ts';
import { locateStaging, makeStaging } from './staging.ts';
import { type Switch, type SwitchTools, type TableSwap, makeSwitch } from './switch-site.ts';
import type { TaskRun } from './task-run.ts';
import { buildVirtualHosts, stagingsOf } from './virtual-host.ts';

export type DeleteSiteTools = Omit<DeleteTools, 'signal'> &
  NewPointPlace &
  Pick<RecoveryTools, 'journals'> & {
    readonly remember: (point: OpenPoint) => Promise<void>;
    readonly staging: string | null;
    readonly graceHours: number;
  };

export type Deleted = Omit<DeleteDocument, 'task' | 'state' | 'problems' | 'archive'>;

/** Throws `delete-obstructed`, `delete-unsaved` and what a step throws; then the site is as it was. */
export async function deleteSite(site: Site, tools: DeleteSiteTools, run: TaskRun): Promise<Deleted> {
  const planned = await run.step('plan', () =>
    planDelete(site, { ...tools, signal: run.signal }, (line) => run.say(line)),
  );
  requireUnobstructed(planned);
  const plan = await run.step('safety point', () => takeSafetyPoint(site, planned, tools, run));
  run.note(...plan.staying.map(({ note }) => note));
  const switching: SwitchTools = {
    administratorOf: tools.administratorOf,
    say: (line) => run.say(line),
    audit: run.audit,
  };
  const wanted = await run.step('prepare the switch', () => prepareSwitch(site, plan, tools, run));

  // As in a restore: journal (1), parts (2), journal (3).
  await run.commit('switch', async () => {
    run.record({
      ...switchingTo(wanted, tools.graceHours, run.clock()),
      drops: plan.databases.map(dropOf),
    }); // (1)
    run.note(...(await makeSwitch(wanted, site.account.home, switching))); // (2)
    run.record({ phase: 'switched' }); // (3)
  });
  const kept = await run.commit('keep', () => keep(run.journal, { ...tools, ...switching, clock: run.clock }));
  run.record(kept.journal);
  return { safetyPoint: run.journal.point, plan: plan.document, undoUntil: run.journal.undoUntil };
}

function requireUnobstructed({ document }: DeletePlanned): void {
  if (document.obstacles.length === 0) return;
  throw new SalvorError('delete-obstructed', {
    site: `${document.account}/${document.uri}`,
    obstacles: document.obstacles.map(({ message, path }) =>
      path === null || path === undefined || message.includes(path) ? message : `${path}: ${message}`,
    ),
  });
}

/** Gives the plan with what is saved now. Throws `delete-unsaved` where a database can't be. */
async function takeSafetyPoint(
  site: Site,
  planned: DeletePlanned,
  tools: DeleteSiteTools,
  run: TaskRun,
): Promise<DeletePlanned> {
  const wanted = { reason: `before the delete by task ${run.id}`, safety: true, places: placesOf(site) };
  let plan = planned;
  for (;;) {
    const leftOut = new Set(plan.staying.map(({ database }) => database.name));
    try {
      const safety = await backUpSite(site, { ...wanted, leftOut }, tools, run);
      requireSaved(site, plan, safety.point);
      run.note(...safety.problems);
      run.record({ point: safety.point.manifest.point });
      await tools.remember(safety.point);
      return plan;
    } catch (error) {
      run.signal.throwIfAborted();
      if (!isOfDatabase(error) || plan.databases.length === 0) throw error;
      if (tools.withoutBackup !== true)
        throw new SalvorError('delete-unsaved', { site: siteKey(site), why: error.message }, { cause: error });
      plan = leaveBehind(site, plan, error);
    }
  }
}

/** What was readable in the plan may have gone since. */
function requireSaved(site: Site, plan: DeletePlanned, { manifest }: OpenPoint): void {
  const saved = new Set(manifest.databases.map(({ name }) => name));
  const shown = new Map(plan.document.databases.map(({ name, tables }) => [name, tables]));
  const lost = plan.databases.find(({ name }) => !saved.has(name) && shown.get(name) !== 0);
  if (lost !== undefined)
    throw new SalvorError('dump-failed', {
      database: lost.name,
      words: `the safety point of ${siteKey(site)} has none of it`,
    });
}

const CODES_OF_DATABASES = /^(dump|database)-/;

function isOfDatabase(error: unknown): error is SalvorError {
  return error instanceof SalvorError && CODES_OF_DATABASES.test(error.code);
}

/** The one that the error names; where it names none, all. */
function leaveBehind(site: Site, plan: DeletePlanned, error: SalvorError): DeletePlanned {
  const named = plan.databases.filter(({ name }) => name === error.context['database']);
  const left = named.length === 0 ? plan.databases : named;
  const why = error.message.replace(/\.$/, '');
  const staying = left.map((database): StayingDatabase => ({ database, note: nameStaying(site, database, why) }));
  const isLeft = (name: string): boolean => left.some((database) => database.name === name);
  return {
    ...plan,
    databases: plan.databases.filter(({ name }) => !isLeft(name)),
    staying: [...plan.staying, ...staying],
    document: {
      ...plan.document,
      databases: plan.document.databases.filter(({ name }) => !isLeft(name)),
      notes: [...plan.document.notes, ...staying.map(({ note }) => note)],
    },
  };
}

/** Where each part goes. Nothing of the site is touched: what is made are empty places of ours. */
async function prepareSwitch(site: Site, plan: DeletePlanned, tools: DeleteSiteTools, run: TaskRun): Promise<Switch> {
  const parts = plan.places.map((place, index) => {
    const staging = locateStaging(place.path, site.account.name, run.id, tools.staging);
    return { ...place, staging, staged: join(staging, index === 0 ? 'site' : `part-${index}`) };
  });
  const of = { account: site.account.name, staging: tools.staging };
  const hostPlaces = stagingsOf(plan.virtualHost, of, run.id);
  const beside = locateNames(plan.names, { account: of.account, task: run.id, configured: tools.staging });
  const stagings = [...new Set([...[...parts, ...beside].map(({ staging }) => staging), ...hostPlaces])];
  const names = plan.databases.map((database, index) => nameLeaving(run.id, database, index));
  run.record({ stagings, scratchDatabases: names.flatMap(({ empty, old }) => [empty, old]) });
  for (const staging of stagings) await makeStaging(staging);
  const tables: TableSwap[] = [];
  for (const [index, database] of plan.databases.entries()) {
    const name = names[index];
    if (name !== undefined) tables.push(await planLeaving(site, database, name, tools, run));
  }
  const moves: Move[] = parts.map(({ path, home, staging, staged }) =>
    planMove({ home, live: path, staging, staged, path: path === site.path ? '' : path }),
  );
  stageNames(plan.names, beside, site.account);
  const virtualHosts = await buildVirtualHosts(plan.virtualHost, of, run);
  return {
    tables,
    moves,
    ...(beside.length === 0 ? {} : { names: beside.map((place) => planMove(place)) }),
    ...(virtualHosts === undefined ? {} : { virtualHosts }),
  };
}
