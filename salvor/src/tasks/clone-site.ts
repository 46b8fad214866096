/**
 * Makes a second site of one: of its safety point, so that what is copied is what was read back. Owns the order of the
 * steps; the site that is copied is read and never written.
 *
 *   plan → safety point → build beside → rewrite → compare → appear → verify → keep
 *
 * All that is built lies in staging and in scratch databases; the new site's own database is made first and stays empty.
 * The site appears by one switch in which nothing leaves: tables, then its directory. What a crash leaves is finished or
 * undone as a restore's is (the table is in recover-task.ts).
 */
import type { IdentityDocument } from '@salvor/contract';
import { SalvorError } from '../errors.ts';
import type { OpenPoint } from '../points/open-point.ts';
import { type Site, siteKey } from '../sites/site.ts';
import { backUpSite, placesOf } from './back-up-site.ts';
import { switchingTo } from './journal.ts';
import { type BuiltSite, type NewSiteTools, buildNewSite, switchTools } from './build-new-site.ts';
import { followSwitch, reloadPhp } from './follow-switch.ts';
import { isEmptyPlace } from './new-place.ts';
import { type IdentityPlanned, type IdentityWish, planIdentity } from './plan-identity.ts';
import { sayUntried } from './plan-database.ts';
import { keep } from './recover-task.ts';
import { type Switch, makeSwitch } from './switch-site.ts';
import { type HookPlace, runHook } from './run-hook.ts';
import { syncDisks } from './sync-disks.ts';
import type { TaskRun } from './task-run.ts';

export type Identified = Omit<IdentityDocument, 'task' | 'state' | 'problems' | 'archive'>;

/** Throws `identity-obstructed` and what a step throws; then nothing of the new site is left. */
export async function cloneSite(
  site: Site,
  wish: IdentityWish,
  tools: NewSiteTools,
  run: TaskRun,
): Promise<Identified> {
  const plan = await planUnobstructed(site, wish, tools, run);
  const { newUri, newPath } = plan.document;
  const target = { account: site.account.name, uri: newUri, path: newPath, home: site.account.home };
  run.record({ target });
  await runPreHook(site, 'clone', tools, run);
  const point = await run.step('safety point', () =>
    takeSafetyPoint(site, `before the clone to ${newUri}`, tools, run),
  );

  const built = await run.step('build', () =>
    buildNewSite({ site, point, named: site, server: null }, plan, tools, run),
  );

  return { safetyPoint: run.journal.point, ...(await appear(site, plan, built, 'clone', tools, run)) };
}

/** The new site appears, whole, and is tried. From the switch on nothing takes it back but `undo`. */
export async function appear(
  site: Site,
  plan: IdentityPlanned,
  built: BuiltSite,
  operation: HookPlace['operation'],
  tools: NewSiteTools,
  run: TaskRun,
): Promise<Omit<Identified, 'safetyPoint'>> {
  const { newUri, newPath } = plan.document;
  requireRoom(built.switch);
  await run.step('sync the disks', () => syncDisks(built.switch, site.account.home, tools, run.signal));

  // As in a restore: journal (1), parts (2), journal (3).
  const switching = switchTools(tools, run);
  await run.commit('switch', async () => {
    run.record(switchingTo(built.switch, tools.graceHours, run.clock())); // (1)
    run.note(...(await makeSwitch(built.switch, site.account.home, switching))); // (2)
    run.record({ phase: 'switched' }); // (3)
  });

  await reloadPhp(tools, run);
  const place: HookPlace = {
    operation,
    account: site.account,
    accountName: site.account.name,
    uri: newUri,
    path: newPath,
    platform: plan.platform.root,
    cms: site.cms,
  };
  const page = await followSwitch(place, { ...tools, readSite: () => tools.readSite(newPath) }, run);
  const kept = await run.commit('keep', () => keep(run.journal, { ...tools, ...switching, clock: run.clock }));
  run.record(kept.journal);
  return {
    plan: { ...plan.document, databases: built.databases },
    rewritten: [...built.values],
    page: page?.verdict ?? null,
    undoUntil: run.journal.undoUntil,
  };
}

/** A directory that was empty gives its place to the site: whatever has come into it since would be out of sight. */
function requireRoom({ moves }: Switch): void {
  for (const move of moves)
    if ('liveInode' in move && move.liveInode !== null && !isEmptyPlace(move.live))
      throw new SalvorError('file-changed', { path: move.live });
}

/** The hoster's word before anything is begun, as before a restore. Throws `hook-failed`. */
export async function runPreHook(
  site: Site,
  operation: HookPlace['operation'],
  { policy }: Pick<NewSiteTools, 'policy'>,
  run: TaskRun,
): Promise<void> {
  if (policy.preRestore === null) return;
  const { account, uri, path, platform, cms } = site;
  const place = { operation, account, accountName: account.name, uri, path, platform: platform.root, cms };
  const why = await run.hook(() => runHook('preRestore', place, policy, run, run.signal));
  if (why !== null) throw new SalvorError('hook-failed', { hook: 'preRestore', site: siteKey(site), why });
}

/** The first step of a clone, a rename and a migration. Throws `identity-obstructed`. */
export async function planUnobstructed(
  site: Site,
  wish: IdentityWish,
  tools: NewSiteTools,
  run: TaskRun,
): Promise<IdentityPlanned> {
  const looking = { ...tools, say: (line: string) => run.say(line), signal: run.signal };
  const plan = await run.step('plan', () => planIdentity(site, wish, looking));
  requireUnobstructed(plan, wish);
  sayUntried(plan.document.notes, { say: (line) => run.say(line) });
  return plan;
}

/** Throws `identity-obstructed`. */
export function requireUnobstructed(
  { document }: IdentityPlanned,
  { operation }: { readonly operation: IdentityWish['operation'] | 'import' },
): void {
  if (document.obstacles.length === 0) return;
  throw new SalvorError('identity-obstructed', {
    site: `${document.account}/${operation === 'import' ? document.newUri : document.uri}`,
    operation,
    obstacles: document.obstacles.map(({ message, path }) =>
      path === null || path === undefined || message.includes(path) ? message : `${path}: ${message}`,
    ),
  });
}

/** Of the site as it is, whole: what is to become another one must not lack anything. Throws `point-incomplete`. */
export async function takeSafetyPoint(
  site: Site,
  reason: string,
  tools: Pick<NewSiteTools, 'administratorOf' | 'repository' | 'spare' | 'remember'>,
  run: TaskRun,
): Promise<OpenPoint> {
  const wanted = { reason: `${reason} by task ${run.id}`, safety: true, places: placesOf(site) };
  const { point, problems } = await backUpSite(site, wanted, tools, run);
  run.note(...problems);
  run.record({ point: point.manifest.point });
  await tools.remember(point);
  const { manifest } = point;
  const missing = site.databases.find(({ name }) => !manifest.databases.some((stored) => stored.name === name));
  if (manifest.files === null || missing !== undefined)
    throw new SalvorError('point-incomplete', {
      point: manifest.point,
      problem: missing === undefined ? 'it lacks the site’s files' : `it lacks the database ${missing.name}`,
    });
  return point;
}
