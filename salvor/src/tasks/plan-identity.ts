/**
 * What a clone, a rename or a migration is going to do, as a value: found by looking, before anything is touched. What
 * stands in the way is in it as obstacles, all of them at once.
 */
import { lstatSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { IdentityPlan, Problem, RewrittenValues } from '@salvor/contract';
import { type DatabaseConnection, openConnection } from '../databases/mariadb/connect.ts';
import { readServerProduct } from '../databases/mariadb/judge-server.ts';
import { type DatabaseFacts, probeDatabase } from '../databases/mariadb/probe.ts';
import { mountPointOf, mountsWithin } from '../lib/mounts.ts';
import { countFiles } from '../points/count-files.ts';
import type { Policy } from '../policies/settings.ts';
import { homeAround } from '../sites/account.ts';
import type { SiteOverride } from '../sites/site-database.ts';
import { findBarrier, findGaps } from '../sites/settings-doubts.ts';
import type { Platform, Site, SiteDatabase } from '../sites/site.ts';
import { judgePlatform } from './judge-platform.ts';
import { sortMovedOut } from './moved-out.ts';
import { type OutsidePlan, planOutside } from './build-names.ts';
import { findContexts } from './plan-names.ts';
import { type SettingsPreview, previewSettings } from './preview-settings.ts';
import { findHolders, whyNoUri } from './new-uri.ts';
import { findOwnNames } from './own-names.ts';
import { renameValues } from './rewrite-built.ts';
import type { Renaming } from './rewrite-value.ts';
import { findSchemaProblems, readDatabaseSchema } from './schema-number.ts';
import { type SpaceNeed, findSpaceProblems } from './space.ts';
import type { SwitchTools } from './switch-site.ts';

export type IdentityWish = {
  readonly operation: 'clone' | 'rename' | 'migrate';
  /** Null where it keeps the one that it has. */
  readonly newUri: string | null;
  /** Name or root of another code base of the account; null for its own. */
  readonly platform: string | null;
  readonly masked: boolean;
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
  readonly platform: Platform;
  readonly renaming: Renaming;
  readonly databases: readonly PlannedIdentityDatabase[];
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
  const newUri = wish.newUri ?? site.uri;
  const platform = findPlatform(site, wish, tools.platforms, obstacles);
  const newPath = join(platform.root, 'sites', newUri);
  findPlaceObstacles(site, { newUri, newPath, platform }, tools, obstacles);
  findSiteObstacles(site, wish, tools, findings);
  const places = sortMovedOut(site).followed.map(({ target }) => target);
  const { count, bytes } = await countFiles([site.path, ...places]);
  if (wish.operation === 'clone') findings.needs.push({ path: newPath, bytes, files: count });
  else obstacles.push(...findMoveObstacles(site, newPath));
  const outside = await planOutside(
    site,
    { uri: newUri, path: newPath, platform },
    wish.operation,
    tools.policy,
    tools.say,
  );
  obstacles.push(...outside.obstacles);
  notes.push(...outside.notes);
  if (newUri !== site.uri && wish.operation !== 'clone')
    notes.push({
      code: 'points-stay',
      message: `earlier points stay those of ${site.uri}: salvor points ${site.uri} lists them, and salvor restore ${site.uri} POINT --into ${newUri} brings one back`,
      path: null,
    });
  const settings = planSettings(site, { uri: newUri, path: newPath, platform }, wish, tools, obstacles);
  const renaming: Renaming = { oldUri: site.uri, newUri, aliases: site.aliases };
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
    newUri,
    path: site.path,
    newPath,
    platform: site.platform.root,
    newPlatform: platform.root,
    files: { count, bytes },
    databases: databases.map(({ database, facts }) => ({
      name: database.name,
      newName: database.name,
      user: database.login.user,
      tables: facts.tables.length,
      bytes: facts.tables.reduce((sum, table) => sum + table.approximateBytes, 0),
    })),
    rewrites: { settings: settings.files, values: wish.isPreview ? values : null },
    names: [...outside.shown],
    masked: wish.masked,
    obstacles,
    notes,
  };
  return { document, platform, renaming, databases, outside };
}

/** The site's own where none is named, or none of that name is there. */
function findPlatform(
  site: Site,
  { operation, platform: wanted }: IdentityWish,
  platforms: readonly Platform[],
  obstacles: Problem[],
): Platform {
  const refuse = (code: string, message: string): Platform => {
    obstacles.push({ code, message, path: wanted });
    return site.platform;
  };
  if (wanted === null) return site.platform;
  const own = platforms.filter(({ root }) => homeAround(site.account, root) !== null);
  const found = own.filter(({ name, root }) => name === wanted || root === wanted);
  const [platform] = found;
  if (platform === undefined)
    return refuse(
      'platform-unknown',
      `account ${site.account.name} has no such platform; it has ${own.map(({ name }) => name).join(', ')}`,
    );
  if (found.length > 1)
    return refuse(
      'platform-ambiguous',
      `several are called so: name its root, ${found.map(({ root }) => root).join(' or ')}`,
    );
  if (platform.cms !== site.cms)
    return refuse('platform-other-cms', `it is of ${platform.cms}, and the site of ${site.cms}`);
  if (operation === 'migrate' && platform.root === site.platform.root)
    return refuse('platform-same', 'the site is on this platform already');
  return platform;
}

function findPlaceObstacles(
  site: Site,
  { newUri, newPath, platform }: { readonly newUri: string; readonly newPath: string; readonly platform: Platform },
  { sites }: Pick<IdentityTools, 'sites'>,
  obstacles: Problem[],
): void {
  const refuse = (code: string, message: string, path: string): void => void obstacles.push({ code, message, path });
  const isSame = newUri === site.uri;
  const why = isSame ? null : whyNoUri(newUri);
  if (why !== null) return refuse('uri-refused', `${newUri} can't be the name of a site: ${why}`, newUri);
  obstacles.push(...findHolders(newUri, site, sites, isSame));
  if (newPath === site.path) return refuse('uri-taken', 'the site has that name already', newPath);
  if (lstatSync(newPath, { throwIfNoEntry: false }) !== undefined)
    refuse('place-taken', 'there is something already where the site would be', newPath);
  const parent = join(platform.root, 'sites');
  if (lstatSync(parent, { throwIfNoEntry: false })?.isDirectory() !== true)
    refuse('site-parent-missing', `${parent} is not a directory`, parent);
}

function findSiteObstacles(
  site: Site,
  { operation }: IdentityWish,
  { override }: Pick<IdentityTools, 'override'>,
  { obstacles, notes }: Findings,
): void {
  const refuse = (code: string, message: string, path: string = site.path): void =>
    void obstacles.push({ code, message, path });
  if (site.path !== join(site.platform.root, 'sites', site.uri))
    refuse('site-in-docroot', 'it lies in no directory of its own name in sites/, which could get another one');
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

/** A directory moves by one rename, which works within one mount. */
function findMoveObstacles(site: Site, newPath: string): readonly Problem[] {
  const found: Problem[] = mountsWithin(site.path).map((path) => ({
    code: 'mount-inside',
    message: `${path} is a mount, which can't move along`,
    path: site.path,
  }));
  if (mountPointOf(site.path) !== mountPointOf(newPath))
    found.push({
      code: 'other-mount',
      message: 'it lies on another file system than the site: clone it there, then delete it here',
      path: newPath,
    });
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
  if (!('socket' in connection.login.address)) return [];
  const [row] = await connection.query<{ directory: string }>('SELECT @@datadir AS directory');
  const path = row?.directory ?? '';
  if (statSync(path, { throwIfNoEntry: false }) === undefined) return [];
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
  to: Pick<Site, 'uri' | 'path' | 'platform'>,
  { operation }: IdentityWish,
  { defaultSocket }: Pick<IdentityTools, 'defaultSocket'>,
  obstacles: Problem[],
): SettingsPreview {
  const isClone = operation === 'clone';
  // What lies elsewhere is refused already.
  if (!site.path.startsWith(`${site.account.home}/`)) return { files: [], obstacles: [] };
  const { followed } = sortMovedOut(site);
  const naming = {
    uri: { from: site.uri, to: to.uri },
    root: { from: site.platform.root, to: to.platform.root },
    path: { from: site.path, to: to.path },
    // A copy has as its own what its origin has elsewhere.
    moved: isClone ? followed.map(({ target, link }) => ({ from: target, to: join(to.path, link) })) : [],
    aliases: site.aliases,
    context: findContexts(site, to),
  };
  const preview = previewSettings(site, naming, { isClone, defaultSocket });
  obstacles.push(...preview.obstacles);
  return preview;
}
