/**
 * Switches a site off, or on again: visitors are kept out, and nothing of the site itself is touched, so that it goes on
 * being backed up and can be restored, and there is no safety point to take.
 *
 *   plan → prepare the switch → switch → ask the page → keep
 *
 * What changes are two or three small files, in one switch as a restore has it: `recover-task.ts` finishes or undoes it
 * after a crash, and undo puts the very files of before back.
 */
import { fstatSync } from 'node:fs';
import { join } from 'node:path';
import { setTimesOfHeld } from '@salvor/engine/libc';
import type { AvailabilityDocument } from '@salvor/contract';
import { SalvorError } from '../errors.ts';
import { type OwnSpot, openSpot } from '../lib/beneath/spot.ts';
import { type Site, siteKey } from '../sites/site.ts';
import { type ClosedCheck, type PageCheck, checkClosed, checkPage } from './check-page.ts';
import { type Journal, type JournalSite, switchingTo } from './journal.ts';
import { locateMaintenance } from './maintenance.ts';
import { type AvailabilityPlanned, type AvailabilityTools, planAvailability } from './plan-availability.ts';
import { type RecoveryTools, keep } from './recover-task.ts';
import { locateStaging, makeStaging } from './staging.ts';
import { type Switch, type SwitchTools, makeSwitch } from './switch-site.ts';
import type { TaskRun } from './task-run.ts';
import { buildVirtualHosts, stageFile, stagingsOf } from './virtual-host.ts';

export type SwitchAvailabilityTools = AvailabilityTools &
  Pick<RecoveryTools, 'journals' | 'administratorOf'> & {
    readonly staging: string | null;
    readonly graceHours: number;
  };

export type Switched = Omit<AvailabilityDocument, 'task' | 'state' | 'problems'>;

/** Throws `availability-obstructed`, `virtual-host-refused`, and what a step throws; then the site is as it was. */
export async function switchAvailability(
  site: Site,
  wanted: 'off' | 'on',
  tools: SwitchAvailabilityTools,
  run: TaskRun,
): Promise<Switched> {
  const plan = await run.step('plan', () => planAvailability(site, wanted, tools, (line) => run.say(line)));
  requireUnobstructed(site, plan);
  run.note(...plan.document.notes);
  const switching: SwitchTools = {
    administratorOf: tools.administratorOf,
    say: (line) => run.say(line),
    audit: run.audit,
  };
  const parts = await run.step('prepare the switch', () => prepareSwitch(site, plan, tools, run));
  // As in a restore: journal (1), parts (2), journal (3).
  await run.commit('switch', async () => {
    run.record(switchingTo(parts, tools.graceHours, run.clock())); // (1)
    run.note(...(await keepingSiteTime(run.journal.site, () => makeSwitch(parts, site.account.home, switching)))); // (2)
    run.record({ phase: 'switched' }); // (3)
  });
  const page = await run.commit('ask the page', () => followAvailability(site.uri, wanted, tools, run));
  const kept = await run.commit('keep', () => keep(run.journal, { ...tools, ...switching, clock: run.clock }));
  run.record(kept.journal);
  return { plan: plan.document, page: page?.verdict ?? null, undoUntil: run.journal.undoUntil };
}

function requireUnobstructed(site: Site, { document }: AvailabilityPlanned): void {
  if (document.obstacles.length === 0) return;
  throw new SalvorError('availability-obstructed', {
    site: siteKey(site),
    obstacles: document.obstacles.map(({ message, path }) =>
      path === null || path === undefined || message.includes(path) ? message : `${path}: ${message}`,
    ),
  });
}

async function prepareSwitch(
  { account }: Site,
  { virtualHosts, files }: AvailabilityPlanned,
  { staging }: SwitchAvailabilityTools,
  run: TaskRun,
): Promise<Switch> {
  const of = { account: account.name, staging };
  const stagings = [...new Set([...stagingsOf(virtualHosts, of, run.id), ...stagingsOf({ files }, of, run.id)])];
  run.record({ stagings });
  for (const place of stagings) await makeStaging(place);
  const moves = files.map((file, index) => {
    const place = locateStaging(file.path, account.name, run.id, staging);
    return stageFile(file, place, join(place, `file-${index}`));
  });
  const hosts = await buildVirtualHosts(virtualHosts, of, run);
  return { tables: [], moves, ...(hosts === undefined ? {} : { virtualHosts: hosts }) };
}

/** What a visitor sees now; what is not as wanted is noted. Null where no page is named. */
export async function followAvailability(
  uri: string,
  wanted: 'off' | 'on',
  { policy }: Pick<AvailabilityTools, 'policy'>,
  run: Pick<TaskRun, 'clock' | 'say' | 'note'>,
): Promise<PageCheck | ClosedCheck | null> {
  const page = wanted === 'off' ? await checkClosed(uri, policy, run) : await checkPage(uri, policy, run);
  if (page?.verdict === 'open')
    run.note({ code: 'site-still-open', message: `${page.url} goes on being served: ${page.why}`, path: page.url });
  if (page?.verdict === 'broken')
    run.note({ code: 'page-broken', message: `${page.url} is not as it must be: ${page.why}`, path: page.url });
  return page;
}

/** Whether a task has changed nothing of a site but whether it is switched on. */
export function isOfAvailability({ switch: done, site }: Pick<Journal, 'switch' | 'site'>): boolean {
  if (done === null || done.tables.length > 0) return false;
  const own = [locateMaintenance(site.path), join(site.home, '.drush', `${site.uri}.alias.drushrc.php`)];
  return done.moves.every(({ live }) => own.includes(live));
}

/** A file that comes or goes there is no change of the site's directory. */
export async function keepingSiteTime<T>(site: Pick<JournalSite, 'home' | 'path'>, body: () => Promise<T>): Promise<T> {
  using opened = new DisposableStack();
  let spot: OwnSpot | null = null;
  try {
    spot = opened.use(openSpot(site.home, locateMaintenance(site.path)));
  } catch {
    // A site whose directory is not there has no time to keep.
  }
  const before = spot === null ? null : fstatSync(spot.fd, { bigint: true });
  const result = await body();
  if (spot !== null && before !== null) setTimesOfHeld(spot.fd, before.atimeNs, before.mtimeNs);
  return result;
}
