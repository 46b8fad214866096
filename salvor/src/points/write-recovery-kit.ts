import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeDurably } from '../lib/write-durably.ts';
import { type KitPlace, type RecoveryKit, renderRecoveryKit } from './recovery-kit.ts';
import { type RepositoryPlaces, copiesOf, loginOf } from './repositories.ts';

/** More lines of known hosts than a page should have. */
const MAX_HOST_KEYS = 20;

/** Writes the kit of a host as it is now, readable by root alone. Its path. Throws `remote-login-missing`. */
export function writeRecoveryKit(
  places: RepositoryPlaces,
  kit: Pick<RecoveryKit, 'host' | 'date' | 'recoveryKey' | 'repositories'>,
): string {
  const file = join(places.state, 'recovery-kit.html');
  writeDurably(file, renderRecoveryKit({ ...kit, places: copiesOf(places).map((copy) => placeOf(places, copy)) }));
  return file;
}

function placeOf(places: RepositoryPlaces, copy: KitPlace['copy']): KitPlace {
  if (copy === 'local' || places.remote === null) return { copy, url: places.local, login: null };
  const { url } = places.remote;
  if (url.startsWith('/')) return { copy, url, login: null };
  const { privateKeyFile, trust } = loginOf(places);
  const trusted = 'knownHostsFile' in trust ? readKnownHosts(trust.knownHostsFile, hostOf(url)) : trust.hostKeys;
  return { copy, url, login: { privateKey: readFileSync(privateKeyFile, 'utf8'), hostKeys: trusted } };
}

/** The lines that name the host; all of them where its name is hashed. */
function readKnownHosts(file: string, host: string): readonly string[] {
  const lines = (existsSync(file) ? readFileSync(file, 'utf8') : '').split('\n').filter((line) => /^[^#\s]/.test(line));
  const named = lines.filter((line) => (line.split(' ')[0] ?? '').includes(host));
  return (named.length > 0 ? named : lines).slice(0, MAX_HOST_KEYS);
}

function hostOf(url: string): string {
  return /^sftp:(?:\/\/)?(?:[^@/]*@)?(\[[^\]]+\]|[^:/]+)/.exec(url)?.[1] ?? url;
}
