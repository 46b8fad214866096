/**
 * What a restore is going to do, as a value: found by looking, before anything is touched. What stands in the way is
 * in it as obstacles, all of them at once, so that a person removes them in one go.
 */
import type { Problem, RestorePlan } from '@salvor/contract';
import type { Policy } from '../policies/settings.ts';
import { listHooks } from '../policies/task-steps.ts';
import type { DatabaseLogin, ServerAddress } from '../databases/mariadb/connect.ts';
import type { OpenPoint } from '../points/open-point.ts';
import { type Site, siteKey } from '../sites/site.ts';
import { MAX_NAMED } from './compare-files.ts';
import { type Rates, estimateSeconds } from './estimate-restore.ts';
import type { FilePart } from './file-parts.ts';
import { type PlannedDatabase, bytesOfDump, planDatabase } from './plan-database.ts';
import { isOfOther, judgeCodeOfPoint, judgeInto } from './into-site.ts';
import { locateMaintenance } from './maintenance.ts';
import { planFiles } from './plan-files.ts';
import type { PlanOfPoint } from './read-copy.ts';
import { type ReplacedDatabases, findReplaced, judgeReplaced } from './replaced-databases.ts';
import type { RestoreScope } from './restore-scope.ts';
import { locateStaging } from './staging.ts';
import { findStrayPlaces } from './strays.ts';
import { findSchemaProblems } from './schema-number.ts';
import { type SpaceNeed, findSpaceProblems } from './space.ts';

export type RestorePlanned = {
  readonly document: PlanOfPoint;
  readonly scope: RestoreScope;
  readonly parts: readonly FilePart[];
  readonly databases: readonly PlannedDatabase[];
  /** What the safety point will hold of what is replaced, about. */
  readonly liveBytes: number;
  /** What will be built of files. */
  readonly fileBytes: number;
};

export type PlanTools = {
  readonly administratorOf: (server: ServerAddress, home: string) => Promise<DatabaseLogin>;
  /** The hoster's staging directory; null for the site's own mount. */
  readonly staging: string | null;
  /** All sites of the host: what lies in the directories of others is not this one's. */
  readonly sites: readonly Site[];
  /** What earlier tasks of this host took. */
  readonly rates: Rates;
  /** The rules for this site. */
  readonly policy: Policy;
  /** Tasks of this host whose journals are there; of the site, those that could be neither finished nor undone. */
  readonly known: ReadonlySet<string>;
  readonly unfinished: readonly string[];
  /** Restore the site where it lies, though the code that it lay on is still there. */
  readonly despitePlatform?: boolean;
  /** What the site has in place of databases of the point; found by `planRestore` itself. */
  readonly replaced?: ReplacedDatabases;
  readonly signal: AbortSignal;
};

/** What is found on the way: reasons to do nothing, facts to be told, and what each file system has to hold. */
export type PlanFindings = { readonly obstacles: Problem[]; readonly notes: Problem[]; readonly needs: SpaceNeed[] };

/** Reads only. What can't be looked at (a server that is away, a log-in that is refused) is thrown. */
export async function planRestore(
  site: Site,
  point: OpenPoint,
  scope: RestoreScope,
  tools: PlanTools,
): Promise<RestorePlanned> {
  const findings: PlanFindings = { obstacles: [], notes: [], needs: [] };
  for (const task of tools.unfinished) findings.obstacles.push(nameUnfinished(site, task));
  const into = judgeInto(site, point, scope);
  const code = judgeCodeOfPoint(site, point.manifest, scope, tools.despitePlatform === true);
  const replaced = await findReplaced(site, point.manifest, tools);
  const kept = judgeReplaced(site, replaced, scope);
  findings.obstacles.push(...into.obstacles, ...code.obstacles, ...kept.obstacles);
  findings.notes.push(...into.notes, ...code.notes, ...kept.notes, ...notesOfArchive(point));
  const files = await planFiles(site, point, scope, { ...tools, replaced }, findings);
  const places = (files?.parts ?? []).map(({ live }) => locateStaging(live, site.account.name, 'plan', tools.staging));
  findings.notes.push(...findStrayPlaces(places, tools.known));
  const databases: PlannedDatabase[] = [];
  for (const wanted of scope.databases) {
    const planned = await planDatabase(site, point, wanted, { ...tools, replaced }, findings);
    if (planned !== null) databases.push(planned);
  }
  const isSchemaRestored = databases.some(({ isWhole }) => isWhole);
  // Of another system the number says nothing, and it is refused for that.
  if (isSchemaRestored && point.manifest.site.cms === site.cms) addSchemaProblems(site, point, findings);
  findings.obstacles.push(...findSpaceProblems(findings.needs));
  const dumpBytes = databases.reduce((sum, database) => sum + bytesOfDump(database), 0);
  const liveBytes = (files?.liveBytes ?? 0) + databases.reduce((sum, { facts }) => sum + bytesOf(facts), 0);
  const document: PlanOfPoint = {
    account: site.account.name,
    uri: point.manifest.site.uri,
    point: point.manifest.point,
    pointTime: point.manifest.time,
    target: null,
    into: isOfOther(site, point.manifest) ? siteKey(site) : null,
    files: files?.counts ?? null,
    tables: scope.databases.length === 0 ? null : countTables(databases),
    deletes: { files: files?.deleted ?? [], tables: databases.flatMap(nameDeleted).slice(0, MAX_NAMED) },
    bytes: (files?.bytes ?? 0) - (files?.keptBytes ?? 0) + dumpBytes,
    bytesKept: files?.keptBytes ?? 0,
    seconds: estimateSeconds(tools.rates, { safety: liveBytes, files: files?.bytes ?? 0, tables: dumpBytes }),
    switch: { files: files?.way ?? 'none', databases: databases.length > 0 ? 'rename' : 'none' },
    around: planAround(site, tools.policy),
    hooks: listHooks(tools.policy, 'restore'),
    obstacles: findings.obstacles,
    notes: findings.notes,
  };
  return { document, scope, parts: files?.parts ?? [], databases, liveBytes, fileBytes: files?.bytes ?? 0 };
}

function planAround(site: Site, policy: Policy): RestorePlan['around'] {
  const { maintenance, reloadPhp, preRestore, postRestore, pageUrl, pageFailure } = policy;
  return {
    maintenance: maintenance ? locateMaintenance(site.path) : null,
    reloadPhp,
    preRestore,
    postRestore,
    page:
      pageUrl === null ? null : { url: pageUrl.replaceAll('{uri}', site.uri), rollsBack: pageFailure === 'rollBack' },
  };
}

/** What was found while the archive was unpacked that the point is of. */
function notesOfArchive({ manifest: { origin, problems } }: OpenPoint): readonly Problem[] {
  return origin === 'archive' || origin === 'dump' ? problems : [];
}

function nameUnfinished(site: Site, task: string): Problem {
  const message = `task ${task} of this site could be neither finished nor undone; salvor status says more`;
  return { code: 'task-unfinished', message, path: site.path };
}

function addSchemaProblems(site: Site, point: OpenPoint, { obstacles, notes }: PlanFindings): void {
  const found = findSchemaProblems(site, point.manifest.site);
  obstacles.push(...found.obstacles);
  notes.push(...found.notes);
}

function bytesOf(facts: PlannedDatabase['facts']): number {
  return (facts?.tables ?? []).reduce((sum, table) => sum + table.approximateBytes, 0);
}

function nameDeleted({ database, incoming, outgoing }: PlannedDatabase): readonly string[] {
  const coming = new Set(incoming);
  return outgoing.filter((table) => !coming.has(table)).map((table) => `${database.name}.${table}`);
}

function countTables(databases: readonly PlannedDatabase[]): RestorePlan['tables'] {
  let restored = 0;
  let deleted = 0;
  let kept = 0;
  for (const { incoming, outgoing, facts } of databases) {
    const coming = new Set(incoming);
    restored += incoming.length;
    deleted += outgoing.filter((table) => !coming.has(table)).length;
    kept += (facts?.tables.length ?? 0) - outgoing.length;
  }
  return { restored, deleted, kept };
}
