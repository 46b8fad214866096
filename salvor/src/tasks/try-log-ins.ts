import { type DatabaseLogin, openConnection, type ServerAddress } from '../databases/mariadb/connect.ts';
import { codeOf } from '../lib/errno.ts';
import { identifyServer, showServer } from '../sites/database-address.ts';
import { type Site, siteKey } from '../sites/site.ts';

export type FailedLogIn = {
  /** Whose it is: a site's own, or the administrator's of a server. */
  readonly of: 'site' | 'administrator';
  readonly error: unknown;
  /** ACCOUNT/URI, or the server. */
  readonly path: string;
};

export type LogInTools = {
  readonly administratorOf: (server: ServerAddress, home: string) => Promise<DatabaseLogin>;
  readonly signal: AbortSignal | undefined;
};

/**
 * Logs in as each site to its databases and as the administrator of each server. A server that does not answer is asked
 * once: each further try would cost the time of a whole wait.
 */
export async function tryLogIns(
  sites: readonly Site[],
  { administratorOf, signal }: LogInTools,
): Promise<readonly FailedLogIn[]> {
  const failed: FailedLogIn[] = [];
  const servers = new Map<string, { readonly server: ServerAddress; readonly home: string }>();
  const silent = new Set<string>();
  for (const site of sites) {
    for (const { engine, name, login } of site.databases) {
      if (engine !== 'mariadb') continue;
      const server = identifyServer(login.address);
      servers.set(server, { server: login.address, home: site.account.home });
      if (silent.has(server)) continue;
      const error = await failureOf(async () => {
        await using connection = await openConnection(login, { database: name, signal });
        await connection.query('SELECT 1');
      }, signal);
      if (error === null) continue;
      failed.push({ of: 'site', error, path: siteKey(site) });
      if (codeOf(error) === 'database-unreachable') silent.add(server);
    }
  }
  for (const [name, { server, home }] of servers) {
    if (silent.has(name)) continue;
    const error = await failureOf(async () => {
      await using connection = await openConnection(await administratorOf(server, home), { signal });
      await connection.query('SELECT 1');
    }, signal);
    if (error !== null) failed.push({ of: 'administrator', error, path: showServer(server) });
  }
  return failed;
}

async function failureOf(attempt: () => Promise<void>, signal: AbortSignal | undefined): Promise<unknown> {
  try {
    await attempt();
    return null;
  } catch (error) {
    signal?.throwIfAborted();
    return error;
  }
}
