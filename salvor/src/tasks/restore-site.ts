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
import { lstatSync } from 'node:fs';
import type { RestoreDocument } from '@salvor/contract';
import { SalvorError } from '../errors.ts';
import type { EitherCopy } from '../points/either-copy.ts';
import type { NewPointPlace } from '../points/account-repositories.ts';
import type { OpenPoint } from '../points/open-point.ts';
import { isKeptClosed } from '../sites/kept-closed.ts';
import { type Site, siteKey } from '../sites/site.ts';
import { type SitePlaces, backUpSite, placesOf } from './back-up-site.ts';
import { switchingTo } from './journal.ts';
import { type BuiltPart, buildFiles, locateBuilt, planMoves } from './build-files.ts';
import { buildDatabase, nameDatabases } from './build-databases.ts';
import type { Rate, RateKind } from './estimate-restore.ts';
import { followSwitch, reloadPhp } from './follow-switch.ts';
import { sumLiveTables } from './late-changes.ts';
import { closeSite, openSite, planMaintenance } from './maintenance.ts';
import { bytesOfDump, sayUntried } from './plan-database.ts';
import { type PlanTools, type RestorePlanned, planRestore } from './plan-restore.ts';
import { readCopy, tellCopy } from './read-copy.ts';
import { type RecoveryTools, dropScratchDatabases, keep } from './recover-task.ts';
import { type ChangedPhp, findChangedIn, refreshTimes } from './refresh-php.ts';
import type { RestoreScope } from './restore-scope.ts';
import { locateStaging, makeStaging, removeStaging } from './staging.ts';
import { type HookPlace, runHook } from './run-hook.ts';
import { type Switch, type SwitchTools, type TableSwap, makeSwitch } from './switch-site.ts';
import { syncDisks } from './sync-disks.ts';
import type { TaskRun } from './task-run.ts';
import { tellLate } from './tell-late.ts';

export type RestoreTools = Omit<PlanTools, 'signal'> &
  NewPointPlace &
  Pick<RecoveryTools, 'journals' | 'administratorOf'> & {
    /** Takes a new point into the catalogue. */
    readonly remember: (point: OpenPoint) => Promise<void>;
    /** The site as its own settings say now: after the switch they are the restored ones. */
    readonly readSite: () => Promise<Site>;
    /** Returns when nobody else on this host, as an Aegir beside us, works on the site. */
    readonly waitForOthers: () => Promise<void>;
    /** How long what is replaced is kept. */
    readonly graceHours: number;
    /** Told what each part took, for the next plan. */
    readonly measure: (kind: RateKind, rate: Rate) => void;
  };

export type Restored = Omit<RestoreDocument, 'task' | 'state' | 'problems' | 'undoneBy' | 'archive'>;

/** Throws `restore-obstructed` and what a step throws; then the site is as it was, or as the switch has made it. */
export async function restoreSite(
  site: Site,
  source: EitherCopy,
  scope: RestoreScope,
  tools: RestoreTools,
  run: TaskRun,
): Promise<Restored> {
  run.note(...source.problems);
  await tools.waitForOthers();
  const plan = await run.step('plan', () =>
    readCopy(source, run, (point) => planRestore(site, point, scope, { ...tools, signal: run.signal })),
  );
  requireUnobstructed(plan);
  sayUntried(plan.document.notes, { say: (line) => run.say(line) });
  const place = placeOfHook(site);
  const { preRestore } = tools.policy;
  const why =
    preRestore === null ? null : await run.hook(() => runHook('preRestore', place, tools.policy, run, run.signal));
  if (why !== null) throw new SalvorError('hook-failed', { hook: 'preRestore', site: siteKey(site), why });

  const before = await run.step('sum the tables', () =>
    sumLiveTables(site, plan.databases, { ...tools, signal: run.signal }),
  );
  const safety = await run.step('safety point', () => takeSafetyPoint(site, source, plan, tools, run));

  // All of the point is read here: the site is what it was until then, from whichever copy it comes.
  const built = await run.step('build', () =>
    readCopy(
      source,
      run,
      (point) => buildBeside(site, point, plan, tools, run),
      () => clearBuilt(run, tools),
    ),
  );

  await run.step('sync the disks', () => syncDisks(built.switch, site.account.home, tools, run.signal));

  // To build takes a while: somebody may have begun with the site meanwhile.
  await tools.waitForOthers();
  // From here to the end of the commit nothing may be cancelled: the journal is on disk first (1), then the parts
  // change places (2), then the journal says that they have (3). Recovery reads (1) and asks disk and server.
  await run.commit('switch', async () => {
    for (const changed of built.changed) refreshTimes(changed, run.clock());
    const isClosing = tools.policy.maintenance && !isKeptClosed(site.path);
    const maintenance = isClosing ? planMaintenance(site.path) : null;
    run.record({
      ...switchingTo(built.switch, tools.graceHours, run.clock()),
      maintenance,
      late: 'unknown',
    }); // (1)
    closeSite(run.journal, run.clock(), run);
    run.note(...(await makeSwitch(built.switch, site.account.home, switchTools(tools, run)))); // (2)
    openSite(run.journal);
    run.record({ phase: 'switched' }); // (3)
  });

  // The site is the new one: nothing below may fail the task, and what it finds is told.
  await reloadPhp(tools, run);
  const late = await run.commit('look for late changes', () =>
    tellLate({ site, done: built.switch, before, safety }, tools, run),
  );
  if (late.isSafe) run.record({ late: 'kept' });
  const page = await followSwitch(place, tools, run);
  const kept = await run.commit('keep', () =>
    keep(run.journal, { ...tools, ...switchTools(tools, run), clock: run.clock }),
  );
  run.record(kept.journal);
  return {
    safetyPoint: run.journal.point,
    plan: tellCopy(plan.document, source),
    refreshed: built.changed.flatMap(({ shown }) => shown),
    changedMeanwhile: { files: late.files, tables: late.tables },
    page: page?.verdict ?? null,
    undoUntil: run.journal.undoUntil,
  };
}

function placeOfHook({ account, uri, path, platform, cms }: Site): HookPlace {
  return { operation: 'restore', account, accountName: account.name, uri, path, platform: platform.root, cms };
}

function switchTools(tools: RestoreTools, run: TaskRun): SwitchTools {
  return { administratorOf: tools.administratorOf, say: (line) => run.say(line), audit: run.audit };
}

function requireUnobstructed({ document }: RestorePlanned): void {
  if (document.obstacles.length === 0) return;
  throw new SalvorError('restore-obstructed', {
    site: document.into ?? `${document.account}/${document.uri}`,
    obstacles: document.obstacles.map(({ message }) => message),
  });
}

async function takeSafetyPoint(
  site: Site,
  { point, problems }: EitherCopy,
  plan: RestorePlanned,
  tools: RestoreTools,
  run: TaskRun,
): Promise<OpenPoint> {
  // What is built on packs that are damaged could not be read either.
  const { spare = null } = problems.length === 0 ? {} : tools;
  const place = spare === null ? {} : { repository: await spare.open(), spare: null };
  const reason = `before the restore of ${point.manifest.point.slice(0, 8)} by task ${run.id}`;
  const places = addReplaced(placesOf(site), point);
  const wanted = { reason, safety: true, places, bytesTotal: plan.liveBytes };
  const began = run.clock();
  const safety = await backUpSite(site, wanted, { ...tools, ...place }, run);
  tools.measure('safety', { bytes: safety.result.bytesProcessed, seconds: secondsSince(began, run) });
  run.note(...safety.problems);
  run.record({ point: safety.point.manifest.point });
  await tools.remember(safety.point);
  return safety.point;
}

/** What the restore replaces outside of the site's directory, also where no link leads there any more. */
function addReplaced(places: SitePlaces, { manifest }: OpenPoint): SitePlaces {
  const has = (target: string): boolean => places.movedOut.some((one) => one.target === target);
  const more = manifest.moved
    .filter(({ target }) => !has(target) && lstatSync(target, { throwIfNoEntry: false })?.isDirectory() === true)
    .map(({ link, target }) => ({ link, target, linked: false, path: target }));
  return { ...places, movedOut: [...places.movedOut, ...more] };
}

type Built = { readonly switch: Switch; readonly changed: readonly ChangedPhp[] };

/** What was built of a copy that could not be read to the end. */
async function clearBuilt(run: TaskRun, tools: RestoreTools): Promise<void> {
  const { stagings, scratchDatabases } = run.journal;
  for (const staging of stagings) await run.audit('remove-files', staging, () => removeStaging(staging));
  await dropScratchDatabases(run.journal, scratchDatabases, switchTools(tools, run));
}

/** Files and databases at the same time would halve nothing: both wait for the same disk. */
async function buildBeside(
  site: Site,
  point: OpenPoint,
  plan: RestorePlanned,
  tools: RestoreTools,
  run: TaskRun,
): Promise<Built> {
  const names = plan.databases.map((planned, index) => nameDatabases(run.id, planned, index));
  const parts = plan.parts.map((part, index) =>
    locateBuilt(part, locateStaging(part.live, site.account.name, run.id, tools.staging), index),
  );
  const stagings = [...new Set(parts.map(({ staging }) => staging))];
  run.record({ stagings, scratchDatabases: names.flatMap(({ built, old }) => [built, old]) });
  for (const staging of stagings) await makeStaging(staging);
  if (parts.length > 0) await run.step('build the files', () => buildParts(parts, { site, point, plan }, tools, run));
  const tables: TableSwap[] = [];
  for (const [index, planned] of plan.databases.entries()) {
    const name = names[index];
    if (name === undefined) continue;
    const began = run.clock();
    tables.push(
      await run.step(
        'build the database',
        () => buildDatabase(site, point, planned, name, tools, run),
        planned.stored.name,
      ),
    );
    tools.measure('tables', { bytes: bytesOfDump(planned), seconds: secondsSince(began, run) });
  }
  const moves = parts.flatMap(planMoves);
  return { switch: { tables, moves }, changed: await findChangedIn(moves, run.signal) };
}

async function buildParts(
  parts: readonly BuiltPart[],
  of: { readonly site: Site; readonly point: OpenPoint; readonly plan: RestorePlanned },
  tools: RestoreTools,
  run: TaskRun,
): Promise<void> {
  const began = run.clock();
  const done = { files: 0, bytes: 0 };
  for (const part of parts) {
    const last = { files: 0, bytes: 0 };
    const onProgress = ({ files, bytes }: typeof last): void => {
      Object.assign(last, { files, bytes });
      run.progress({ files: done.files + files, bytes: done.bytes + bytes, bytesTotal: of.plan.fileBytes });
    };
    const source = { point: of.point, account: of.site.account };
    const problems = await run.audit('restore-files', part.root, () => buildFiles(part, source, run, onProgress));
    done.files += last.files;
    done.bytes += last.bytes;
    run.note(...problems);
  }
  tools.measure('files', { bytes: done.bytes, seconds: secondsSince(began, run) });
}

function secondsSince(began: Date, run: TaskRun): number {
  return (run.clock().getTime() - began.getTime()) / 1000;
}
