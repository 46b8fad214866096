/**
 * Makes a new site of an archive: of Salvor, Aegir, BOA, or Backup and Migrate's whole site. Owns the order of the steps;
 * what is in the archive is foreign data until it is a point, and code of it is never run.
 *
 *   plan → unpack into a point → build beside (files, databases of its own) → compare with the platform → appear
 *
 * From the point on it is the same as a clone: new database and user with a password that nobody knows, settings rewritten
 * as data, one switch in which nothing leaves. Nothing is replaced, so there is no safety point; undo takes the site away.
 */
import { join } from 'node:path';
import type { ServerAddress } from '../databases/mariadb/connect.ts';
import { SalvorError } from '../errors.ts';
import type { FoundArchive } from '../points/archive-catalogue.ts';
import type { OpenPoint } from '../points/open-point.ts';
import { homesOf } from '../sites/account.ts';
import { readCodeModules } from '../sites/code-modules.ts';
import { filesBeneath } from '../sites/read-beneath.ts';
import { readDrushrc } from '../sites/read-drushrc.ts';
import { type Site, siteKey } from '../sites/site.ts';
import { type BuiltSite, type NewSiteTools, buildNewSite } from './build-new-site.ts';
import { type Identified, appear, requireUnobstructed, runPreHook } from './clone-site.ts';
import { type ModuleComparison, compareModules } from './compare-modules.ts';
import { type InstalledModule, readInstalledModules } from './installed-modules.ts';
import { sayUntried } from './plan-database.ts';
import { type ImportPlanned, type ImportWish, planImport } from './plan-import.ts';
import { provideSettings } from './provide-settings.ts';
import type { TaskRun } from './task-run.ts';
import { type UnpackTools, type UnpackedAbout, unpackPoint } from './unpack-point.ts';
import { updateDatabase } from './update-database.ts';

export type ImportTools = NewSiteTools & {
  /** Where the new databases are made. */
  readonly server: ServerAddress;
  /** A site as the settings in a directory of ours say that it is, under the place and on the platform of `site`. */
  readonly readUnpacked: (directory: string, site: Site) => Site;
};

/** Throws `identity-obstructed`, what reading a hostile or damaged archive throws, and what a step throws; then nothing is left. */
export async function importSite(
  archive: FoundArchive,
  wish: ImportWish,
  tools: ImportTools,
  run: TaskRun,
): Promise<Identified> {
  const plan = await run.step('plan', () => planImport(archive, wish, { ...tools, say: (line) => run.say(line) }));
  requireUnobstructed(plan, { operation: 'import' });
  sayUntried(plan.document.notes, { say: (line) => run.say(line) });
  const { newUri, newPath } = plan.document;
  const { account } = wish;
  run.record({ target: { account: account.name, uri: newUri, path: newPath, home: account.home } });
  await runPreHook(plan.empty, 'import', tools, run);
  const { point, site } = await unpack(archive, plan, wish, tools, run);
  const told = describeUnpacked(plan, site, point);
  const built = await run.step('build', () =>
    buildNewSite({ site, point, named: plan.empty, server: tools.server }, told, tools, run),
  );
  const modules = await run.step('compare with the platform', () => judgeBuilt(plan, built, wish, tools, run));
  const done = await appear(plan.empty, told, built, 'import', tools, run);
  if (modules.updates.length > 0) await bringUp(plan, tools, run);
  return { safetyPoint: null, ...done };
}

/** The archive as a point of the account, and the site that it was, with the log-ins that its settings name. */
async function unpack(
  archive: FoundArchive,
  { empty, renaming }: ImportPlanned,
  { account, platform }: ImportWish,
  tools: ImportTools,
  run: TaskRun,
): Promise<{ readonly point: OpenPoint; readonly site: Site }> {
  const secret = Buffer.from(run.randomBytes(32)).toString('hex');
  let found: Site | null = null;
  const readUnpacked = (directory: string, about: UnpackedAbout): Site => {
    if (provideSettings(directory, platform, account, secret))
      run.say('the archive has no settings: new ones are written, with the log-in and a secret of its own');
    const read = tools.readUnpacked(directory, empty);
    // Of a large archive the look at its head did not come to where its name stands.
    const told = archive.look.uri ?? readDrushrc(directory, filesBeneath([directory])).uri ?? renaming.oldUri;
    found = asItWas(read, archive, about, told);
    return found;
  };
  const using: UnpackTools = {
    repository: tools.repository,
    administratorOf: tools.administratorOf,
    staging: tools.staging,
    source: `import:${run.id}`,
    isLive: false,
    server: tools.server,
    readUnpacked,
  };
  const point = await unpackPoint(empty, archive, using, run);
  await tools.remember(point);
  const site = found as Site | null;
  if (site === null || point.manifest.files === null)
    throw new SalvorError('point-incomplete', { point: point.manifest.point, problem: 'it lacks the site’s files' });
  const databases = site.databases.filter(({ name }) =>
    point.manifest.databases.some((stored) => stored.name === name),
  );
  if (databases.length === 0)
    throw new SalvorError('identity-obstructed', {
      site: siteKey(empty),
      operation: 'import',
      obstacles: [
        'no database of the archive is one that its settings name',
        ...site.problems.map(({ message }) => message),
      ],
    });
  for (const problem of point.manifest.problems) run.note(problem);
  return { point, site: { ...site, databases } };
}

/** Its own name and place, whatever host that was on: what they stand in is rewritten. */
function asItWas(read: Site, { look }: FoundArchive, about: UnpackedAbout, oldUri: string): Site {
  const platform = about.platform ?? look.platform ?? read.platform;
  // Backup and Migrate does not say where: nearly always it was the site that Drupal has by default.
  const directory = look.kind === 'site-export' ? 'default' : oldUri;
  const path = about.path ?? join(platform.root, 'sites', directory);
  return {
    ...read,
    uri: look.kind === 'site-export' ? 'default' : oldUri,
    platform: { ...read.platform, name: platform.name, root: platform.root },
    path,
    settings: path + read.settings.slice(read.path.length),
  };
}

/** The plan with what is known by now. */
function describeUnpacked(plan: ImportPlanned, site: Site, { manifest }: OpenPoint): ImportPlanned {
  const { count, bytes } = manifest.files ?? { count: 0, bytes: 0 };
  const databases = manifest.databases.map(({ name, user, files }) => ({
    name,
    isNew: true,
    newName: name,
    user,
    tables: files.filter(({ table }) => table !== null).length,
    bytes: files.reduce((sum, file) => sum + file.bytes, 0),
  }));
  const aliases = site.uri === plan.renaming.oldUri ? [] : [plan.renaming.oldUri];
  return {
    ...plan,
    place: { ...plan.place, address: { ...plan.place.address, from: [site.uri] } },
    renaming: { oldUri: site.uri, newUri: plan.document.newUri, aliases },
    document: {
      ...plan.document,
      uri: site.uri === 'default' ? plan.document.uri : site.uri,
      path: site.path,
      files: { count, bytes },
      databases,
    },
  };
}

/** Throws `identity-obstructed` where the platform does not fit what the site runs. */
async function judgeBuilt(
  { empty, platform }: ImportPlanned,
  built: BuiltSite,
  wish: ImportWish,
  tools: ImportTools,
  run: TaskRun,
): Promise<ModuleComparison> {
  const nothing: ModuleComparison = { obstacles: [], notes: [], updates: [] };
  if (platform.cms === 'wordpress') return nothing;
  let installed: readonly InstalledModule[] | null = null;
  for (const { server, plan } of built.switch.tables) {
    const login = await tools.administratorOf(server, empty.account.home);
    for (const prefix of built.prefixes)
      installed ??= await readInstalledModules(login, { name: plan.scratch, prefix }, run.signal);
  }
  if (installed === null) {
    run.say('the tables that name its modules were not found: they are not compared with the code');
    return nothing;
  }
  const place = { root: platform.root, site: built.directory, homes: homesOf(empty.account) };
  const to = readCodeModules(place);
  const found = compareModules({ installed, version: null, from: null, to, root: platform.root });
  const isLeft = ({ code }: { readonly code: string }): boolean => wish.despiteMissing && code.endsWith('-missing');
  const obstacles = found.obstacles.filter((problem) => !isLeft(problem));
  if (obstacles.length > 0)
    throw new SalvorError('identity-obstructed', {
      site: siteKey(empty),
      operation: 'import',
      obstacles: obstacles.map(({ message }) => message),
    });
  run.note(...found.obstacles.filter(isLeft));
  for (const { message } of found.notes) run.say(message);
  return found;
}

/** The site is there already: what goes wrong is told. */
async function bringUp({ empty, platform }: ImportPlanned, tools: ImportTools, run: TaskRun): Promise<void> {
  const { account, uri, path, cms } = empty;
  const place = {
    operation: 'import',
    account,
    accountName: account.name,
    uri,
    path,
    platform: platform.root,
    cms,
  } as const;
  const { problem } = await run.commit('update the database', () => updateDatabase(place, tools.policy, run));
  if (problem !== null) run.note(problem);
}
