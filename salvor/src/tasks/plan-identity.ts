/**
 * What a clone, a rename or a migration is going to do, as a value: found by looking, before anything is touched. What
 * stands in the way is in it as obstacles, all of them at once.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { IdentityPlan, Problem, RewrittenValues } from '@salvor/contract';
import { type DatabaseConnection, openConnection } from '../databases/mariadb/connect.ts';
import { readServerProduct } from '../databases/mariadb/judge-server.ts';
import { type DatabaseFacts, probeDatabase } from '../databases/mariadb/probe.ts';
import { mountsWithin } from '../lib/mounts.ts';
import { countFiles } from '../points/count-files.ts';
import type { Policy } from '../policies/settings.ts';
import { listHooks } from '../policies/task-steps.ts';
import type { SiteOverride } from '../sites/site-database.ts';
import { findBarrier, findGaps } from '../sites/settings-doubts.ts';
import { layoutOf } from '../sites/site-directory.ts';
import { type Platform, type Site, type SiteDatabase, siteKey } from '../sites/site.ts';
import { judgePlatform } from './judge-platform.ts';
import { sortMovedOut } from './moved-out.ts';
import { type OutsidePlan, planOutside } from './build-names.ts';
import { type SettingsPreview, previewSettings } from './preview-settings.ts';
import { type NewPlace, asVisited, locateNew, namingTo, renamingTo } from './new-place.ts';
import { findOwnNames } from './own-names.ts';
import { planDeletedDatabase } from './plan-deleted-database.ts';
import { readAddresses } from './read-addresses.ts';
import { isElsewhere } from './relocate-elsewhere.ts';
import { renameValues } from './rewrite-built.ts';
import type { Renaming } from './rewrite-value.ts';
import { findSchemaProblems, readDatabaseSchema } from './schema-number.ts';
import { nameUntried } from './plan-database.ts';
import { readDataDirectory } from './data-directory.ts';
import { mayGivePassword } from './virtual-host.ts';
import { type SpaceNeed, findSpaceProblems } from './space.ts';
import type { SwitchTools } from './switch-site.ts';

export type IdentityWish = {
  readonly operation: 'clone' | 'rename' | 'migrate';
  /** Null where it keeps the one that it has. */
  readonly newUri: string | null;
  /** Name or root of another code base of the account; null for its own. */
  readonly platform: string | null;
  readonly masked: boolean;
  /** Whether a site that moves is to get a new database with a new user and password; false of a clone, which always does. */
  readonly newDatabase: boolean;
  /** Whether the values that change are counted now; the task itself counts them while it writes. */
  readonly isPreview: boolean;
};

export type IdentityTools = Pick<SwitchTools, 'administratorOf' | 'say'> & {
  /** All sites and code bases of the host. */
  readonly sites: readonly Site[];
  readonly platforms: readonly Platform[];
  /** What the hoster says of this site's databases in place of its settings. */
  readonly override: SiteOverride | undefined;
  /** The rules for this site. */
  readonly policy: Policy;
  /** Tasks of this site that could be neither finished nor undone. */
  readonly unfinished: readonly string[];
  /** What `localhost` means on this host, where it is not Debian's. */
  readonly defaultSocket: string | undefined;
  readonly signal: AbortSignal;
};

export type IdentityPlanned = {
  readonly outside: OutsidePlan;
  readonly document: IdentityPlan;
  readonly place: NewPlace;
  readonly platform: Platform;
  readonly renaming: Renaming;
  readonly databases: readonly PlannedIdentityDatabase[];
  /** Whether a site that moves gets new ones in their place. */
  readonly newDatabases: boolean;
};

export type PlannedIdentityDatabase = { readonly database: SiteDatabase; readonly facts: DatabaseFacts };

type Findings = { readonly obstacles: Problem[]; readonly notes: Problem[]; readonly needs: SpaceNeed[] };

/** Reads only. Throws what the database server says where it can't be asked. */
export async function planIdentity(site: Site, wish: IdentityWish, tools: IdentityTools): Promise<IdentityPlanned> {
  const findings: Findings = { obstacles: [], notes: [], needs: [] };
  const { obstacles, notes } = findings;
  for (const task of tools.unfinished)
    obstacles.push({
      code: 'task-unfinished',
      message: `task ${task} of this site could be neither finished nor undone; salvor status says more`,
      path: site.path,
    });
  const addresses = await readAddresses(site, tools.signal);
  const place = locateNew(site, wish, addresses, tools, obstacles);
  const { path: newPath, platform, address } = place;
  findSiteObstacles(site, wish, tools, findings);
  const places = sortMovedOut(site).followed.map(({ target }) => target);
  const { count, bytes } = await countFiles([site.path, ...places]);
  if (wish.operation === 'clone') findings.needs.push({ path: newPath, bytes, files: count });
  else if (newPath !== site.path) obstacles.push(...findMoveObstacles(site, newPath));
  if (wish.operation !== 'clone' && isElsewhere(site.path, newPath)) {
    findings.needs.push({ path: newPath, bytes, files: count });
    notes.push({
      code: 'other-mount',
      message: 'lies on another file system: the site is copied there and compared, and what it was stays for undo',
      path: newPath,
    });
  }
  const outside = await planOutside(
    asVisited(site, address),
    { uri: address.to, path: newPath, platform },
    wish.operation,
    tools.policy,
    tools.say,
  );
  obstacles.push(...outside.obstacles);
  notes.push(...outside.notes);
  notes.push(...noteNames(site, place, wish));
  const newDatabases = wish.newDatabase && (await getsNewDatabases(site, outside, tools, findings));
  const settings = planSettings(site, place, { operation: wish.operation, newDatabases }, tools, findings);
  const renaming = renamingTo(site, place);
  const values: RewrittenValues[] = [];
  const databases: PlannedIdentityDatabase[] = [];
  for (const database of site.databases.filter(({ engine }) => engine === 'mariadb')) {
    const looked = await lookAtDatabase(site, database, { renaming, wish }, tools, findings);
    databases.push({ database, facts: looked.facts });
    values.push(...looked.values);
  }
  if (platform.root !== site.platform.root) {
    await addSchemaProblems({ ...site, platform }, findings);
    const judged = databases.map(({ database: { login, name, prefix } }) => ({ login, name, prefix }));
    const modules = await judgePlatform(site, platform, judged, tools.signal);
    obstacles.push(...modules.obstacles);
    notes.push(...modules.notes);
  }
  obstacles.push(...findSpaceProblems(findings.needs));
  const document: IdentityPlan = {
    account: site.account.name,
    uri: site.uri,
    newUri: place.uri,
    address: layoutOf(site) === 'named' ? null : { from: [...address.from], to: address.to },
    path: site.path,
    newPath,
    platform: site.platform.root,
    newPlatform: platform.root,
    files: { count, bytes },
    databases: databases.map(({ database, facts }) => ({
      name: database.name,
      isNew: wish.operation === 'clone' || newDatabases,
      newName: database.name,
      user: database.login.user,
      tables: facts.tables.length,
      bytes: facts.tables.reduce((sum, table) => sum + table.approximateBytes, 0),
    })),
    rewrites: { settings: settings.files, values: wish.isPreview ? values : null },
    names: [...outside.shown],
    masked: wish.masked,
    hooks: listHooks(tools.policy, wish.operation),
    obstacles,
    notes,
  };
  return { document, place, platform, renaming, databases, newDatabases, outside };
}

/** What a person would look for under another name. */
function noteNames(site: Site, { uri, path, address }: NewPlace, { operation }: IdentityWish): readonly Problem[] {
  const notes: Problem[] = [];
  if (uri !== site.uri && operation !== 'clone')
    notes.push({
      code: 'points-stay',
      message: `earlier points stay those of ${site.uri}: salvor points ${site.uri} lists them, and salvor restore ${site.uri} POINT --into ${uri} brings one back`,
      path: null,
    });
  if (uri !== address.to && operation !== 'migrate')
    notes.push({
      code: 'called-by-path',
      message: `it is visited as ${address.to}; salvor calls it ${uri}, by its path`,
      path,
    });
  if (address.from.length === 0)
    notes.push({
      code: 'address-unknown',
      message: 'nothing tells by what name it is visited: links with its old name stay as they are',
      path: site.path,
    });
  return notes;
}

function findSiteObstacles(
  site: Site,
  { operation }: IdentityWish,
  { override }: Pick<IdentityTools, 'override'>,
  { obstacles, notes }: Findings,
): void {
  const refuse = (code: string, message: string, path: string = site.path): void =>
    void obstacles.push({ code, message, path });
  if (site.isNetwork) refuse('site-network', 'it is a network of sites, whose names are in its database');
  for (const path of site.holds) refuse('site-inside', `another site lies in it: ${path}`);
  if (override !== undefined)
    refuse(
      'settings-overridden',
      'salvor.yaml says in place of its settings what its databases are, and would not of the new one',
    );
  const barriers = new Set([findBarrier(site), ...findGaps(site)].filter((problem) => problem !== null));
  for (const { code, message } of barriers) refuse(code, message);
  for (const { code, message } of site.problems.filter((problem) => !barriers.has(problem)))
    notes.push({ code, message, path: site.path });
  for (const { engine, name } of site.databases)
    if (engine !== 'mariadb')
      refuse('database-unsupported', `is kept by ${engine}, which this version does not copy`, name);
  for (const { path, target, reason } of site.movedOut) {
    if (reason === null || target === null) continue;
    const isShared = operation === 'clone' && !isReadOnlyPlace(target);
    const message = `is a link to ${target}: ${reason}`;
    if (isShared) refuse('directory-moved-out', `${message}; the clone would share it with its origin`, path);
    else notes.push({ code: 'directory-moved-out', message, path });
  }
  const { followed } = sortMovedOut(site);
  if (operation === 'clone')
    for (const { link, target } of followed)
      notes.push({
        code: 'moved-out-copied',
        message: `the clone gets what lies in ${target} as a directory of its own`,
        path: join(site.path, link),
      });
}

/** A directory moves as a whole, by one rename or as a copy. */
function findMoveObstacles(site: Site, newPath: string): readonly Problem[] {
  const found: Problem[] = mountsWithin(site.path).map((path) => ({
    code: 'mount-inside',
    message: `${path} is a mount, which can't move along`,
    path: site.path,
  }));
  for (const path of [site.path, newPath])
    if (!path.startsWith(`${site.account.home}/`))
      found.push({
        code: 'site-outside-home',
        message: `does not lie in the account's home ${site.account.home}`,
        path,
      });
  return found;
}

/** What only root can change is code or a fixed file, and nothing that two sites would write. */
function isReadOnlyPlace(target: string): boolean {
  const stat = statSync(target, { throwIfNoEntry: false });
  return stat !== undefined && stat.uid === 0 && (stat.mode & 0o022) === 0;
}

/**
 * Whether it gets new databases. What it leaves goes in the end, as of a site that is deleted, and must be its alone;
 * and all that gives it its log-in must be ours to write. Where that is not so, it keeps what it has, and is told why.
 */
async function getsNewDatabases(
  site: Site,
  { virtualHost }: OutsidePlan,
  tools: IdentityTools,
  { notes }: Findings,
): Promise<boolean> {
  const others = tools.sites.filter((other) => siteKey(other) !== siteKey(site));
  const leaving: Problem[] = [];
  const reasons: Omit<Problem, 'code'>[] = [];
  for (const database of site.databases.filter(({ engine }) => engine === 'mariadb')) {
    const { password } = database.login;
    for (const path of virtualHost === null && password !== undefined ? site.virtualHosts : [])
      if (mayGivePassword(path, site.account, password))
        reasons.push({ message: 'the file gives the log-in to the site, and salvor.yaml names no web server', path });
    const fate = await planDeletedDatabase(site, database, { ...tools, others, withoutBackup: null });
    if (fate.kind === 'obstructed') reasons.push(...fate.obstacles);
    const message =
      'a new database takes its place, with a new user and password; its tables and its user go when the grace period ends';
    if (fate.kind === 'taken') leaving.push({ code: 'database-new', message, path: database.name });
  }
  notes.push(
    ...(reasons.length === 0 ? leaving : []),
    ...reasons.map(({ message, path }) => ({
      code: 'database-kept',
      message: `the site keeps its database, user and password: ${message}`,
      path,
    })),
  );
  return reasons.length === 0;
}

async function lookAtDatabase(
  site: Site,
  database: SiteDatabase,
  { renaming, wish }: { readonly renaming: Renaming; readonly wish: IdentityWish },
  tools: IdentityTools,
  findings: Findings,
): Promise<{ readonly facts: DatabaseFacts; readonly values: readonly RewrittenValues[] }> {
  const { name, login, prefix } = database;
  const own = await findOwnNames(site, database, tools.signal);
  findings.notes.push(...own.notes);
  // A copy of what two sites have is nobody's loss; to move it would be.
  const isMoved = wish.operation !== 'clone';
  findings[isMoved ? 'obstacles' : 'notes'].push(...own.obstacles);
  const facts = await probeDatabase(login, name, { signal: tools.signal, names: own.names ?? undefined });
  const admin = await tools.administratorOf(login.address, site.account.home);
  await using server = await openConnection(admin, { signal: tools.signal });
  const product = await readServerProduct(server);
  if (!product.isWritable)
    findings.obstacles.push({
      code: 'server-untested',
      message: `${product.name} holds it, and this version was never tested with it`,
      path: name,
    });
  else if (!product.isTried) findings.notes.push(nameUntried(product.name, name));
  findings.needs.push(...(await findSpaceNeed(server, facts)));
  if (!wish.isPreview) return { facts, values: [] };
  await using connection = await openConnection(login, { database: name, signal: tools.signal });
  const built = { database: name, shown: name, tables: facts.tables.map((table) => table.name), prefix };
  const looked = await renameValues(connection, built, renaming, { apply: false, signal: tools.signal });
  findings.notes.push(...looked.problems);
  return { facts, values: looked.values };
}

/** Of a server on this machine: what the tables will take. */
async function findSpaceNeed(connection: DatabaseConnection, facts: DatabaseFacts): Promise<readonly SpaceNeed[]> {
  const path = await readDataDirectory(connection);
  if (path === null) return [];
  return [{ path, bytes: facts.tables.reduce((sum, table) => sum + table.approximateBytes, 0), files: 0 }];
}

/** The database must not be newer than the code that it comes under. */
async function addSchemaProblems(site: Site, { obstacles, notes }: Findings): Promise<void> {
  const [database] = site.databases.filter(({ engine }) => engine === 'mariadb');
  const schema = database === undefined ? null : await readDatabaseSchema(site.cms, database);
  const { uri, path, cms, version } = site;
  const found = findSchemaProblems({ ...site, version: site.platform.version }, { uri, path, cms, version, schema });
  obstacles.push(...found.obstacles);
  notes.push(...found.notes);
}

/** What is going to change in the settings that are there now. What can't be rewritten as data is an obstacle. */
function planSettings(
  site: Site,
  to: NewPlace,
  { operation, newDatabases }: Pick<IdentityPlanned, 'newDatabases'> & Pick<IdentityWish, 'operation'>,
  { defaultSocket }: Pick<IdentityTools, 'defaultSocket'>,
  { obstacles, notes }: Findings,
): SettingsPreview {
  const isClone = operation === 'clone';
  // What lies elsewhere is refused already.
  if (!site.path.startsWith(`${site.account.home}/`)) return { files: [], notes: [], obstacles: [] };
  const { followed } = sortMovedOut(site);
  // A copy has as its own what its origin has elsewhere.
  const moved = isClone ? followed.map(({ target, link }) => ({ from: target, to: join(to.path, link) })) : [];
  const naming = namingTo(site, to, moved);
  const preview = previewSettings(site, naming, { isClone, hasNewDatabases: isClone || newDatabases, defaultSocket });
  obstacles.push(...preview.obstacles);
  notes.push(...preview.notes);
  return preview;
}
