/**
 * The users of the database servers that recovered sites are on, made again out of what the lost host wrote down of them. Where
 * it wrote nothing down that is a problem, and a person's work.
 */
import type { Problem } from '@salvor/contract';
import { applyGrants, applyLater } from '../databases/mariadb/apply-grants.ts';
import type { DatabaseLogin, ServerAddress } from '../databases/mariadb/connect.ts';
import { codeOf } from '../lib/errno.ts';
import { identifyServer, showServer } from '../sites/database-address.ts';
import type { Site } from '../sites/site.ts';

export type RecoverUsersTools = {
  /** As it is asked for in everyday work: the one that the homes name. */
  readonly administratorOf: (server: ServerAddress, home: string) => Promise<DatabaseLogin>;
  /** Who may make users on the empty server. */
  readonly administratorOfMachine: (server: ServerAddress) => Promise<DatabaseLogin>;
  readonly signal: AbortSignal;
  readonly onProblem: (problem: Problem) => void;
};

export type RecoveredUsers = {
  readonly made: readonly string[];
  /** Gives the rights on single tables, when those are there. */
  readonly finish: () => Promise<void>;
};

type Server = { readonly address: ServerAddress; readonly homes: Set<string>; readonly users: Set<string> };

export async function recoverServerUsers(
  {
    sites,
    grants,
    isAll,
  }: { readonly sites: readonly Site[]; readonly grants: readonly string[]; readonly isAll: boolean },
  tools: RecoverUsersTools,
): Promise<RecoveredUsers> {
  const made: string[] = [];
  const later: { readonly admin: DatabaseLogin; readonly statements: readonly string[] }[] = [];
  for (const server of serversOf(sites)) {
    const shown = showServer(server.address);
    try {
      const text = grants.find((one) => one.startsWith(`-- ${shown}\n`));
      if (text === undefined) {
        const message = `the host wrote down no users of the database server ${shown}: make those of the sites by hand`;
        tools.onProblem({ code: 'grants-unread', message, path: shown });
        continue;
      }
      const admin = await tools.administratorOfMachine(server.address);
      for (const home of server.homes) server.users.add((await tools.administratorOf(server.address, home)).user);
      const isWanted = (user: string): boolean => isAll || server.users.has(user);
      const applied = await applyGrants(admin, text, { isWanted, signal: tools.signal });
      made.push(...applied.made);
      applied.problems.forEach((problem) => tools.onProblem(problem));
      later.push({ admin, statements: applied.later });
    } catch (error) {
      tools.signal.throwIfAborted();
      const message = `the users of ${shown}: ${error instanceof Error ? error.message : String(error)}`;
      tools.onProblem({ code: codeOf(error) ?? 'grants-failed', message, path: shown });
    }
  }
  const finish = async (): Promise<void> => {
    for (const { admin, statements } of later)
      for (const problem of await applyLater(admin, statements, tools.signal)) tools.onProblem(problem);
  };
  return { made, finish };
}

function serversOf(sites: readonly Site[]): Iterable<Server> {
  const servers = new Map<string, Server>();
  for (const { account, databases } of sites) {
    for (const { engine, login } of databases) {
      if (engine !== 'mariadb') continue;
      const key = identifyServer(login.address);
      const server = servers.get(key) ?? { address: login.address, homes: new Set(), users: new Set() };
      servers.set(key, server);
      server.homes.add(account.home);
      server.users.add(login.user);
    }
  }
  return servers.values();
}
