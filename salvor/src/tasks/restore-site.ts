/**
 * Brings one site back to a point. Owns the order of the steps and what a crash between two of them means; knows
 * nothing of dump formats, blocks or web servers.
 *
 *   plan → safety point → build beside → compare → switch → verify → keep
 *
 * A crash before `switch` leaves the old site, a staging directory and scratch databases, which recovery removes;
 * inside it recovery finishes what has begun (the table is in recover-task.ts); after it the new site is there, and
 * the old one that `undo` or the end of the grace period removes.
 */
import type { RestoreDocument } from '@salvor/contract';
import type { Repository } from '@salvor/engine';
import { SalvorError } from '../errors.ts';
import type { OpenPoint } from '../points/open-point.ts';
import { type Site, siteKey } from '../sites/site.ts';
import { backUpSite } from './back-up-site.ts';
import { buildFiles, builtPathOf, planMoves } from './build-files.ts';
import { findLateFiles } from './late-changes.ts';
import { type PlanTools, type RestorePlanned, planRestore } from './plan-restore.ts';
import { type RecoveryTools, keep } from './recover-task.ts';
import { findChangedPhp, refreshTimes } from './refresh-php.ts';
import type { RestoreScope } from './restore-scope.ts';
import { locateStaging, makeStaging } from './staging.ts';
import { type Switch, makeSwitch } from './switch-site.ts';
import type { TaskRun } from './task-run.ts';

export type RestoreTools = Omit<PlanTools, 'signal'> &
  Pick<RecoveryTools, 'journals' | 'administratorOf'> & {
    readonly repository: Repository;
    /** Takes a new point into the catalogue. */
    readonly remember: (point: OpenPoint) => Promise<void>;
    /** The site as its own settings say now: after the switch they are the restored ones. */
    readonly readSite: () => Promise<Site>;
    /** How long what is replaced is kept. */
    readonly graceHours: number;
  };

export type Restored = Omit<RestoreDocument, 'task' | 'state' | 'problems'>;

export async function restoreSite(
  site: Site,
  point: OpenPoint,
  scope: RestoreScope,
  tools: RestoreTools,
  run: TaskRun,
): Promise<Restored> {
  const plan = await run.step('plan', () => planRestore(site, point, scope, { ...tools, signal: run.signal }));
  requireUnobstructed(plan);

  const safety = await run.step('safety point', () => takeSafetyPoint(site, point, tools, run));

  const staging = locateStaging(
    { key: siteKey(site), account: site.account.name, path: site.path },
    run.id,
    tools.staging,
  );
  const built = await run.step('build', () => buildBeside(site, point, plan, staging, run));

  // From here to the end of the commit nothing may be cancelled: the journal is on disk first (1), then the parts
  // change places (2), then the journal says that they have (3). Recovery reads (1) and asks disk and server.
  await run.commit('switch', async () => {
    const { moves, refreshed } = built;
    if (scope.files === 'all') refreshTimes(builtPathOf(staging), refreshed, run.clock());
    const wanted: Switch = { tables: [], moves };
    run.record({ phase: 'switching', switch: wanted, undoUntil: graceEnd(run.clock(), tools.graceHours) });
    await makeSwitch(wanted, site.account.home, tools);
    run.record({ phase: 'switched' });
  });

  const late = await run.commit('look for late changes', () => findLateFiles(safety, site.path, built.moves));
  const kept = await keep(run.journal, { ...tools, clock: run.clock, say: (line) => run.say(line) });
  run.record(kept.journal);
  return {
    safetyPoint: safety.manifest.point,
    plan: plan.document,
    refreshed: built.refreshed,
    changedMeanwhile: { files: late.length, tables: 0 },
    undoUntil: run.journal.undoUntil,
  };
}

function requireUnobstructed({ document }: RestorePlanned): void {
  if (document.obstacles.length === 0) return;
  throw new SalvorError('restore-obstructed', {
    site: `${document.account}/${document.uri}`,
    obstacles: document.obstacles.map(({ message }) => message),
  });
}

async function takeSafetyPoint(site: Site, point: OpenPoint, tools: RestoreTools, run: TaskRun): Promise<OpenPoint> {
  const reason = `before the restore of ${point.manifest.point.slice(0, 8)} by task ${run.id}`;
  const safety = await backUpSite(site, { reason, safety: true }, tools.repository, run);
  run.note(...safety.problems);
  run.record({ point: safety.point.manifest.point });
  await tools.remember(safety.point);
  return safety.point;
}

async function buildBeside(
  site: Site,
  point: OpenPoint,
  plan: RestorePlanned,
  staging: string,
  run: TaskRun,
): Promise<{ moves: Switch['moves']; refreshed: readonly string[] }> {
  run.record({ staging });
  makeStaging(staging);
  if (plan.document.files === null) return { moves: [], refreshed: [] };
  run.note(...(await buildFiles(site, point, plan.scope, staging, run)));
  const refreshed = await findChangedPhp(site.path, builtPathOf(staging), run.signal);
  return { moves: planMoves(site, plan.scope, staging), refreshed };
}

function graceEnd(now: Date, hours: number): string {
  return new Date(now.getTime() + hours * 3_600_000).toISOString();
}
