import { hostname, networkInterfaces } from 'node:os';
import { type AegirContext, contextNamed } from './read-alias.ts';

/** Aegir's names of its own machine, whatever they say of their address. */
const OWN_SERVERS = new Set(['server_master', 'server_localhost']);

/** The machine that serves a platform's sites, as its context says; null where that is this one. */
export function remoteServerOf(platform: AegirContext | null, contexts: readonly AegirContext[]): string | null {
  const server = contextNamed(contexts, platform?.values.get('web_server') ?? platform?.values.get('server'));
  if (server === undefined || OWN_SERVERS.has(server.name)) return null;
  const address = server.values.get('remote_host')?.toLowerCase() ?? '';
  const own = contexts
    .find(({ name }) => name === 'server_master')
    ?.values.get('remote_host')
    ?.toLowerCase();
  const isLocal = address === '' || address === own || localNames().has(address);
  return isLocal ? null : address;
}

function localNames(): ReadonlySet<string> {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address));
  const name = hostname().toLowerCase();
  return new Set(['localhost', '127.0.0.1', '::1', name, name.split('.')[0] ?? name, ...addresses]);
}
