/**
 * `salvor.yaml` and the environment, read once into frozen objects. The only file that looks at
 * `process.env`; every other part is handed what it needs.
 *
 * A key that is not known is refused with the nearest one that is, at its line and column: a
 * misspelt setting that is quietly ignored is a backup that is quietly not made.
 */
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { SalvorError } from './errors.ts';
import { errnoOf } from './lib/errno.ts';
import { openSection } from './lib/yaml-section.ts';
import type { PolicyLevels } from './policies/policy-levels.ts';
import { readPolicy } from './policies/read-policy.ts';
import type { PolicyChange } from './policies/settings.ts';
import type { Section } from './lib/yaml-section.ts';

export type Config = {
  /** The file that was read, absolute. */
  readonly file: string;
  /** The agent's store, keys and journals. */
  readonly state: string;
  /** Absolute; empty where the homes are to be found (`sites/find-homes.ts`). */
  readonly homes: readonly string[];
  /** The directory under which each account's repository lies: `<local>/<account>`. */
  readonly local: string;
  /** The directory of the compressed dumps that the nightly job writes besides, by default `sql` beside the local repositories: `<thirdCopy>/<account>/YYYY-MM-DD`. */
  readonly thirdCopy: string;
  /** Where each account's second repository lies; null where there is none. */
  readonly remote: RemotePlace | null;
  /** Where scratch trees are built; null for `.salvor` on the site's own file system. */
  readonly staging: string | null;
  readonly mariadb: { readonly socket: string | null; readonly defaultsFile: string | null };
  /** What a site's own settings don't say, by `URI` or `ACCOUNT/URI`. */
  readonly sites: Readonly<Record<string, SiteOverride>>;
  /** `policy` of the file, of its `accounts` and of its `sites`. */
  readonly policies: PolicyLevels;
};

/** The second place of the repositories, and how to get there. */
export type RemotePlace = {
  /** A directory on another disk, or an SFTP server's, as restic writes it; each account's repository lies below it. */
  readonly url: string;
  /** Private key for SFTP; null for the first of `~/.ssh/id_*`. */
  readonly identityFile: string | null;
  /** Host keys that are trusted; null for `~/.ssh/known_hosts`. */
  readonly knownHosts: string | null;
};

export type SiteOverride = { readonly databases: readonly DatabaseOverride[] };

/** One database of a site, as the hoster states it. What is null is taken from the site's settings. */
export type DatabaseOverride = {
  readonly name: string;
  readonly user: string | null;
  readonly password: string | null;
  readonly host: string | null;
  readonly port: number | null;
  readonly socket: string | null;
  readonly prefix: string | null;
};

export type Environment = {
  /** `$SALVOR_CONFIG` */
  readonly configFile: string | null;
  /** `$NO_COLOR` is set and not empty, or the terminal says that it is dumb. */
  readonly isColourUnwanted: boolean;
  readonly isTerminalDumb: boolean;
  /** `$RESTIC_REPOSITORY` and `$RESTIC_PASSWORD_FILE`: whoever comes from restic has them set. */
  readonly repository: string | null;
  readonly passwordFile: string | null;
  /** Of any name, for lists of exclude patterns, which may hold variables. */
  readonly variable: (name: string) => string;
};

/** Of design §5. */
export const DEFAULTS = {
  state: '/var/lib/salvor',
  local: '/var/backups/salvor/repositories',
} as const;

export const SYSTEM_CONFIG = '/etc/salvor/salvor.yaml';

/** No configuration is as long; a file that is was named by mistake. */
const MAX_CONFIG_BYTES = 1024 * 1024;

export function readEnvironment(): Environment {
  const term = process.env['TERM'] ?? '';
  return {
    configFile: process.env['SALVOR_CONFIG'] || null,
    isColourUnwanted: Boolean(process.env['NO_COLOR']) || term === 'dumb',
    isTerminalDumb: term === 'dumb',
    repository: process.env['RESTIC_REPOSITORY'] || null,
    passwordFile: process.env['RESTIC_PASSWORD_FILE'] || null,
    variable: (name) => process.env[name] ?? '',
  };
}

/** Where a configuration is looked for, in this order; one that was named is the only one. */
export function configPlaces(named: string | null, environment: Pick<Environment, 'configFile'>): readonly string[] {
  if (named !== null) return [resolve(named)];
  if (environment.configFile !== null) return [resolve(environment.configFile)];
  return [resolve('salvor.yaml'), SYSTEM_CONFIG];
}

/** Throws `config-missing`, `config-invalid` (with line and column), `config-exposed`, `config-foreign`. */
export function loadConfig(places: readonly string[]): Config {
  for (const file of places) {
    const read = readConfigFile(file);
    if (read === null) continue;
    const config = parseConfig(read.text, file);
    requireTrusted(file, read);
    if (holdsPassword(config) && (read.mode & 0o077) !== 0) throw new SalvorError('config-exposed', { file });
    return config;
  }
  throw new SalvorError('config-missing', { places });
}

/** The configuration in `text`; `file` gives its name in errors and the directory of relative paths. */
export function parseConfig(text: string, file: string): Config {
  const top = openSection(text, ({ line, column }, problem) => {
    throw new SalvorError('config-invalid', { file, line, column, problem });
  });
  const here = dirname(resolve(file));
  top.allow(['state', 'homes', 'local', 'thirdCopy', 'remote', 'staging', 'mariadb', 'accounts', 'sites', 'policy']);

  const mariadb = top.section('mariadb');
  mariadb.allow(['socket', 'defaultsFile']);
  const local =
    top.parsed('local', (named) => localDirectory(named, here), 'must be a directory of this machine') ??
    DEFAULTS.local;
  const config: Config = {
    file: resolve(file),
    state: top.path('state', here) ?? DEFAULTS.state,
    homes: top.paths('homes', here),
    local,
    thirdCopy: top.path('thirdCopy', here) ?? join(dirname(local), 'sql'),
    remote: readRemote(top, here),
    staging: top.path('staging', here),
    mariadb: { socket: mariadb.path('socket', here), defaultsFile: mariadb.path('defaultsFile', here) },
    sites: readSites(top.section('sites'), here),
    policies: {
      host: readPolicy(top.section('policy')),
      accounts: readPolicies(top.section('accounts'), ['policy']),
      sites: readPolicies(top.section('sites'), SITE_KEYS),
    },
  };
  return deepFreeze(config);
}

/** Whether the file must be its owner's alone. */
export function holdsPassword(config: Config): boolean {
  return Object.values(config.sites).some((site) => site.databases.some((database) => database.password !== null));
}

/** The directory that `--local` and `local:` name: a path, or the same with `local:` before it. Null for another kind of place. */
export function localDirectory(named: string, relativeTo: string): string | null {
  const path = named.startsWith('local:') ? named.slice('local:'.length) : named;
  if (path === '' || /^[a-z][a-z0-9+]*:/i.test(path)) return null;
  return resolve(relativeTo, path);
}

type ReadFile = { readonly text: string; readonly mode: number; readonly uid: number };

/** What is in it is done with root's rights: where somebody else may write it, these are his. */
function requireTrusted(file: string, { uid, mode }: ReadFile): void {
  if (process.getuid?.() !== 0) return;
  if (uid !== 0) throw new SalvorError('config-foreign', { file, why: `it belongs to user ${uid}` });
  if ((mode & 0o022) !== 0) throw new SalvorError('config-foreign', { file, why: 'others may write it' });
}

function readConfigFile(file: string): ReadFile | null {
  let descriptor: number;
  try {
    descriptor = openSync(file, 'r');
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return null;
    throw new SalvorError('config-unreadable', { file, reason: errnoOf(cause) ?? String(cause) }, { cause });
  }
  try {
    const stat = fstatSync(descriptor);
    if (!stat.isFile()) throw new SalvorError('config-unreadable', { file, reason: 'it is not a file' });
    if (stat.size > MAX_CONFIG_BYTES)
      throw new SalvorError('config-unreadable', { file, reason: 'it is over 1 MiB long' });
    return { text: readFileSync(descriptor, 'utf8'), mode: stat.mode, uid: stat.uid };
  } finally {
    closeSync(descriptor);
  }
}

function readRemote(top: Section, here: string): RemotePlace | null {
  if (!top.has('remote')) return null;
  const readUrl = (named: string): string | null => remoteUrl(named, here);
  const problem = 'must be a directory or sftp:user@host:/path';
  if (!top.holdsSection('remote')) {
    const url = top.parsed('remote', readUrl, problem);
    return url === null ? null : { url, identityFile: null, knownHosts: null };
  }
  const section = top.section('remote');
  section.allow(['url', 'identityFile', 'knownHosts']);
  return {
    url: section.parsed('url', readUrl, problem) ?? section.missing('url'),
    identityFile: section.path('identityFile', here),
    knownHosts: section.path('knownHosts', here),
  };
}

/** The address that `--remote` and `remote:` name; directories absolute. Null for one that no storage has. */
export function remoteUrl(named: string, relativeTo: string): string | null {
  return /^sftp:./.test(named) ? named.replace(/\/+$/, '') : localDirectory(named, relativeTo);
}

const SITE_KEYS = ['database', 'databases', 'policy'] as const;

/** Of each section that says something of it. */
function readPolicies(parents: Section, keys: readonly string[]): Record<string, PolicyChange> {
  return Object.fromEntries(
    parents.names().flatMap((name) => {
      const section = parents.section(name);
      section.allow(keys);
      return section.has('policy') ? [[name, readPolicy(section.section('policy'))]] : [];
    }),
  );
}

function readSites(sites: Section, here: string): Record<string, SiteOverride> {
  return Object.fromEntries(
    sites.names().map((name) => {
      const site = sites.section(name);
      site.allow(SITE_KEYS);
      const sections = site.has('database') ? [site.section('database')] : site.sections('databases');
      return [name, { databases: sections.map((section) => readDatabase(section, here)) }];
    }),
  );
}

function readDatabase(section: Section, here: string): DatabaseOverride {
  section.allow(['name', 'user', 'password', 'host', 'port', 'socket', 'prefix']);
  return {
    name: section.text('name') ?? section.missing('name'),
    user: section.text('user'),
    password: section.text('password'),
    host: section.text('host'),
    port: section.port('port'),
    socket: section.path('socket', here),
    prefix: section.text('prefix'),
  };
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) deepFreeze(inner);
    Object.freeze(value);
  }
  return value;
}
