/** What of a lost host is in no account: the users of its database servers, and its own files. */
import { join } from 'node:path';
import type { Problem } from '@salvor/contract';
import type { Config } from '../config.ts';
import { SalvorError } from '../errors.ts';
import type { HostPoints } from '../points/host-points.ts';
import type { HostRecord } from '../points/host-record.ts';
import { findAdministrator } from '../sites/administrator.ts';
import type { Site } from '../sites/site.ts';
import { type RecoverUsersTools, type RecoveredUsers, recoverServerUsers } from '../tasks/recover-server-users.ts';
import { writeHostFiles } from '../tasks/write-host-files.ts';
import { HOST_ACCOUNT } from './host-account.ts';
import type { PlannedAccount } from './plan-recovery.ts';

export type DatabaseUsersWanted = {
  readonly config: Config;
  /** All of this machine, as their homes say now. */
  readonly sites: readonly Site[];
  readonly accounts: readonly PlannedAccount[];
  readonly record: HostRecord | null;
  /** All users of the servers, or those of the wanted sites alone. */
  readonly isAll: boolean;
};

/** The administrator is this machine's, not the one that a home remembers: that user is among those that are missing. */
export async function recoverDatabaseUsers(
  { config, sites, accounts, record, isAll }: DatabaseUsersWanted,
  tools: Pick<RecoverUsersTools, 'signal'> & {
    readonly administratorOf: RecoverUsersTools['administratorOf'];
    readonly onProblem: (problem: Problem) => void;
  },
): Promise<RecoveredUsers> {
  const isOurs = (site: Site): boolean =>
    accounts.some(({ name, sites: own }) => name === site.account.name && own.some(({ uri }) => uri === site.uri));
  return await recoverServerUsers(
    { sites: sites.filter((site) => isOurs(site)), grants: record?.grants ?? [], isAll },
    {
      ...tools,
      administratorOfMachine: (server) =>
        findAdministrator({
          homes: [],
          server,
          optionFile: config.mariadb.defaultsFile ?? undefined,
          defaultSocket: config.mariadb.socket ?? undefined,
        }),
    },
  );
}

/** Into STATE/recovered-host, for a person to take from: over those of this machine nothing is written. */
export async function restoreHostFiles(config: Config, points: HostPoints): Promise<string> {
  const target = join(config.state, 'recovered-host');
  const repository = await points.repositories.open(HOST_ACCOUNT);
  const isWritten = await writeHostFiles(repository, target, config.state);
  if (!isWritten) throw new SalvorError('recovery-point-missing', { account: HOST_ACCOUNT, url: repository.location });
  return target;
}
