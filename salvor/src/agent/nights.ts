/**
 * The nightly job of a host: every account after the other, each a task of its own. An account that fails does not keep the
 * next one from its night.
 */
import type { DailyAccount, DailyDocument, Problem } from '@salvor/contract';
import type { Config } from '../config.ts';
import { SalvorError } from '../errors.ts';
import { readHostZone } from '../lib/host-zone.ts';
import { checkedSharesOf } from '../points/checked-shares.ts';
import type { HostPoints } from '../points/host-points.ts';
import { type CopyName, copiesOf, repositoryUrlOf } from '../points/repositories.ts';
import { policyOfAccount, policyOfSite } from '../policies/policy-levels.ts';
import type { Job } from '../policies/schedule.ts';
import type { Account } from '../sites/account.ts';
import type { Site } from '../sites/site.ts';
import type { NightText } from '../tasks/back-up-account.ts';
import { type GrantsTools, grantsOfSites } from '../tasks/grants-of-sites.ts';
import type { TaskRun } from '../tasks/task-run.ts';
import { type NightCopy, type NightDone, type NightWanted, nightOfAccount } from '../tasks/night-of-account.ts';
import { type ClockLook, type Uptime, watchClock } from './clock-watch.ts';
import { judgeKit } from './doctor/check-files.ts';
import { proveMonthly } from './doctor/check-recovery.ts';
import { HOST_ACCOUNT, hostAccount, placesOfHost, recordOfHost, saveStore } from './host-account.ts';
import { readHost } from './host-sites.ts';
import type { Queue, WaitOptions } from './queue.ts';
import type { TaskOutcome } from './run-task.ts';
import { codeOf } from '../lib/errno.ts';
import type { Journals } from './journals.ts';
import { planPruneTasks } from './prune-tasks.ts';
import type { TaskLog } from './task-log.ts';
import { watchSwitches } from './watch-switches.ts';

export type NightsRoom = {
  readonly config: Config;
  readonly points: HostPoints;
  readonly queue: Queue;
  readonly log: TaskLog;
  readonly journals: Journals;
  readonly clock: () => Date;
  readonly uptime: () => Uptime;
  readonly administratorOf: GrantsTools['administratorOf'];
};

export type NightsWanted = WaitOptions & {
  /** Null for all. */
  readonly account: string | null;
  /** `databases`: a point of the databases alone, between nights. */
  readonly job?: Job;
};

/** Throws `account-unknown`; what else goes wrong is told of the account that it met. */
export async function runNights(
  room: NightsRoom,
  { account, job = 'nightly', ...options }: NightsWanted,
): Promise<DailyDocument> {
  const found = await readHost(room.config, options.signal);
  const host = hostAccount();
  const all = [...found.accounts, ...(host === null || job === 'databases' ? [] : [host])];
  const names = all.map(({ name }) => name);
  if (account !== null && !names.includes(account)) throw new SalvorError('account-unknown', { account, known: names });
  const accounts = all.filter(({ name }) => account === null || name === account);
  // A night is judged by the one before it.
  const clockLook = watchClock(room.config.state, room.clock(), room.uptime());
  const ensured = await room.points.repositories.ensure(
    accounts.map(({ name }) => name),
    { signal: options.signal, bearsLocal: true },
  );
  const nights: DailyAccount[] = [];
  for (const each of accounts) {
    const sites = found.sites.filter((site) => site.account.name === each.name);
    const known = { allSites: found.sites, accounts: found.accounts.map(({ name }) => name) };
    const night = { ...room, ...known, job, clockLook, problems: ensured.problems };
    nights.push(await nightOf(each, sites, night, options));
  }
  return { state: worstOf(nights), accounts: nights };
}

type Night = NightsRoom & {
  readonly job: Job;
  readonly clockLook: ClockLook;
  readonly problems: readonly Problem[];
  readonly allSites: readonly Site[];
  /** All names but the host's own. */
  readonly accounts: readonly string[];
};

async function nightOf(
  account: Account,
  sites: readonly Site[],
  night: Night,
  options: WaitOptions,
): Promise<DailyAccount> {
  const { config, points } = night;
  const { policy } = policyOfAccount(config.policies, account.name);
  const copies: NightCopy[] = [];
  for (const name of copiesOf(config)) copies.push(await openCopy(account, name, night));
  const zone = policy.timeZone ?? readHostZone();
  const day = Temporal.Instant.fromEpochMilliseconds(night.clock().getTime()).toZonedDateTimeISO(zone).toPlainDate();
  const isHost = account.name === HOST_ACCOUNT;
  const ofHost = placesOfHost(config);
  const wanted: NightWanted = {
    account,
    ...(isHost ? { homes: ofHost.homes, texts: (run) => textsOf(night, run) } : {}),
    sites: sites.map((site) => ({
      site,
      policy: policyOfSite(config.policies, { account: account.name, uri: site.uri }).policy,
    })),
    holds: night.job === 'nightly' ? 'all' : 'databases',
    policy,
    exclude: [
      ...(isHost ? ofHost.exclude : [config.state]),
      config.local,
      config.thirdCopy,
      ...(config.remote?.url.startsWith('/') === true ? [config.remote.url] : []),
      // Compressed copies of what is there already: their content is in the points beside.
      ...(await points.ownArchives(account.name)),
    ],
    copies,
    thirdCopy: config.thirdCopy,
    day: day.toString(),
    clock: night.clockLook,
    watchSwitches: (since) => watchSwitches(night, account.name, since),
  };
  const tools = {
    remember: points.rememberMade.bind(points, account.name),
    held: () => points.heldOf(account.name, night.clock()),
    shares: checkedSharesOf(config.state),
    forget: (gone: readonly string[]) => points.forgetMade(gone),
    list: async (copy: CopyName) => void (await points.listCopy(account.name, copy)),
  };
  const place = { account: account.name, uri: '', path: account.home, home: account.home };
  try {
    const outcome = await night.queue.perform(
      { operation: 'daily', site: place, of: null, wish: { job: night.job } },
      { ...options, isGentle: policy.isNice },
      async (run) => {
        if (night.job === 'nightly' && !night.clockLook.isTrusted) run.note(CLOCK_PROBLEM);
        const done = await nightOfAccount(wanted, tools, run);
        if (night.job === 'nightly' && (isHost || hostAccount() === null)) await pruneOld(night, run);
        if (isHost) run.note(...(await proveKit(night, run.signal)));
        return done;
      },
    );
    return documentOf(account, sites, outcome);
  } catch (error) {
    if (options.signal.aborted) throw error;
    return failed(account, sites, error);
  }
}

/** Of the whole host, in the night of the host's own account, or where there is none of anybody. The night stands without it. */
async function pruneOld({ log, journals, clock, clockLook }: Night, run: TaskRun): Promise<void> {
  // What a clock in doubt calls old may be of today.
  if (!clockLook.isTrusted) return;
  try {
    const { tasks, lines } = await log.prune(planPruneTasks(journals.list(), clockLook, clock()));
    if (tasks + lines > 0) run.say(`${tasks} old tasks and ${lines} lines that old ones said were let go of`);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    run.note({ code: 'tasks-not-pruned', message: `old tasks were not let go of: ${message}`, path: null });
  }
}

/** Whether the printed kit would bring the host back: its key is tried each month, its places are compared each night. */
async function proveKit({ config, clock, accounts }: Night, signal: AbortSignal): Promise<readonly Problem[]> {
  try {
    const findings = [...(await proveMonthly({ config, clock }, accounts, signal)), ...judgeKit(config)];
    return findings
      .filter(({ code }) => code !== 'recovery-kit-missing')
      .map(({ code, message, path }) => ({ code, message, ...(path === null ? {} : { path }) }));
  } catch (error) {
    signal.throwIfAborted();
    const message = error instanceof Error ? error.message : String(error);
    return [{ code: codeOf(error) ?? 'recovery-unproven', message: `the recovery key could not be tried: ${message}` }];
  }
}

/** What the host has in no file; and its own state, copied to where it is read. */
async function textsOf(night: Night, run: TaskRun): Promise<readonly NightText[]> {
  await saveStore(night.points, night.config);
  const { signal } = run;
  const grants = await grantsOfSites(night.allSites, {
    administratorOf: night.administratorOf,
    signal,
    onProblem: (problem) => run.note(problem),
  });
  return [...grants, ...recordOfHost(night.config)];
}

const CLOCK_PROBLEM: Problem = {
  code: 'clock-in-doubt',
  message: "the host's clock has jumped since the last night: nothing is let go of by its age until the next one",
};

async function openCopy(account: Account, name: CopyName, { config, points, problems }: Night): Promise<NightCopy> {
  const url = repositoryUrlOf(config, account.name, name);
  try {
    const repository = await points.repositories.open(account.name, name);
    return { name, repository, made: () => points.madeIn(account.name, name) };
  } catch (error) {
    const known = problems.find(({ path }) => path === url);
    const code = codeOf(error) ?? 'copy-failed';
    const message = error instanceof Error ? error.message : String(error);
    return { name, repository: null, problem: known ?? { code, path: url, message: `the ${name} copy: ${message}` } };
  }
}

function documentOf(account: Account, sites: readonly Site[], outcome: TaskOutcome<NightDone>): DailyAccount {
  const { point, copies, thirdCopy } = outcome.result;
  return {
    account: account.name,
    task: outcome.task,
    state: outcome.state,
    point: point.point,
    sites: sites.length,
    files: point.files,
    databases: point.databases,
    bytesRead: point.bytesRead,
    bytesStored: point.bytesStored,
    copies,
    thirdCopy,
    problems: outcome.problems,
  };
}

function failed(account: Account, sites: readonly Site[], error: unknown): DailyAccount {
  const code = codeOf(error) ?? 'night-failed';
  return {
    account: account.name,
    task: null,
    state: 'failed',
    point: null,
    sites: sites.length,
    files: 0,
    databases: 0,
    bytesRead: 0,
    bytesStored: 0,
    copies: [],
    thirdCopy: 0,
    problems: [{ code, message: `${account.name}: ${error instanceof Error ? error.message : String(error)}` }],
  };
}

/** Failed where no account has a point, warned where one has none or named problems. */
function worstOf(nights: readonly DailyAccount[]): DailyDocument['state'] {
  if (nights.some(({ state }) => state === 'failed'))
    return nights.every(({ state }) => state === 'failed') ? 'failed' : 'warned';
  return nights.some(({ state }) => state === 'warned') ? 'warned' : 'succeeded';
}
