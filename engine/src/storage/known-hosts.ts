/**
 * Which host keys are trusted: those of an OpenSSH `known_hosts` file, or pinned ones. Reads; never adds a key.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** What is believed of the host keys of a server. */
export type HostTrust =
  /** A file as OpenSSH writes it: plain or hashed names, patterns, `@revoked`. */
  | { readonly knownHostsFile: string }
  /** Keys pinned by fingerprint (`SHA256:…`) or whole (`ssh-ed25519 AAAA…`). */
  | { readonly hostKeys: readonly string[] };

type TrustedKey = { readonly type: string; readonly key: Buffer; readonly isRevoked: boolean };

/** What is known of one host before it is connected to. */
export class KnownHost {
  readonly #keys: readonly TrustedKey[];
  readonly #fingerprints: readonly string[];
  readonly #source: string;

  private constructor(keys: readonly TrustedKey[], fingerprints: readonly string[], source: string) {
    this.#keys = keys;
    this.#fingerprints = fingerprints;
    this.#source = source;
  }

  /** @throws the system's error where the file can't be read; RangeError for a pin that is none. */
  static read(trust: HostTrust, host: string, port: number): KnownHost {
    if ('knownHostsFile' in trust) {
      const keys = parseKnownHosts(readFileSync(trust.knownHostsFile, 'utf8'), nameOfHost(host, port));
      return new KnownHost(keys, [], `in ${trust.knownHostsFile}`);
    }
    const fingerprints = trust.hostKeys.filter((pin) => /^SHA256:[A-Za-z0-9+/]{43}$/.test(pin));
    const whole = trust.hostKeys.filter((pin) => !fingerprints.includes(pin)).map(parsePin);
    return new KnownHost(whole, fingerprints, 'among the pinned keys');
  }

  /** Types to ask the server for, so that it shows a key that is known; null where any may be. */
  get keyTypes(): readonly string[] | null {
    const types = new Set(this.#keys.filter((each) => !each.isRevoked).map((each) => each.type));
    if (types.size === 0 || this.#fingerprints.length > 0) return null;
    return [...types].flatMap((type) => (type === 'ssh-rsa' ? ['rsa-sha2-512', 'rsa-sha2-256'] : [type]));
  }

  /** Null where the key is trusted, else why not. */
  distrust(key: Buffer): string | null {
    const seen = `${typeOf(key)} key ${fingerprintOf(key)}`;
    const same = this.#keys.filter((each) => each.key.length === key.length && timingSafeEqual(each.key, key));
    if (same.some((each) => each.isRevoked)) return `its ${seen} is revoked ${this.#source}`;
    if (same.length > 0 || this.#fingerprints.includes(fingerprintOf(key))) return null;
    const isChanged = this.#fingerprints.length > 0 || this.#keys.some((each) => !each.isRevoked);
    return isChanged ? `its ${seen} is another than those ${this.#source}` : `its ${seen} is not ${this.#source}`;
  }
}

/** As `ssh-keygen -l` prints it. */
export function fingerprintOf(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

/** A key in SSH's form begins with the length and the text of its type. */
function typeOf(key: Buffer): string {
  if (key.length < 4) return 'unreadable';
  return key.toString('latin1', 4, 4 + Math.min(key.readUInt32BE(), 64)).replaceAll(/[^\w@.-]/g, '?');
}

function nameOfHost(host: string, port: number): string {
  return port === 22 ? host.toLowerCase() : `[${host.toLowerCase()}]:${port}`;
}

function parsePin(pin: string): TrustedKey {
  const [type, encoded] = pin.trim().split(/\s+/);
  const key = Buffer.from(encoded ?? '', 'base64');
  if (type === undefined || typeOf(key) !== type)
    throw new RangeError('a pinned host key is neither a SHA256 fingerprint nor a public key');
  return { type, key, isRevoked: false };
}

function parseKnownHosts(text: string, name: string): TrustedKey[] {
  const found: TrustedKey[] = [];
  for (const line of text.split('\n')) {
    const fields = line.trim().split(/\s+/);
    if (line.trim().startsWith('#') || fields.length < 3) continue;
    const marker = fields[0]?.startsWith('@') === true ? fields.shift() : undefined;
    const [patterns = '', type = '', encoded = ''] = fields;
    // Certificates of hosts are not understood; a line that is not understood trusts nobody.
    if ((marker !== undefined && marker !== '@revoked') || !matches(patterns, name)) continue;
    const key = Buffer.from(encoded, 'base64');
    if (typeOf(key) === type) found.push({ type, key, isRevoked: marker === '@revoked' });
  }
  return found;
}

function matches(patterns: string, name: string): boolean {
  const hashed = /^\|1\|([^|]+)\|(.+)$/.exec(patterns);
  if (hashed !== null) {
    const wanted = Buffer.from(hashed[2] ?? '', 'base64');
    const found = createHmac('sha1', Buffer.from(hashed[1] ?? '', 'base64'))
      .update(name)
      .digest();
    return wanted.length === found.length && timingSafeEqual(wanted, found);
  }
  const all = patterns.toLowerCase().split(',');
  if (all.some((each) => each.startsWith('!') && matchesPattern(each.slice(1), name))) return false;
  return all.some((each) => !each.startsWith('!') && matchesPattern(each, name));
}

/** `*` and `?`; in time that grows with the product of the two lengths, whatever stars a pattern has. */
function matchesPattern(pattern: string, name: string): boolean {
  let [at, from] = [0, 0];
  /** Behind the last star, and where in the name its rest is tried. */
  let [star, tried] = [-1, 0];
  while (from < name.length) {
    if (pattern[at] === '*') [star, tried, at] = [at + 1, from, at + 1];
    else if (at < pattern.length && (pattern[at] === '?' || pattern[at] === name[from]))
      [at, from] = [at + 1, from + 1];
    else if (star === -1) return false;
    else [at, from] = [star, ++tried];
  }
  return pattern.slice(at).replaceAll('*', '') === '';
}
