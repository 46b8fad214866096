import type {
  AccountStatus,
  Problem,
  RepositoryStatus,
  SiteStatus,
  StatusDocument,
  TaskSummary,
} from '@salvor/contract';
import type { Config } from '../config.ts';
import type { ListedPoint } from '../points/listed-point.ts';
import { type RepositoryPlaces, hasRepository, repositorySince, repositoryUrlOf } from '../points/repositories.ts';
import type { FoundSites } from '../sites/find-sites.ts';
import type { HostPoints } from '../points/host-points.ts';
import { type NightsLook, readAccountStatus } from './account-status.ts';
import { codeOf } from '../lib/errno.ts';
import { hostAccount } from './host-account.ts';
import { documentOfSite } from './host-sites.ts';
import type { TaskRoom } from './run-task.ts';
import { problemOfHung } from './task-documents.ts';

export type StatusRoom = Pick<TaskRoom, 'log' | 'locks' | 'clock'> & {
  readonly config: Config;
  readonly points: HostPoints;
};

/** How the host stands. A repository that can't be opened is a fact here, and no failure. */
export async function readStatus(
  room: StatusRoom,
  found: FoundSites,
  tasks: readonly TaskSummary[],
): Promise<StatusDocument> {
  const { config: places, points } = room;
  const repositories: RepositoryStatus[] = [];
  const pointsOf = new Map<string, readonly ListedPoint[]>();
  const problemsOf = new Map<string, readonly Problem[]>();
  for (const { name } of found.accounts) {
    const listed = await listOf(name, places, points);
    repositories.push({
      account: name,
      copy: 'local',
      url: repositoryUrlOf(places, name, 'local'),
      state: listed.state,
    });
    pointsOf.set(name, listed.points);
    problemsOf.set(name, listed.problems);
  }
  if (places.remote !== null) {
    for (const { name } of found.accounts) {
      const { state, problem } = await remoteStateOf(name, points, repositories);
      repositories.push({ account: name, copy: 'remote', url: repositoryUrlOf(places, name, 'remote'), state });
      if (problem !== null) problemsOf.set(name, [...(problemsOf.get(name) ?? []), problem]);
    }
  }
  const hung = tasks.filter(({ isHung }) => isHung);
  const sites = found.sites.map((site): SiteStatus => {
    const last = pointsOf.get(site.account.name)?.find(({ row }) => row.uri === site.uri && row.safety === 0);
    return {
      uri: site.uri,
      account: site.account.name,
      lastPoint:
        last === undefined ? null : { id: last.row.id, time: last.row.time, complete: last.row.complete === 1 },
      problems: [
        ...documentOfSite(site).problems,
        ...(problemsOf.get(site.account.name) ?? []),
        ...hung.filter(({ account, uri }) => account === site.account.name && uri === site.uri).map(problemOfHung),
      ],
    };
  });
  const agent = room.locks.findAgent();
  return {
    sites,
    tasks,
    repositories,
    accounts: await readAccounts(room, found, pointsOf),
    agent: agent === null ? null : { process: agent.pid },
  };
}

/** Of the host itself too, where it has a repository. */
async function readAccounts(
  { config, points, log, clock }: StatusRoom,
  found: FoundSites,
  pointsOf: ReadonlyMap<string, readonly ListedPoint[]>,
): Promise<readonly AccountStatus[]> {
  const look: NightsLook = {
    log,
    points,
    levels: config.policies,
    now: clock(),
    hasRemote: config.remote !== null,
    madeAt: (account) => repositorySince(config, account),
  };
  const accounts: AccountStatus[] = [];
  for (const { name } of found.accounts) accounts.push(await readAccountStatus(name, pointsOf.get(name) ?? [], look));
  const host = hostAccount();
  if (host !== null && hasRepository(config, host.name)) accounts.push(await readAccountStatus(host.name, [], look));
  return accounts;
}

async function listOf(
  account: string,
  places: RepositoryPlaces,
  points: HostPoints,
): Promise<{ state: RepositoryStatus['state']; points: readonly ListedPoint[]; problems: readonly Problem[] }> {
  const state = hasRepository(places, account) ? 'ready' : 'missing';
  try {
    const { points: listed, problems, localFault } = await points.listAll(account);
    return { state: localFault === null || state === 'missing' ? state : 'failed', points: listed, problems };
  } catch (error) {
    const code = codeOf(error) ?? 'repository-failed';
    const message = error instanceof Error ? error.message : String(error);
    const problem = { code, message, path: repositoryUrlOf(places, account, 'local') };
    return { state: state === 'missing' ? state : 'failed', points: [], problems: [problem] };
  }
}

/** A place that did not answer once is not asked again for each account: the command would stand for minutes. */
async function remoteStateOf(
  account: string,
  points: HostPoints,
  known: readonly RepositoryStatus[],
): Promise<{ state: RepositoryStatus['state']; problem: Problem | null }> {
  if (known.some(({ copy, state }) => copy === 'remote' && state === 'failed'))
    return { state: 'failed', problem: null };
  try {
    await points.repositories.open(account, 'remote');
    return { state: 'ready', problem: null };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'repository-failed';
    const message = error instanceof Error ? error.message : String(error);
    const isMissing = code === 'repository-missing' || code === 'key-unreadable';
    return { state: isMissing ? 'missing' : 'failed', problem: { code, message, path: account } };
  }
}
