/**
 * Whether a site works as it is, and keeps private what is: each thing is asked of whoever knows it, and nothing of the
 * site is changed. What could not be asked is said, and counts for nothing.
 *
 *   settings → log-in → grants → tables → virtual host → files → page → private
 */
import type { Problem, VerifyCheck, VerifyDocument } from '@salvor/contract';
import type { DatabaseLogin, ServerAddress } from '../databases/mariadb/connect.ts';
import { SalvorError } from '../errors.ts';
import type { Policy } from '../policies/settings.ts';
import { findBarrier } from '../sites/settings-doubts.ts';
import { type Site, siteKey } from '../sites/site.ts';
import { checkGrants, checkLogIns, checkTables } from './check-databases.ts';
import { checkFiles } from './check-files.ts';
import { checkPrivate } from './check-private.ts';
import { followAvailability } from './switch-availability.ts';
import type { TaskRun } from './task-run.ts';
import { Findings, findBroken, readOwnVhosts } from './virtual-host.ts';
import { webServerOf } from './web-server.ts';

export type ProveTools = {
  readonly policy: Policy;
  readonly administratorOf: (server: ServerAddress, home: string) => Promise<DatabaseLogin>;
};

/** What one check came to, before it is told. */
export type Checked = Omit<VerifyCheck, 'check' | 'outcome' | 'findings'> & {
  /** Keeps the site from working, or lays open what is private. */
  readonly faults: readonly Problem[];
  readonly doubts: readonly Problem[];
};

export const NOT_ASKED = (why: string): Checked => ({ why, count: 0, faults: [], doubts: [] });

/** Throws `cancelled` only: whatever else is found is in the proof. One with a fault makes the run end as failed. */
export async function proveSite(site: Site, tools: ProveTools, run: TaskRun): Promise<VerifyDocument['proof']> {
  const checks: VerifyCheck[] = [];
  const check = async (name: VerifyCheck['check'], body: () => Promise<Checked>): Promise<void> => {
    const { faults, doubts, why, count } = await run.step(name, () => containing(body, run.signal));
    const isAsked = why === null || count > 0 || faults.length + doubts.length > 0;
    const outcome = faults.length > 0 ? 'failed' : doubts.length > 0 ? 'warned' : isAsked ? 'passed' : 'not-asked';
    const findings = [...faults, ...doubts];
    checks.push({ check: name, outcome, why, count, findings });
    run.note(...findings);
    if (why !== null) run.say(`${name}: ${why}`);
  };
  const { policy, administratorOf } = tools;
  await check('settings', () => Promise.resolve(checkSettings(site)));
  await check('log-in', () => checkLogIns(site, run.signal));
  await check('grants', () => checkGrants(site, administratorOf, run.signal));
  await check('tables', () => checkTables(site, run.signal));
  await check('virtual-host', () => checkVirtualHost(site, policy, run));
  await check('files', () => checkFiles(site, run.signal));
  await check('page', () => checkPageOf(site, policy, run));
  await check('private', () => checkPrivate(site, policy, run.signal));
  const failed = checks.filter(({ outcome }) => outcome === 'failed').map((one) => one.check);
  if (failed.length > 0) run.fail(new SalvorError('verify-failed', { site: siteKey(site), checks: failed }));
  const { account, uri } = site;
  return { account: account.name, uri, time: run.clock().toISOString(), checks };
}

/** What can't be asked because whoever knows it fails is a finding of its own. */
async function containing(body: () => Promise<Checked>, signal: AbortSignal): Promise<Checked> {
  try {
    return await body();
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof SalvorError)) throw error;
    return { why: null, count: 0, faults: [], doubts: [{ code: error.code, message: error.message, path: null }] };
  }
}

function checkSettings(site: Site): Checked {
  const found = site.problems.map(({ code, message, file, line }) => ({
    code,
    message,
    path: site.path,
    ...(file === undefined ? {} : { file }),
    ...(line === undefined ? {} : { line }),
  }));
  const isBarred = findBarrier(site) !== null;
  return { why: null, count: site.databases.length, faults: isBarred ? found : [], doubts: isBarred ? [] : found };
}

async function checkVirtualHost(site: Site, policy: Policy, run: TaskRun): Promise<Checked> {
  const server = webServerOf(policy);
  if (server === null) return NOT_ASKED('the policy names no web server');
  const found = new Findings();
  const own = readOwnVhosts(site, policy, found);
  const doubts: Problem[] = [];
  const files = new Set([...site.virtualHosts, ...own.map(({ path }) => path)]);
  if (files.size === 0)
    doubts.push({
      code: 'virtual-host-missing',
      message: `no virtual host of ${server.kind} serves it`,
      path: site.path,
    });
  const names = own.flatMap(({ hosts }) => hosts.flatMap((host) => host.names));
  const [first] = own;
  if (first !== undefined && ![site.uri, ...site.aliases].some((name) => names.includes(name.toLowerCase())))
    doubts.push({ code: 'virtual-host-nameless', message: 'has none of the names of the site', path: first.path });
  const broken = await findBroken(server, (line) => run.say(line));
  if (broken !== null) doubts.push(broken);
  return { why: null, count: files.size, faults: [], doubts };
}

async function checkPageOf(site: Site, policy: Policy, run: TaskRun): Promise<Checked> {
  const faults: Problem[] = [];
  const telling = {
    clock: run.clock,
    say: (line: string) => run.say(line),
    note: (problem: Problem) => void faults.push(problem),
  };
  const page = await followAvailability(site.uri, site.enabled === false ? 'off' : 'on', { policy }, telling);
  if (page === null) return NOT_ASKED('the policy names no page');
  return {
    why: page.verdict === 'closed' ? 'the site is switched off, and says so' : null,
    count: 1,
    faults,
    doubts: [],
  };
}
