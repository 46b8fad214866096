/**
 * Builds a site out of a point beside what there is: files in staging, tables in scratch databases, a database of its own
 * that stays empty until the switch. Owns what makes it another site than the one that the point is of: names and log-ins,
 * links, values, settings that are read again and must say exactly the new log-in. Knows nothing of tasks and turns.
 *
 *   databases named and made → files → tables (renamed) → masked → links and settings → names outside of it
 */
import { createHmac } from 'node:crypto';
import type { IdentityPlan, RewrittenValues } from '@salvor/contract';
import type { ServerAddress } from '../databases/mariadb/connect.ts';
import { SalvorError } from '../errors.ts';
import { openRoot } from '../lib/beneath/open-directory.ts';
import { openSpotOfOurs } from '../lib/beneath/own-directory.ts';
import type { NewPointPlace } from '../points/account-repositories.ts';
import type { OpenPoint } from '../points/open-point.ts';
import { checkLogIns } from '../sites/check-log-ins.ts';
import { FIELDS_OF_CLONE } from '../sites/set-context.ts';
import type { SettingsChanges } from '../sites/settings-changes.ts';
import { prefixesOf } from '../sites/shared-databases.ts';
import type { Site, SiteProblem } from '../sites/site.ts';
import { buildOutside, stagingsOf } from './build-names.ts';
import { type BuiltPart, buildFiles, locateBuilt, planMoves } from './build-files.ts';
import { type ChangeTables, buildDatabase, nameDatabases } from './build-databases.ts';
import type { FilePart } from './file-parts.ts';
import { type MaskDatabase, maskValues } from './mask-values.ts';
import { connectionOf, makeNewDatabase, nameNewDatabases, planLoad } from './new-databases.ts';
import type { PlannedDatabase } from './plan-database.ts';
import type { PlanTools } from './plan-restore.ts';
import { type IdentityPlanned, type IdentityTools } from './plan-identity.ts';
import { asVisited, namingTo } from './new-place.ts';
import { type RecoveryTools } from './recover-task.ts';
import { type LinkChange, renameAddresses, renameLinks, renameValues } from './rewrite-built.ts';
import { type RewrittenFile, rewriteSettingsIn, writeSettings } from './settings-of-site.ts';
import { keepingTime, locateStaging, makeStaging, openStaging } from './staging.ts';
import { type Switch, type SwitchTools, type TableSwap } from './switch-site.ts';
import type { TaskRun } from './task-run.ts';

export type NewSiteTools = Omit<IdentityTools, 'signal' | 'say'> &
  NewPointPlace &
  Pick<RecoveryTools, 'journals'> &
  Pick<PlanTools, 'rates' | 'known'> & {
    readonly remember: (point: OpenPoint) => Promise<void>;
    readonly staging: string | null;
    readonly graceHours: number;
    /** What `localhost` means on this host, where it is not Debian's. */
    readonly defaultSocket: string | undefined;
    /** The new site as the settings in a directory of ours say that it is. */
    readonly readBuilt: (directory: string, site: Site) => Site;
    /** The new site as it is found when it has appeared. */
    readonly readSite: (path: string) => Promise<Site>;
  };

export function switchTools(tools: Pick<SwitchTools, 'administratorOf'>, run: TaskRun): SwitchTools {
  return { administratorOf: tools.administratorOf, say: (line) => run.say(line), audit: run.audit };
}

/** A site that is built and in nobody's sight: what is missing is the switch. */
export type BuiltSite = {
  readonly switch: Switch;
  readonly values: readonly RewrittenValues[];
  readonly databases: IdentityPlan['databases'];
  /** Where its files lie until the switch, and the prefixes of its tables. */
  readonly directory: string;
  readonly prefixes: readonly string[];
};

/** What a new site is made of. */
export type SiteOrigin = {
  readonly site: Site;
  readonly point: OpenPoint;
  /** Whose names outside of its directory are copied: the site's, where it is one of this host. */
  readonly named: Site;
  /** The server that its databases come to; null for the one that they are on. */
  readonly server: ServerAddress | null;
};

/**
 * Builds the new site that the plan names out of a point of `site`: its databases are made, with a name, a user and a
 * password of their own. Throws what a step throws; then recovery removes what the journal names.
 */
export async function buildNewSite(
  { site, point, named, server }: SiteOrigin,
  plan: IdentityPlanned,
  tools: NewSiteTools,
  run: TaskRun,
): Promise<BuiltSite> {
  const { newUri, newPath } = plan.document;
  const { account } = site;
  const called = plan.place.address.to;
  const databases = await run.step('name the databases', () => nameNewDatabases({ site, server }, called, tools, run));
  const clone: Site = {
    ...site,
    uri: newUri,
    path: newPath,
    platform: plan.platform,
    version: plan.platform.version,
    settings: newPath + site.settings.slice(site.path.length),
    aliases: [],
    movedOut: [],
    databases: databases.map(({ made }) => made),
    problems: [],
  };
  const planned = databases.map(({ made, from }) => planLoad(point, from, made));
  const names = planned.map((one, index) => nameDatabases(run.id, one, index));
  const part = locateBuilt(partOf(point, site, clone), locateStaging(newPath, account.name, run.id, tools.staging), 0);
  const of = { account: account.name, staging: tools.staging };
  run.record({
    stagings: [...new Set([part.staging, ...stagingsOf(plan.outside, of, run.id)])],
    scratchDatabases: names.flatMap(({ built, old }) => [built, old]),
    made: databases.map(({ made }) => ({ server: made.login.address, name: made.name, user: made.login.user })),
  });
  await makeStaging(part.staging);
  for (const database of databases)
    await run.step('make the database', () => makeNewDatabase(database, tools, run), database.made.name);
  await run.step('build the files', () => buildParts(part, point, clone, plan, run));

  const values: RewrittenValues[] = [];
  const tables: TableSwap[] = [];
  for (const [index, one] of planned.entries()) {
    const name = names[index];
    if (name === undefined) continue;
    const change = renaming(clone, plan, values, run);
    tables.push(
      await run.step(
        'build the database',
        () => buildDatabase(clone, point, one, name, tools, run, change),
        one.stored.name,
      ),
    );
  }
  if (plan.document.masked) await run.step('mask', () => maskBuilt(clone, planned, names, tools, run));
  const changes: SettingsChanges = {
    connections: databases.map(({ from, made }) => connectionOf(from, made, tools.defaultSocket)),
    naming: namingTo(site, plan.place, movedIn(point, clone)),
    options: FIELDS_OF_CLONE,
    // What is imported is the site itself, wherever it was.
    ...(run.journal.operation === 'clone' ? { secrets: makeSecrets(run.randomBytes(32)) } : {}),
  };
  const moved = point.manifest.moved.map(({ target, link }) => ({ target, link }));
  await run.step('rewrite', () => rewriteFiles(part, { from: site, to: clone, moved }, changes, tools, run));
  const outside = await run.step('name the site', () =>
    buildOutside(
      plan.outside,
      { site: asVisited(named, plan.place.address), after: { ...clone, uri: called } },
      'clone',
      tools,
      run,
    ),
  );
  return {
    switch: { tables, moves: planMoves(part), ...outside },
    values,
    directory: part.root,
    prefixes: databases.map(({ made }) => made.prefix),
    databases: plan.document.databases.map((shown) => {
      const made = databases.find(({ from }) => from.name === shown.name)?.made;
      return { ...shown, newName: made?.name ?? shown.newName, user: made?.login.user ?? shown.user };
    }),
  };
}

/** Another secret for each, the same for the same: what two files say stays one. */
function makeSecrets(seed: Uint8Array): (old: string) => string {
  return (old) => createHmac('sha512', seed).update(old, 'latin1').digest('base64url');
}

/** The site's directory; what its links led to elsewhere becomes directories in it: two sites must not share one. */
function partOf({ manifest }: OpenPoint, site: Site, { path, account }: Site): FilePart {
  const grafts = manifest.moved.filter(({ linked }) => linked).map(({ link, place }) => ({ at: link, stored: place }));
  const place = { path: '', stored: '/site', live: path, home: account.home };
  return { ...place, wanted: 'all', without: [], keeps: [], grafts, like: site.path };
}

async function buildParts(
  part: BuiltPart,
  point: OpenPoint,
  clone: Site,
  { document }: IdentityPlanned,
  run: TaskRun,
): Promise<void> {
  const onProgress = ({ files, bytes }: { readonly files: number; readonly bytes: number }): void =>
    run.progress({ files, bytes, filesTotal: document.files.count, bytesTotal: document.files.bytes });
  run.note(...(await buildFiles(part, { point, account: clone.account }, run, onProgress)));
}

/** Puts the new name into the tables of a database that was built. */
export function renaming(clone: Site, plan: IdentityPlanned, values: RewrittenValues[], run: TaskRun): ChangeTables {
  return async (connection, { database, planned }) => {
    const { stored, database: made } = planned;
    const built = { database, shown: stored.name, tables: planned.incoming, prefix: made.prefix };
    const renamed = await run.audit('rename-values', `database ${database}`, () =>
      renameValues(connection, built, plan.renaming, { apply: true, signal: run.signal }),
    );
    values.push(...renamed.values);
    run.note(...renamed.problems);
    const { to, from } = plan.place.address;
    if (from[0] !== to && planned.incoming.includes(`${made.prefix}options`))
      for (const { option, before, after } of await renameAddresses(connection, clone, built, to))
        run.say(`${option} is ${after} and no longer ${before}`);
  };
}

/** Before anybody can see the copy. Throws `mask-users-missing` and `mask-failed`. */
async function maskBuilt(
  { cms, isNetwork, account }: Site,
  planned: readonly PlannedDatabase[],
  names: readonly ReturnType<typeof nameDatabases>[],
  tools: NewSiteTools,
  run: TaskRun,
): Promise<void> {
  const databases: MaskDatabase[] = [];
  for (const [index, { database }] of planned.entries()) {
    const built = names[index]?.built;
    if (built === undefined) continue;
    // Its triggers come with the switch: nothing of the site's runs with these rights.
    const login = await tools.administratorOf(built.server, account.home);
    databases.push({ login, name: built.name, prefixes: prefixesOf(database) });
  }
  const { columns, problems } = await maskValues(databases, {
    cms,
    isNetwork,
    columns: tools.policy.maskColumns,
    secret: run.randomBytes(32),
    apply: true,
    signal: run.signal,
  });
  for (const { table, column, count } of columns)
    run.say(`masked: ${count} ${column === null ? `rows of ${table}` : `values of ${table}.${column}`}`);
  run.note(...problems);
}

/** What lay elsewhere, and where the new site has it. */
function movedIn({ manifest }: OpenPoint, { path }: Pick<Site, 'path'>): SettingsChanges['naming']['moved'] {
  return manifest.moved
    .filter(({ linked }) => linked)
    .map(({ target, link }) => ({ from: target, to: `${path}/${link}` }));
}

/**
 * Gives what was built of a site's files its new name: links and settings. `moved`: what it had elsewhere, by where the new
 * one has it. Throws `settings-not-rewritten` where what is read of the new settings is not exactly the log-in of `to`.
 */
export async function rewriteFiles(
  { staging, root }: Pick<BuiltPart, 'staging' | 'root'>,
  { from, to, moved }: { readonly from: Site; readonly to: Site; readonly moved: LinkChange['moved'] },
  changes: SettingsChanges,
  tools: Pick<NewSiteTools, 'readBuilt' | 'defaultSocket'>,
  run: TaskRun,
): Promise<void> {
  using place = openStaging(staging);
  const at = place.at + root.slice(staging.length);
  await keepingTime(at, async () => {
    using top = openSpotOfOurs(staging, root);
    const links = await renameLinks(top, { oldPath: from.path, newPath: to.path, moved });
    if (links.length > 0) run.say(`${links.length} links lead to the new site and no longer to ${from.path}`);
    using directory = openRoot(at);
    const { files, problems } = rewriteSettingsIn(directory, changes);
    requireRewritten(problems);
    writeSettings(directory, files);
    tellRewritten(files, run);
  });
  requireRewritten(checkLogIns(tools.readBuilt(at, to), to.databases, tools.defaultSocket));
}

/** Throws `settings-not-rewritten` for the first. */
export function requireRewritten(problems: readonly SiteProblem[]): void {
  const [first] = problems;
  if (first === undefined) return;
  const { file, line, message } = first;
  throw new SalvorError('settings-not-rewritten', {
    file: file ?? '',
    line: line ?? 0,
    why: message.replace(/\.$/, ''),
  });
}

/** What changed in which file, and which lines still hold the old name. */
export function tellRewritten(files: readonly RewrittenFile[], run: TaskRun): void {
  for (const { name, places, left } of files) {
    if (places.length > 0) run.say(`${name}: ${places.length} places rewritten`);
    if (left.length > 0) run.say(`${name}: left as they are: lines ${left.join(', ')}`);
  }
}
