import type { Problem } from '@salvor/contract';
import type { Repository } from '@salvor/engine';
import { probeDatabase } from '../databases/mariadb/probe.ts';
import { SalvorError } from '../errors.ts';
import type { NewPointPlace } from '../points/account-repositories.ts';
import { findCopyFault } from '../points/copy-fault.ts';
import { type CaptureMoved, type CapturedPoint, capturePoint } from '../points/capture-point.ts';
import type { CaptureDatabase } from '../points/dump-entries.ts';
import { findBarrier, findGaps } from '../sites/settings-doubts.ts';
import { type Site, type SiteDatabase, siteKey } from '../sites/site.ts';
import { sortMovedOut } from './moved-out.ts';
import { findOwnNames } from './own-names.ts';
import { readSiteSchema } from './schema-number.ts';
import type { SwitchTools } from './switch-site.ts';
import type { TaskRun } from './task-run.ts';

export type BackupWanted = {
  readonly reason: string | null;
  /**
   * Taken of a site that is about to be replaced, perhaps because it is broken: a database that is gone or empty is
   * then a fact to be named and not a reason to leave the site as it is.
   */
  readonly safety: boolean;
  readonly places: SitePlaces;
  /** Names of databases that are not asked for; whoever leaves them out says so. */
  readonly leftOut?: ReadonlySet<string>;
  /** About what there is to read, where somebody has looked. */
  readonly bytesTotal?: number;
};

/** Where a site's parts lie. */
export type SitePlaces = {
  readonly path: string;
  readonly movedOut: readonly CaptureMoved[];
};

export type BackupTools = Pick<SwitchTools, 'administratorOf'> & NewPointPlace;

/** Its own places. */
export function placesOf(site: Site): SitePlaces {
  const movedOut = sortMovedOut(site).followed.map(({ link, target }) => ({
    link,
    target,
    linked: true,
    path: target,
  }));
  return { path: site.path, movedOut };
}

export type BackedUp = CapturedPoint & { readonly tables: number };

/**
 * Makes one point of a site: probe → capture → read back. Changes nothing of the site.
 * Throws `site-unsupported` where the databases that the site's settings name could not be read, and what the server or the repository says.
 */
export async function backUpSite(
  site: Site,
  wanted: BackupWanted,
  tools: BackupTools,
  run: TaskRun,
): Promise<BackedUp> {
  const problems: Problem[] = [...sortMovedOut(site).left];
  // They leave nothing out: what is not run or not included says at most who may know better.
  const notes: Problem[] = site.problems.map(({ code, message }) => ({ code, message, path: site.path }));
  const databases = await run.step('look at the databases', () =>
    probeDatabases(site, wanted, { problems, notes }, tools, run.signal),
  );
  const schema = await readSiteSchema(site, databases);
  const capture = (repository: Repository): Promise<CapturedPoint> =>
    capturePoint(
      site,
      {
        reason: wanted.reason,
        origin: 'task',
        task: run.id,
        safety: wanted.safety,
        path: wanted.places.path,
        movedOut: wanted.places.movedOut,
        databases,
        schema,
        complete: problems.length === 0 && (wanted.leftOut?.size ?? 0) === 0 && findGaps(site).length === 0,
        problems: [...problems, ...notes],
      },
      {
        repository,
        scratch: run.scratch,
        clock: run.clock,
        randomBytes: run.randomBytes,
        signal: run.signal,
        onProgress: (progress) => run.progress({ ...progress, bytesTotal: wanted.bytesTotal ?? null }),
      },
    );
  const captured = await run.step('back up', () => captureInto(tools, capture, run));
  run.say(`point ${captured.point.manifest.point} was written and read back`);
  const tables = captured.point.manifest.databases.flatMap((d) => d.files.filter((file) => file.kind === 'table'));
  return { ...captured, tables: tables.length };
}

/** Into the other copy where this one turns out to be damaged: what is there already is built on, and must be read. */
async function captureInto(
  { repository, spare }: NewPointPlace,
  capture: (repository: Repository) => Promise<CapturedPoint>,
  run: TaskRun,
): Promise<CapturedPoint> {
  try {
    return await capture(repository);
  } catch (error) {
    const fault = findCopyFault(error);
    if (fault === null || spare === undefined || spare === null) throw error;
    const other = await spare.open().catch(() => {
      throw error;
    });
    run.note(spare.tell(fault));
    return await capture(other);
  }
}

/** A site whose databases are not known is refused, unless what is there is about to be replaced. */
async function probeDatabases(
  site: Site,
  wanted: BackupWanted,
  { problems, notes }: { readonly problems: Problem[]; readonly notes: Problem[] },
  tools: BackupTools,
  signal: AbortSignal,
): Promise<CaptureDatabase[]> {
  const first = findBarrier(site);
  if (first !== null && !wanted.safety) {
    const place = first.file === undefined ? '' : ` (${first.file}${first.line === undefined ? '' : `:${first.line}`})`;
    throw new SalvorError('site-unsupported', { site: siteKey(site), why: first.message + place });
  }
  const found: CaptureDatabase[] = [];
  for (const database of site.databases) {
    if (wanted.leftOut?.has(database.name) === true) continue;
    if (database.engine !== 'mariadb') {
      problems.push(nameUnsupported(database));
      continue;
    }
    try {
      const readFrom = { login: database.login, name: database.name };
      const own = await findOwnNames(site, database, signal);
      notes.push(...own.obstacles.filter(({ code }) => code !== 'database-shared'), ...own.notes);
      const facts = await probeDatabase(readFrom.login, readFrom.name, { signal, names: own.names ?? undefined });
      if (facts.tables.length === 0)
        throw new SalvorError('dump-empty', { database: database.name, user: database.login.user });
      found.push({ database, facts, readFrom, names: own.names });
    } catch (error) {
      if (!wanted.safety || !isBroken(error)) throw error;
      problems.push({ code: error.code, message: error.message, path: database.name });
    }
  }
  return found;
}

const ENGINES = { mariadb: 'MariaDB', postgres: 'PostgreSQL', sqlite: 'SQLite' } as const;

/** The files are worth having all the same; a point without its database is one that is restored only when it is named. */
export function nameUnsupported({ engine, name }: SiteDatabase): Problem {
  const message = `the database ${name} is kept by ${ENGINES[engine]}, which this version does not dump: the point holds files only`;
  return { code: 'database-unsupported', message, path: name };
}

/** What says that the site's database is lost or locked, and not that the server is away for a moment. */
function isBroken(error: unknown): error is SalvorError {
  return (
    error instanceof SalvorError &&
    (error.code === 'dump-empty' || error.code === 'database-missing' || error.code === 'database-login-refused')
  );
}
