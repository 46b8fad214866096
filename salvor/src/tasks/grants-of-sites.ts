import type { Problem } from '@salvor/contract';
import type { DatabaseLogin, ServerAddress } from '../databases/mariadb/connect.ts';
import { readGrants } from '../databases/mariadb/read-grants.ts';
import { identifyServer, showServer } from '../sites/database-address.ts';
import type { Site } from '../sites/site.ts';
import type { NightText } from './back-up-account.ts';
import { codeOf } from '../lib/errno.ts';

export type GrantsTools = {
  readonly administratorOf: (server: ServerAddress, home: string) => Promise<DatabaseLogin>;
  readonly signal: AbortSignal;
  readonly onProblem: (problem: Problem) => void;
};

/** `grants-N.sql` for each database server of the sites. A server that does not answer is a problem. */
export async function grantsOfSites(sites: readonly Site[], tools: GrantsTools): Promise<readonly NightText[]> {
  const servers = new Map<string, { readonly server: ServerAddress; readonly home: string }>();
  for (const { databases, account } of sites)
    for (const { engine, login } of databases)
      if (engine === 'mariadb')
        servers.set(identifyServer(login.address), { server: login.address, home: account.home });
  const texts: NightText[] = [];
  for (const { server, home } of servers.values()) {
    try {
      const text = await readGrants(await tools.administratorOf(server, home), tools.signal);
      texts.push({ name: `grants-${texts.length + 1}.sql`, text: `-- ${showServer(server)}\n${text}` });
    } catch (error) {
      if (tools.signal.aborted) throw error;
      const code = codeOf(error) ?? 'grants-unread';
      const message = `the users of ${showServer(server)}: ${error instanceof Error ? error.message : String(error)}`;
      tools.onProblem({ code, message, path: showServer(server) });
    }
  }
  return texts;
}
