/** What a recovery will take on which disk, before anything is done: one that fails for want of room leaves half of a host. */
import type { Problem } from '@salvor/contract';
import { SalvorError } from '../errors.ts';
import type { Config } from '../config.ts';
import { measureStored } from '../points/measure-night.ts';
import { hasRepository, openCopyStorage } from '../points/repositories.ts';
import { findAdministrator } from '../sites/administrator.ts';
import { findDataDirectory } from '../tasks/data-directory.ts';
import { type SpaceNeed, findSpaceProblems } from '../tasks/space.ts';
import type { PlannedAccount } from './plan-recovery.ts';

/** Tables with their indexes and the server's logs take about twice what their dump does. */
const TABLES_PER_DUMP = 2;

/** Gives each disk that is too small, with what it lacks. */
export async function findTightDisks(
  config: Config,
  accounts: readonly PlannedAccount[],
  signal: AbortSignal,
): Promise<readonly Problem[]> {
  const needs: SpaceNeed[] = [];
  for (const { name, size } of accounts) {
    const brought = size.stored === 0 ? 0 : await measureLocal(config, name, signal);
    needs.push(...size.homes, { path: config.local, bytes: Math.max(0, size.stored - brought), files: 0 });
  }
  const dumps = accounts.reduce((sum, { size }) => sum + size.dumps, 0);
  const directory = dumps === 0 ? null : await findServerDirectory(config, signal);
  if (directory !== null) needs.push({ path: directory, bytes: dumps * TABLES_PER_DUMP, files: 0 });
  return findSpaceProblems(needs, { what: 'the recovery', times: 1 });
}

/** What an earlier run has brought. */
async function measureLocal(config: Config, account: string, signal: AbortSignal): Promise<number> {
  if (!hasRepository(config, account)) return 0;
  await using opening = new AsyncDisposableStack();
  return await measureStored(openCopyStorage(config, account, 'local', {}, opening), signal);
}

/** Throws `recovery-space-missing`. */
export function requireSpace(tight: readonly Problem[]): void {
  if (tight.length === 0) return;
  throw new SalvorError('recovery-space-missing', { why: tight.map(({ message }) => message).join('; ') });
}

/** Of the machine's own server; null where there is none, or it can't be asked. */
async function findServerDirectory({ mariadb }: Config, signal: AbortSignal): Promise<string | null> {
  const found = {
    homes: [],
    optionFile: mariadb.defaultsFile ?? undefined,
    defaultSocket: mariadb.socket ?? undefined,
  };
  try {
    return await findDataDirectory(await findAdministrator(found), signal);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof SalvorError) return null;
    throw error;
  }
}
