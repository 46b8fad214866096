/** The places that a recovery kit names, as repositories are opened at: with the log-in of the kit in files of root's alone. */
import { join } from 'node:path';
import { makeDirectories } from '../lib/make-directories.ts';
import { writeDurably } from '../lib/write-durably.ts';
import type { KitPlace, RecoveryKit } from './recovery-kit.ts';
import type { CopyName, RepositoryPlaces } from './repositories.ts';

/** `directory` gets the log-in of the remote place, and is where the caches of it lie. */
export function placesOfKit({ places }: Pick<RecoveryKit, 'places'>, directory: string): RepositoryPlaces {
  const local = places.find(({ copy }) => copy === 'local');
  const remote = places.find(({ copy }) => copy === 'remote');
  return {
    state: directory,
    local: local?.url ?? join(directory, 'none'),
    remote: remote === undefined ? null : { url: remote.url, ...writeLogin(remote.login, join(directory, 'login')) },
  };
}

/** The place that is recovered from where none is named: the remote one, as the machine may be new. */
export function defaultPlace({ places }: Pick<RecoveryKit, 'places'>): CopyName {
  return places.some(({ copy }) => copy === 'remote') ? 'remote' : 'local';
}

/** Private key and host keys as files; of a directory of this machine there are none. */
export function writeLogin(
  login: KitPlace['login'],
  directory: string,
): { readonly identityFile: string | null; readonly knownHosts: string | null } {
  if (login === null) return { identityFile: null, knownHosts: null };
  makeDirectories(directory, 0o700);
  const [identityFile, knownHosts] = [join(directory, 'key'), join(directory, 'known_hosts')];
  writeDurably(identityFile, `${login.privateKey.trimEnd()}\n`, 0o600);
  writeDurably(knownHosts, `${login.hostKeys.join('\n')}\n`, 0o600);
  return { identityFile, knownHosts };
}
