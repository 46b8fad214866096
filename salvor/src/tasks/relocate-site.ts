/**
 * Gives a site another name, or another platform of its account, or both. Owns the order of the steps.
 *
 *   plan → safety point → build beside → switch → updates of other code → verify → keep
 *
 * Its directory moves by one rename, with the files in it that say who it is changed (relocate-directory.ts). A copy of its
 * tables, in which the new name stands, comes into a new database, and they leave the old one, as those of a site that is
 * deleted, so that undo has them (docs/decisions/0016-a-site-that-moves-gets-a-new-database.md). Where it keeps its database, they
 * change places with that copy, as in a restore. What a crash leaves is finished or undone
 * as a restore's is (the table is in recover-task.ts); a migration whose database updates fail goes back whole.
 */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { IdentityPlan, Problem, RewrittenValues } from '@salvor/contract';
import { hold, setOwner, setTimes } from '../lib/beneath/held.ts';
import { type OpenDirectory, openDirectory, openRoot } from '../lib/beneath/open-directory.ts';
import { openSpotOfOurs } from '../lib/beneath/own-directory.ts';
import { openFileAt, readPieces } from '../lib/beneath/read-file.ts';
import { parseSafePath } from '../lib/beneath/safe-path.ts';
import { lookAt, makeLinkAt, openSpot, readLinkAt, spotIn } from '../lib/beneath/spot.ts';
import { walkTree } from '../lib/beneath/walk-tree.ts';
import { MAX_PHP_FILE_BYTES } from '../lib/php-syntax.ts';
import { SalvorError } from '../errors.ts';
import type { OpenPoint } from '../points/open-point.ts';
import { checkLogIns } from '../sites/check-log-ins.ts';
import { type Site, siteKey } from '../sites/site.ts';
import { buildOutside, stagingsOf } from './build-names.ts';
import { switchingTo } from './journal.ts';
import { buildDatabase, nameDatabases } from './build-databases.ts';
import { type NewSiteTools, renaming, requireRewritten, switchTools, tellRewritten } from './build-new-site.ts';
import { type Identified, planUnobstructed, runPreHook, takeSafetyPoint } from './clone-site.ts';
import { findNamedTables } from './empty-tables.ts';
import { followSwitch, reloadPhp } from './follow-switch.ts';
import { findLateFiles, findLateTables, sumLiveTables, nameTables } from './late-changes.ts';
import { closeSite, openSite, planMaintenance } from './maintenance.ts';
import { type PlannedDatabase, planDatabase } from './plan-database.ts';
import type { IdentityPlanned, IdentityWish } from './plan-identity.ts';
import { dropOf, nameLeaving, planLeaving } from './plan-leaving.ts';
import type { PlanFindings } from './plan-restore.ts';
import { type Move, planMove } from './move-site.ts';
import { type NewDatabase, connectionOf, makeNewDatabase, nameNewDatabases, planLoad } from './new-databases.ts';
import { type NewPlace, asVisited, namingTo } from './new-place.ts';
import { keep } from './recover-task.ts';
import { type BuiltElsewhere, buildElsewhere, isElsewhere } from './relocate-elsewhere.ts';
import { type RelocatedEntry, planRelocation } from './relocate-directory.ts';
import { renameLink } from './rewrite-built.ts';
import type { HookPlace } from './run-hook.ts';
import { rewriteSettingsIn } from './settings-of-site.ts';
import { locateStaging, makeStaging } from './staging.ts';
import { type Switch, type TableSwap, makeSwitch } from './switch-site.ts';
import { syncDisks } from './sync-disks.ts';
import type { TaskRun } from './task-run.ts';
import { updateDatabase } from './update-database.ts';
import { stageFile } from './virtual-host.ts';

/** Throws `identity-obstructed`, `update-failed` and what a step throws; then the site is as it was. */
export async function relocateSite(
  site: Site,
  wish: IdentityWish,
  tools: NewSiteTools,
  run: TaskRun,
): Promise<Identified> {
  const plan = await planUnobstructed(site, wish, tools, run);
  const { newUri, newPath } = plan.document;
  const { account } = site;
  const isInPlace = newPath === site.path;
  if (!isInPlace) run.record({ target: { account: account.name, uri: newUri, path: newPath, home: account.home } });
  const place: HookPlace = {
    operation: wish.operation,
    account,
    accountName: account.name,
    uri: newUri,
    path: newPath,
    platform: plan.platform.root,
    cms: site.cms,
  };
  await runPreHook(site, wish.operation, tools, run);
  const outgoing = plan.databases.map(({ database, facts }) => ({
    database,
    outgoing: facts.tables.map(({ name }) => name),
  }));
  const sums = { administratorOf: tools.administratorOf, signal: run.signal };
  const before = await run.step('sum the tables', () => sumLiveTables(site, outgoing, sums));
  const reason =
    wish.operation === 'rename' ? `before the rename to ${plan.place.address.to}` : `before the move to ${newPath}`;
  const renew = (): Promise<OpenPoint> => run.step('safety point', () => takeSafetyPoint(site, reason, tools, run));
  const safety = { point: await renew(), renew };

  const built = await run.step('build', () => buildRelocation(site, safety, plan, wish, tools, run));

  await run.step('sync the disks', () => syncDisks(built.switch, account.home, tools, run.signal));

  // As in a restore: journal (1), parts (2), journal (3).
  const switching = switchTools(tools, run);
  const isUpdated = plan.platform.root !== site.platform.root;
  await run.commit('switch', async () => {
    const maintenance = tools.policy.maintenance ? planMaintenance(site.path) : null;
    run.record({
      ...switchingTo(built.switch, tools.graceHours, run.clock()),
      maintenance,
      ...(plan.newDatabases ? { drops: plan.databases.map(({ database }) => dropOf(database)) } : {}),
      ...(isUpdated ? { update: 'pending' } : {}),
    }); // (1)
    closeSite(run.journal, run.clock(), run);
    run.note(...(await makeSwitch(built.switch, account.home, switching))); // (2)
    if (!isUpdated) openSite(run.journal);
    run.record({ phase: 'switched' }); // (3)
  });
  await reloadPhp(tools, run);
  if (isUpdated) {
    await run.step('update the database', () => bringUp(place, tools, run));
    // From here on it is the new one.
    run.record({ update: 'done' });
    openSite(run.journal);
  }
  const late = await run.commit('look for late changes', async () => [
    // Of a directory that was copied: one that moves has them.
    ...(await findLateFiles(
      built.point,
      built.switch.moves.filter(({ live }) => live === site.path),
    )),
    ...nameTables(await findLateTables(site, before, built.switch.tables, tools)),
  ]);
  run.note(...late.map((path) => nameLate(path)));
  const page = await followSwitch(place, { ...tools, readSite: () => tools.readSite(newPath) }, run);
  const kept = await run.commit('keep', () => keep(run.journal, { ...tools, ...switching, clock: run.clock }));
  run.record(kept.journal);
  return {
    safetyPoint: run.journal.point,
    plan: { ...plan.document, databases: built.databases },
    rewritten: [...built.values],
    page: page?.verdict ?? null,
    undoUntil: run.journal.undoUntil,
  };
}

/** What is told, and a person goes on: there is no Drush, or it has said something of an error and done all. */
const IS_TOLD: ReadonlySet<string> = new Set(['drush-missing', 'update-doubtful']);

/** Throws `update-failed`: then all goes back. */
async function bringUp(place: HookPlace, tools: NewSiteTools, run: TaskRun): Promise<void> {
  const { problem } = await updateDatabase(place, tools.policy, run, run.signal);
  if (problem === null) return;
  if (!IS_TOLD.has(problem.code)) throw new SalvorError('update-failed', { site: place.uri, why: problem.message });
  run.note(problem);
}

function nameLate(path: string): Problem {
  const message = `${path} changed while the task ran; that change is in what undo brings back and in no point`;
  return { code: 'changed-meanwhile', path, message };
}

type StagedEntry = Pick<RelocatedEntry, 'path' | 'staged'>;

type BuiltRelocation = {
  readonly switch: Switch;
  readonly values: readonly RewrittenValues[];
  readonly databases: IdentityPlan['databases'];
  /** The newest safety point: what the switch brings. */
  readonly point: OpenPoint;
};

async function buildRelocation(
  site: Site,
  { point: first, renew }: { readonly point: OpenPoint; readonly renew: () => Promise<OpenPoint> },
  plan: IdentityPlanned,
  wish: IdentityWish,
  tools: NewSiteTools,
  run: TaskRun,
): Promise<BuiltRelocation> {
  const { newUri, newPath } = plan.document;
  const { account } = site;
  const fresh = plan.newDatabases ? await makeFresh(site, plan, tools, run) : [];
  const moved: Site = {
    ...site,
    uri: newUri,
    path: newPath,
    platform: plan.platform,
    settings: newPath + site.settings.slice(site.path.length),
    ...(plan.newDatabases ? { databases: fresh.map(({ made }) => made) } : {}),
  };
  const connections = fresh.map(({ from, made }) => connectionOf(from, made, tools.defaultSocket));
  const of = { account: account.name, staging: tools.staging };
  const places = [site.path, newPath].map((path) => locateStaging(path, account.name, run.id, tools.staging));
  run.record({ stagings: [...new Set([...places, ...stagingsOf(plan.outside, of, run.id)])] });
  for (const staging of new Set(places)) await makeStaging(staging);
  const { moves, point } = await buildDirectory({ site, moved, plan, connections, point: first, renew }, tools, run);
  const databases = (await planTables(site, point, plan, wish, tools, run)).map((one) => {
    const made = fresh.find(({ from }) => from.name === one.database.name);
    return made === undefined ? one : { ...planLoad(point, made.from, made.made), emptied: one.emptied };
  });
  const names = databases.map((one, index) => nameDatabases(run.id, one, index));
  // Behind those in which copies are built.
  const leaving = fresh.map(({ from }, index) => ({
    from,
    names: nameLeaving(run.id, from, databases.length + index),
  }));
  run.record({
    scratchDatabases: [
      ...names.flatMap(({ built, old }) => [built, old]),
      ...leaving.flatMap(({ names: { empty, old } }) => [empty, old]),
    ],
  });
  const values: RewrittenValues[] = [];
  const tables: TableSwap[] = [];
  for (const [index, one] of databases.entries()) {
    const name = names[index];
    if (name === undefined) continue;
    const change = renaming(moved, plan, values, run);
    tables.push(
      await run.step(
        'build the database',
        () => buildDatabase(site, point, one, name, tools, run, change),
        one.database.name,
      ),
    );
  }
  for (const one of leaving) tables.push(await planLeaving(site, one.from, one.names, tools, run));
  const named = await run.step('name the site', () =>
    buildOutside(
      plan.outside,
      {
        site: asVisited(site, plan.place.address),
        after: { ...moved, uri: plan.place.address.to },
      },
      wish.operation,
      tools,
      run,
    ),
  );
  const shown = plan.document.databases.map((one) => {
    const made = fresh.find(({ from }) => from.name === one.name)?.made;
    return made === undefined ? one : { ...one, newName: made.name, user: made.login.user };
  });
  return { switch: { tables, moves, ...named }, values, databases: shown, point };
}

/** Empty ones, with users of their own: in the journal before they are made. */
async function makeFresh(
  site: Site,
  plan: IdentityPlanned,
  tools: NewSiteTools,
  run: TaskRun,
): Promise<readonly NewDatabase[]> {
  const wanted = { site, server: null };
  const fresh = await run.step('name the databases', () => nameNewDatabases(wanted, plan.place.address.to, tools, run));
  run.record({
    made: fresh.map(({ made }) => ({ server: made.login.address, name: made.name, user: made.login.user })),
  });
  for (const database of fresh)
    await run.step('make the database', () => makeNewDatabase(database, tools, run), database.made.name);
  return fresh;
}

/** What of its files is written beside, and what changes places. */
async function buildDirectory(
  wanted: Parameters<typeof buildElsewhere>[0],
  tools: NewSiteTools,
  run: TaskRun,
): Promise<BuiltElsewhere> {
  const { site, moved, plan, connections, point } = wanted;
  if (isElsewhere(site.path, moved.path)) return await buildElsewhere(wanted, tools, run);
  const staging = locateStaging(site.path, site.account.name, run.id, tools.staging);
  const within = await run.step('rewrite', () =>
    stageChanges({ site, moved, connections }, plan.place, staging, tools, run),
  );
  return { moves: planMoves(site, plan.place, within, staging), point };
}

/** One rename. Where the site stays, each of its files that changes; where the code has something of its own, that goes first. */
function planMoves(site: Site, place: NewPlace, within: readonly StagedEntry[], staging: string): readonly Move[] {
  const { home } = site.account;
  if (place.path === site.path)
    return within.map(({ path, staged }) =>
      planMove({ home, live: join(site.path, Buffer.from(path, 'latin1').toString()), staging, staged, path }),
    );
  const { clears } = place;
  const cleared =
    clears === null ? [] : [planMove({ home, live: clears, staging, staged: join(staging, 'cleared'), path: clears })];
  const places = { home, live: site.path, to: place.path, staging, staged: join(staging, 'unused'), path: '' };
  return [...cleared, planRelocation(places, within)];
}

/** As a restore plans them; with other code under it, what the old code has cached is not brought along. */
async function planTables(
  site: Site,
  point: OpenPoint,
  plan: IdentityPlanned,
  { operation }: IdentityWish,
  tools: NewSiteTools,
  run: TaskRun,
): Promise<readonly PlannedDatabase[]> {
  const findings: PlanFindings = { obstacles: [], notes: [], needs: [] };
  const planned: PlannedDatabase[] = [];
  for (const { database } of plan.databases) {
    const wanted = { name: database.name, tables: 'all' } as const;
    const one = await planDatabase(site, point, wanted, { ...tools, signal: run.signal }, findings);
    if (one === null) continue;
    const isOther = plan.platform.root !== site.platform.root && site.cms !== 'wordpress';
    const caches = isOther ? findNamedTables(one.incoming, database.prefix, ['cache', 'cache_*']) : [];
    planned.push({ ...one, emptied: [...new Set([...one.emptied, ...caches])] });
  }
  if (findings.obstacles.length > 0)
    throw new SalvorError('identity-obstructed', {
      site: siteKey(site),
      operation,
      obstacles: findings.obstacles.map(({ message }) => message),
    });
  for (const { message } of findings.notes) run.say(message);
  return planned;
}

/** Writes beside what of the site's directory is going to be another one: settings, and links that lead to its old place. */
async function stageChanges(
  { site, moved, connections }: Pick<Parameters<typeof buildElsewhere>[0], 'site' | 'moved' | 'connections'>,
  place: NewPlace,
  staging: string,
  tools: NewSiteTools,
  run: TaskRun,
): Promise<readonly StagedEntry[]> {
  using home = openRoot(site.account.home);
  using live = openDirectory(home, parseSafePath(relative(site.account.home, site.path)));
  // What was moved out of it stays where it is.
  const naming = namingTo(site, place, []);
  const { files, problems } = rewriteSettingsIn(live, { connections, naming });
  requireRewritten(problems);
  tellRewritten(files, run);
  const changed = files.filter(({ before, bytes }) => Buffer.compare(before, bytes) !== 0);
  checkReading(live, new Map(changed.map(({ name, bytes }) => [name, bytes])), join(staging, 'check'), moved, tools);
  const within: StagedEntry[] = [];
  for (const { name, bytes } of changed) {
    const stat = lookAt(spotIn(live, name));
    if (stat === null) throw new SalvorError('file-changed', { path: join(site.path, name) });
    const staged = join(staging, `settings-${within.length}`);
    const owner = { uid: Number(stat.uid), gid: Number(stat.gid) };
    const text = Buffer.from(bytes).toString('latin1');
    stageFile(
      { path: join(site.path, name), home: site.account.home, text, owner, mode: Number(stat.mode) & 0o7777 },
      staging,
      staged,
    );
    within.push({ path: Buffer.from(name).toString('latin1'), staged });
  }
  if (moved.path !== site.path) within.push(...(await stageLinks(site, moved, staging)));
  return within;
}

/** The site as its settings will say that it is, read as every task reads them: its log-ins must be those that it has. */
function checkReading(
  live: OpenDirectory,
  changed: ReadonlyMap<string, Uint8Array>,
  directory: string,
  moved: Site,
  tools: NewSiteTools,
): void {
  mkdirSync(directory, { mode: 0o700 });
  for (const name of readdirSync(`/proc/self/fd/${live.fd}`).filter((one) => one.endsWith('.php'))) {
    using file = lookAt(spotIn(live, name))?.isFile() === true ? openFileAt(spotIn(live, name)) : null;
    if (file === null || file.stat.size > MAX_PHP_FILE_BYTES) continue;
    writeFileSync(join(directory, name), changed.get(name) ?? Buffer.concat([...readPieces(file)]), { mode: 0o600 });
  }
  requireRewritten(checkLogIns(tools.readBuilt(directory, moved), moved.databases, tools.defaultSocket));
}

async function stageLinks(
  site: Site,
  moved: Site,
  staging: string,
): Promise<readonly { path: string; staged: string }[]> {
  const bytes = (text: string): string => Buffer.from(text).toString('latin1');
  const change = { oldPath: bytes(site.path), newPath: bytes(moved.path), moved: [] };
  const made: { path: string; staged: string }[] = [];
  using top = openSpot(site.account.home, site.path);
  for await (const { key, stat, spot } of walkTree(top)) {
    if (!stat.isSymbolicLink()) continue;
    const wanted = renameLink(key, readLinkAt(spot).toString('latin1'), change);
    if (wanted === null) continue;
    const staged = join(staging, `link-${made.length}`);
    using beside = openSpotOfOurs(staging, staged);
    makeLinkAt(beside, Buffer.from(wanted, 'latin1'));
    using held = hold(beside, null);
    if (held === null) throw new SalvorError('file-changed', { path: staged });
    if (process.getuid?.() === 0) setOwner(held, { uid: Number(stat.uid), gid: Number(stat.gid) });
    setTimes(held, { accessNs: stat.atimeNs, modifiedNs: stat.mtimeNs });
    made.push({ path: key, staged });
  }
  return made;
}
