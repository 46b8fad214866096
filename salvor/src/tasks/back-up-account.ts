/**
 * The nightly job's part of one account: a point of all its files and databases in each of its repositories, read back. What
 * is wrong with one site is that site's problem; the others are backed up all the same. Changes nothing of any site.
 *
 *   each site: probe its databases, what is moved out, what is left out → capture into all copies → read back
 */
import type { Problem } from '@salvor/contract';
import type { BackupResult, CopyState, Repository } from '@salvor/engine';
import { probeDatabase } from '../databases/mariadb/probe.ts';
import { SalvorError } from '../errors.ts';
import { codeOf } from '../lib/errno.ts';
import { type AccountSnapshots, openSitePoint, readAccountManifest } from '../points/account-point.ts';
import type { CaptureSite } from '../points/account-wanted.ts';
import { captureAccount, snapshotsIn } from '../points/capture-account.ts';
import { chooseDumpCut } from '../points/dump-cut.ts';
import { type CaptureDatabase, sizeOfDatabases } from '../points/dump-entries.ts';
import { readKnownCuts } from '../points/known-cuts.ts';
import { leftOutWithin } from '../points/left-out.ts';
import { readBackPoint } from '../points/open-point.ts';
import { makePointId } from '../points/point-id.ts';
import type { Policy } from '../policies/settings.ts';
import { type Account, homesOf } from '../sites/account.ts';
import { isBeneath } from '../sites/read-beneath.ts';
import { findGaps } from '../sites/settings-doubts.ts';
import type { Site, SiteProblem } from '../sites/site.ts';
import { freezeHomes } from './freeze-homes.ts';
import { nameUnsupported, placesOf } from './back-up-site.ts';
import { sortMovedOut } from './moved-out.ts';
import { findOwnNames } from './own-names.ts';
import { leftOutOf, rowlessTablesOf } from './regenerable.ts';
import { readSiteSchema } from './schema-number.ts';
import type { TaskRun } from './task-run.ts';

/** A file at the top of the snapshot of files that lies nowhere on the disk. */
export type NightText = { readonly name: string; readonly text: string };

export type AccountBackupWanted = {
  readonly account: Account;
  /** Disabled ones too. */
  readonly sites: readonly { readonly site: Site; readonly policy: Policy }[];
  /** All, or the databases alone. */
  readonly holds: 'all' | 'databases';
  /** Of the account. */
  readonly policy: Policy;
  /** What is read in place of the account's homes. */
  readonly homes?: readonly string[];
  readonly texts?: (run: TaskRun) => Promise<readonly NightText[]>;
  /** Absolute paths that belong to no point: repositories, state, third copies. */
  readonly exclude: readonly string[];
  /** From its call on; what it returns gives the task that has switched a site since, by the site's URI. */
  readonly watchSwitches: (since: Date) => () => Promise<ReadonlyMap<string, string>>;
  /** The first is read from where files are unchanged. */
  readonly repositories: readonly Repository[];
};

export type BackedUpAccount = {
  readonly point: string;
  /** The point of each of its sites is complete. */
  readonly isComplete: boolean;
  readonly files: number;
  readonly databases: number;
  readonly bytesRead: number;
  readonly bytesStored: number;
  readonly copies: readonly CopyState[];
  /** By repository, in those that are complete. */
  readonly snapshots: ReadonlyMap<Repository, AccountSnapshots>;
};

/** Throws what the engine throws where no repository could be written, and `point-incomplete` where a copy does not read back. */
export async function backUpAccount(wanted: AccountBackupWanted, run: TaskRun): Promise<BackedUpAccount> {
  const { account, repositories, policy } = wanted;
  const homes = outermost(wanted.homes ?? homesOf(account));
  const texts = (await wanted.texts?.(run)) ?? [];
  const readSwitched = wanted.watchSwitches(run.clock());
  const sites = await run.step('look at the sites', () => lookAtSites(wanted, run));
  const point = makePointId(run.randomBytes);
  run.record({ point });
  // Databases are dumped right behind it.
  await using frozen =
    wanted.holds === 'all' ? await run.step('freeze the files', () => freezeHomes(account, homes, run)) : NOT_FROZEN;
  const captured = await run.step('back up', () =>
    captureAccount(
      {
        account,
        point,
        holds: wanted.holds,
        texts,
        task: run.id,
        homes,
        exclude: [...wanted.exclude, ...homes.flatMap((home) => leftOutWithin(home))],
        sites,
      },
      {
        repositories,
        scratch: run.scratch,
        workers: policy.workers,
        clock: run.clock,
        frozen,
        readSwitched,
        signal: run.signal,
        onProgress: (progress) => run.progress({ ...progress, bytesTotal: null }),
      },
    ),
  );
  run.note(...captured.problems.map(({ uri, problem }) => named(account, uri, problem)));
  const copies = stateOfCopies(repositories, [captured.databases?.copies ?? [], captured.files?.copies ?? []]);
  const snapshots = new Map<Repository, AccountSnapshots>();
  let isComplete = true;
  await run.step('read back', async () => {
    for (const { repository, state } of copies) {
      if (state !== 'complete') continue;
      const made = await snapshotsIn(repository, captured);
      isComplete = (await readBack(repository, made)) && isComplete;
      snapshots.set(repository, made);
    }
  });
  const parts = [captured.databases, captured.files];
  return {
    point,
    isComplete,
    files: countOf(captured.files),
    databases: new Set(sites.flatMap(({ databases }) => databases)).size,
    bytesRead: parts.reduce((sum, part) => sum + (part?.bytesRead ?? 0), 0),
    bytesStored: parts.reduce((sum, part) => sum + (part?.bytesStored ?? 0), 0),
    copies,
    snapshots,
  };
}

const NOT_FROZEN = {
  readFrom: () => null,
  timeOf: () => null,
  findSpoilt: () => Promise.resolve([]),
  [Symbol.asyncDispose]: () => Promise.resolve(),
};

function countOf(result: BackupResult | null): number {
  return result === null ? 0 : result.files.new + result.files.changed + result.files.unmodified;
}

async function lookAtSites(wanted: AccountBackupWanted, run: TaskRun): Promise<readonly CaptureSite[]> {
  const [first] = wanted.repositories;
  const known = first === undefined ? [] : await readKnownCuts(first, wanted.account.name).catch(() => []);
  const sites: CaptureSite[] = [];
  for (const each of wanted.sites) {
    const { site, policy } = each;
    run.signal.throwIfAborted();
    const problems: Problem[] = [...sortMovedOut(site).left, ...findGaps(site).map((gap) => problemOf(site, gap))];
    const notes: Problem[] = site.problems
      .filter((problem) => !findGaps(site).includes(problem))
      .map((problem) => problemOf(site, problem));
    const databases = await probeAll(each, { problems, notes }, run.signal);
    // What fails for one site by now costs the others nothing.
    const schema = await attempt(problems, site, null, () => readSiteSchema(site, databases));
    const leftOut = await attempt(problems, site, [], () => leftOutOf(site, policy));
    run.note(...[...problems, ...notes].map((problem) => named(wanted.account, site.uri, problem)));
    sites.push({
      site,
      databases,
      cut: databases.length === 0 ? null : chooseDumpCut(known, site.uri, sizeOfDatabases(databases)),
      schema,
      movedOut: placesOf(site).movedOut,
      leftOut,
      problems,
      notes,
    });
  }
  return sites;
}

function problemOf({ path }: Site, { code, message }: SiteProblem): Problem {
  return { code, message, path };
}

async function attempt<T>(problems: Problem[], site: Site, fallback: T, look: () => T | Promise<T>): Promise<T> {
  try {
    return await look();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    problems.push({ code: codeOf(error) ?? 'site-unread', path: site.path, message });
    return fallback;
  }
}

/** The databases that answer and hold tables; of each other a problem. */
async function probeAll(
  { site, policy }: AccountBackupWanted['sites'][number],
  { problems, notes }: { readonly problems: Problem[]; readonly notes: Problem[] },
  signal: AbortSignal,
): Promise<readonly CaptureDatabase[]> {
  const found: CaptureDatabase[] = [];
  for (const database of site.databases) {
    const { name, login, engine } = database;
    try {
      if (engine !== 'mariadb') {
        problems.push(nameUnsupported(database));
        continue;
      }
      const own = await findOwnNames(site, database, signal);
      notes.push(...own.obstacles.filter(({ code }) => code !== 'database-shared'), ...own.notes);
      const facts = await probeDatabase(login, name, { signal, names: own.names ?? undefined });
      if (facts.tables.length === 0) throw new SalvorError('dump-empty', { database: name, user: login.user });
      const tables = { prefix: database.prefix, tables: facts.tables.map((table) => table.name) };
      const withoutRows = rowlessTablesOf(site, name, tables, policy);
      found.push({ database, facts, readFrom: { login, name }, names: own.names, withoutRows });
    } catch (error) {
      if (!(error instanceof SalvorError) || error.code === 'cancelled') throw error;
      problems.push({ code: error.code, message: error.message, path: name });
    }
  }
  return found;
}

/** Invariant 6: what is reported was read back, in each copy by itself. Whether the point of each site is complete. */
async function readBack(repository: Repository, snapshots: AccountSnapshots): Promise<boolean> {
  let isComplete = true;
  for (const site of (await readAccountManifest(repository, snapshots)).sites) {
    const point = await openSitePoint(repository, snapshots, site);
    await readBackPoint(point);
    isComplete = isComplete && point.manifest.complete;
  }
  return isComplete;
}

/** A copy is complete where it took both snapshots. */
function stateOfCopies(
  repositories: readonly Repository[],
  results: readonly (readonly CopyState[])[],
): readonly CopyState[] {
  return repositories.map((repository) => {
    const states = results.flatMap((copies) => copies.filter((copy) => copy.repository === repository));
    return states.find(({ state }) => state === 'behind') ?? states[0] ?? { repository, state: 'behind', error: null };
  });
}

function outermost(homes: readonly string[]): readonly string[] {
  return homes.filter((home) => !homes.some((other) => other !== home && isBeneath(home, other)));
}

function named(account: Account, uri: string | null, problem: Problem): Problem {
  return uri === null ? problem : { ...problem, message: `${account.name}/${uri}: ${problem.message}` };
}
