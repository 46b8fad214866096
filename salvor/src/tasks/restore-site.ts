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
import type { Problem, RestoreDocument } from '@salvor/contract';
import type { Repository } from '@salvor/engine';
import { SalvorError } from '../errors.ts';
import type { OpenPoint } from '../points/open-point.ts';
import { type Site, siteKey } from '../sites/site.ts';
import { backUpSite } from './back-up-site.ts';
import { buildFiles, builtPathOf, planMoves } from './build-files.ts';
import { buildDatabase, nameDatabases } from './build-databases.ts';
import { type TableSums, findLateFiles, findLateTables, sumLiveTables } from './late-changes.ts';
import { type PlanTools, type RestorePlanned, planRestore } from './plan-restore.ts';
import { type RecoveryTools, keep } from './recover-task.ts';
import { findChangedPhp, refreshTimes } from './refresh-php.ts';
import type { RestoreScope } from './restore-scope.ts';
import { locateStaging, makeStaging } from './staging.ts';
import { type Switch, type SwitchTools, type TableSwap, makeSwitch } from './switch-site.ts';
import type { TaskRun } from './task-run.ts';
import { verifySite } from './verify-site.ts';

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

/** Throws `restore-obstructed` and what a step throws; then the site is as it was, or as the switch has made it. */
export async function restoreSite(
  site: Site,
  point: OpenPoint,
  scope: RestoreScope,
  tools: RestoreTools,
  run: TaskRun,
): Promise<Restored> {
  const plan = await run.step('plan', () => planRestore(site, point, scope, { ...tools, signal: run.signal }));
  requireUnobstructed(plan);

  const before = await run.step('sum the tables', () =>
    sumLiveTables(site, plan.databases, { ...tools, signal: run.signal }),
  );
  const safety = await run.step('safety point', () => takeSafetyPoint(site, point, tools, run));

  const staging = locateStaging(
    { key: siteKey(site), account: site.account.name, path: site.path },
    run.id,
    tools.staging,
  );
  const built = await run.step('build', () => buildBeside(site, point, plan, staging, tools, run));

  // From here to the end of the commit nothing may be cancelled: the journal is on disk first (1), then the parts
  // change places (2), then the journal says that they have (3). Recovery reads (1) and asks disk and server.
  await run.commit('switch', async () => {
    refreshTimes(builtPathOf(staging), built.refreshed, run.clock());
    const undoUntil = new Date(run.clock().getTime() + tools.graceHours * 3_600_000).toISOString();
    run.record({ phase: 'switching', switch: built.switch, undoUntil }); // (1)
    run.note(...(await makeSwitch(built.switch, site.account.home, switchTools(tools, run)))); // (2)
    run.record({ phase: 'switched' }); // (3)
  });

  // The site is the new one: nothing below may fail the task, and what it finds is told.
  const late = await run.commit('look for late changes', () =>
    findLate(site, scope, plan, built, before, safety, tools, run),
  );
  run.note(...(await run.commit('verify', () => verifySite(tools.readSite))));
  const kept = await run.commit('keep', () =>
    keep(run.journal, { ...tools, ...switchTools(tools, run), clock: run.clock }),
  );
  run.record(kept.journal);
  return {
    safetyPoint: run.journal.point,
    plan: plan.document,
    refreshed: built.refreshed,
    changedMeanwhile: late,
    undoUntil: run.journal.undoUntil,
  };
}

function switchTools(tools: RestoreTools, run: TaskRun): SwitchTools {
  return { administratorOf: tools.administratorOf, say: (line) => run.say(line), audit: run.audit };
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
  const safety = await backUpSite(site, { reason, safety: true, path: site.path, moved: new Map() }, tools, run);
  run.note(...safety.problems);
  run.record({ point: safety.point.manifest.point });
  await tools.remember(safety.point);
  return safety.point;
}

type Built = { readonly switch: Switch; readonly refreshed: readonly string[] };

/** Files and databases at the same time would halve nothing: both wait for the same disk. */
async function buildBeside(
  site: Site,
  point: OpenPoint,
  plan: RestorePlanned,
  staging: string,
  tools: RestoreTools,
  run: TaskRun,
): Promise<Built> {
  const names = plan.databases.map((planned, index) => nameDatabases(run.id, planned, index));
  const hasFiles = plan.document.files !== null;
  run.record({
    staging: hasFiles ? staging : null,
    scratchDatabases: names.flatMap(({ built, old }) => [built, old]),
  });
  if (hasFiles) {
    makeStaging(staging);
    run.note(...(await run.step('build the files', () => buildFiles(site, point, plan.scope, staging, run))));
  }
  const tables: TableSwap[] = [];
  for (const [index, planned] of plan.databases.entries()) {
    const name = names[index];
    if (name === undefined) continue;
    tables.push(
      await run.step(`build ${planned.stored.name}`, () => buildDatabase(site, point, planned, name, tools, run)),
    );
  }
  if (!hasFiles) return { switch: { tables, moves: [] }, refreshed: [] };
  const refreshed = await findChangedPhp(site.path, builtPathOf(staging), run.signal);
  return { switch: { tables, moves: planMoves(site, plan.scope, staging) }, refreshed };
}

/**
 * What changed while the new was built. The old lies still now, so it is taken again as it was at the switch: the
 * safety point that a person is told of is then what the switch replaced, to the last byte.
 */
async function findLate(
  site: Site,
  scope: RestoreScope,
  plan: RestorePlanned,
  built: Built,
  before: TableSums,
  safety: OpenPoint,
  tools: RestoreTools,
  run: TaskRun,
): Promise<{ files: number; tables: number }> {
  try {
    const files = await findLateFiles(safety, site.path, built.switch.moves);
    const tables = await findLateTables(site, before, built.switch.tables, tools);
    if (files.length + tables.length > 0) {
      const renewed = await renewSafetyPoint(site, scope, plan, built.switch, tools, run);
      if (renewed === null) run.note(...nameLate(files, tables));
    }
    return { files: files.length, tables: tables.length };
  } catch (error) {
    const message = `what changed during the restore could not be worked out: ${error instanceof Error ? error.message : String(error)}`;
    run.note({ code: 'late-changes-unknown', message, path: site.path });
    return { files: 0, tables: 0 };
  }
}

/** More names than a person reads; the rest is in the old tree. */
const MAX_NAMED = 20;

function nameLate(files: readonly string[], tables: readonly string[]): readonly Problem[] {
  const all = [...files, ...tables];
  const more = all.length - MAX_NAMED;
  const rest =
    more > 0 ? [{ code: 'changed-meanwhile', path: null, message: `${more} more changed while the restore ran` }] : [];
  return [...all.slice(0, MAX_NAMED).map(nameChange), ...rest];
}

function nameChange(path: string): Problem {
  const message = `${path} changed while the restore ran; that change is in what undo brings back and in no point`;
  return { code: 'changed-meanwhile', path, message };
}

/** Null where no one tree or database holds what was there: parts were replaced, or views and triggers were left behind. */
async function renewSafetyPoint(
  site: Site,
  scope: RestoreScope,
  plan: RestorePlanned,
  done: Switch,
  tools: RestoreTools,
  run: TaskRun,
): Promise<OpenPoint | null> {
  const isPart = (scope.files !== 'all' && scope.files.length > 0) || plan.databases.some(({ isWhole }) => !isWhole);
  // They are made again for the live tables and did not move with the old ones.
  const hasObjects = done.tables.some(({ plan: swap }) => swap.outgoing.length > 0);
  const move = done.moves[0];
  if (isPart || hasObjects || move?.liveInode === null) return null;
  const reason = `at the switch of task ${run.id}`;
  const moved = new Map(done.tables.map(({ server, plan: swap }) => [swap.live, { server, name: swap.old }]));
  const renewed = await backUpSite(site, { reason, safety: true, path: move?.staged ?? site.path, moved }, tools, run);
  run.record({ point: renewed.point.manifest.point });
  await tools.remember(renewed.point);
  return renewed.point;
}
