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
  const file = kitFileOf(places);
  writeDurably(file, renderRecoveryKit({ ...kit, places: kitPlacesOf(places) }));
  return file;
}

/** Where the kit of a host lies. */
export function kitFileOf({ state }: Pick<RepositoryPlaces, 'state'>): string {
  return join(state, 'recovery-kit.html');
}

function kitPlacesOf(places: RepositoryPlaces): readonly KitPlace[] {
  return copiesOf(places).map((copy) => placeOf(places, copy));
}

/** What a kit says otherwise than one of now would, in words: with it a copy could not be reached, or not be opened. Throws `remote-login-missing`. */
export function findStale(
  places: RepositoryPlaces,
  kit: Pick<RecoveryKit, 'recoveryKey' | 'places'>,
  recoveryKey: string,
): readonly string[] {
  const now = kitPlacesOf(places);
  const stale = now.flatMap(({ copy, url, login }) => {
    const named = kit.places.find((place) => place.copy === copy);
    if (named === undefined) return [`it does not name the ${copy} place ${url}`];
    if (named.url !== url) return [`it names ${named.url} as the ${copy} place, which is ${url}`];
    if (login === null) return [];
    if (named.login?.privateKey !== login.privateKey) return [`its private key for ${url} is another`];
    const isKnown = login.hostKeys.some((key) => named.login?.hostKeys.includes(key) === true);
    return isKnown || login.hostKeys.length === 0 ? [] : [`it knows none of the keys that ${url} shows`];
  });
  return kit.recoveryKey === recoveryKey ? stale : ['its recovery key is not the one in force', ...stale];
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
