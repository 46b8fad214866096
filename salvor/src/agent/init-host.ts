import type { InitDocument, Problem } from '@salvor/contract';
import type { Config } from '../config.ts';
import { findUnprotectedLinks } from '../lib/beneath/hard-links.ts';
import type { EnsuredRepositories, EnsuredRepository } from '../points/account-repositories.ts';
import type { HostPoints } from '../points/host-points.ts';
import type { CopyName } from '../points/repositories.ts';
import { documentOfSite, readHost } from './host-sites.ts';

/** Makes what the host lacks: a repository and a key per account and copy. What is there stays. */
export async function initHost(
  config: Config,
  points: HostPoints,
  clock: () => Date,
  signal: AbortSignal | undefined,
): Promise<Omit<InitDocument, 'config' | 'written'>> {
  const found = await readHost(config, signal);
  const names = found.accounts.map(({ name }) => name);
  const ensured = await points.repositories.ensure(names, { signal });
  const madeOf = (name: string, copy: CopyName): EnsuredRepository | null =>
    ensured.repositories.find((made) => made.account === name && made.copy === copy) ?? null;
  const accounts = found.accounts.flatMap(({ name, home }) => {
    const local = madeOf(name, 'local');
    const remote = madeOf(name, 'remote');
    if (local === null) return [];
    const { keyFile } = local;
    return [{ name, home, repository: placeOfRepository(local), remote: remote && placeOfRepository(remote), keyFile }];
  });
  const problems = [...found.problems, ...ensured.problems, ...findUnprotectedLinks()];
  const recoveryKit =
    accounts.length === 0 ? null : writeKit(points, ensured, { state: config.state, date: clock() }, problems);
  return {
    stateDirectory: config.state,
    recoveryKit,
    accounts,
    sites: found.sites.map(documentOfSite),
    notSites: found.notSites,
    problems,
  };
}

/** Without it the repositories are as good as they were: what keeps it from being written is a problem. */
function writeKit(
  points: HostPoints,
  { repositories }: EnsuredRepositories,
  { state, date }: { readonly state: string; readonly date: Date },
  problems: Problem[],
): string | null {
  try {
    return points.repositories.writeKit(repositories, date);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    problems.push({ code: 'recovery-kit-unwritten', path: state, message });
    return null;
  }
}

function placeOfRepository({ url, id, created }: EnsuredRepository): { url: string; id: string; created: boolean } {
  return { url, id, created };
}
