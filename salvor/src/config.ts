/**
 * `salvor.yaml` and the environment, read once into frozen objects. The only file that looks at
 * `process.env`; every other part is handed what it needs.
 *
 * A key that is not known is refused with the nearest one that is, at its line and column: a
 * misspelt setting that is quietly ignored is a backup that is quietly not made.
 */
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { LineCounter, isAlias, isMap, isNode, isScalar, isSeq, parseDocument } from 'yaml';
import type { Document, Node } from 'yaml';
import { SalvorError } from './errors.ts';
import { errnoOf } from './lib/errno.ts';
import { nearestName } from './lib/nearest-name.ts';

export type Config = {
  /** The file that was read, absolute. */
  readonly file: string;
  /** The agent's store, keys and journals. */
  readonly state: string;
  /** Absolute; empty where the homes are to be found (`/data/disk/*`, `/var/aegir`). */
  readonly homes: readonly string[];
  /** The directory under which each account's repository lies: `<local>/<account>`. */
  readonly local: string;
  /** Where scratch trees are built; null for `.salvor` on the site's own file system. */
  readonly staging: string | null;
  readonly mariadb: { readonly socket: string | null; readonly defaultsFile: string | null };
  /** What a site's own settings don't say, by `URI` or `ACCOUNT/URI`. */
  readonly sites: Readonly<Record<string, SiteOverride>>;
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
  };
}

/** Where a configuration is looked for, in this order; one that was named is the only one. */
export function configPlaces(named: string | null, environment: Pick<Environment, 'configFile'>): readonly string[] {
  if (named !== null) return [resolve(named)];
  if (environment.configFile !== null) return [resolve(environment.configFile)];
  return [resolve('salvor.yaml'), SYSTEM_CONFIG];
}

/** Throws `config-missing`, `config-invalid` (with line and column), `config-exposed`, `remote-not-yet`. */
export function loadConfig(places: readonly string[]): Config {
  for (const file of places) {
    const read = readConfigFile(file);
    if (read === null) continue;
    const config = parseConfig(read.text, file);
    if (holdsPassword(config) && (read.mode & 0o077) !== 0) throw new SalvorError('config-exposed', { file });
    return config;
  }
  throw new SalvorError('config-missing', { places });
}

/** The configuration in `text`; `file` gives its name in errors and the directory of relative paths. */
export function parseConfig(text: string, file: string): Config {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const fail: Fail = (offset, problem) => {
    const { line, col } = lines.linePos(offset);
    throw new SalvorError('config-invalid', { file, line, column: col, problem });
  };
  const first = document.errors[0];
  if (first !== undefined) fail(first.pos[0], first.message);

  const here = dirname(resolve(file));
  const top = new Section(document, document.contents, 'the file', fail);
  top.allow(['state', 'homes', 'local', 'remote', 'staging', 'mariadb', 'sites']);
  if (top.has('remote')) throw new SalvorError('remote-not-yet', { where: `${file}:${top.lineOf('remote', lines)}` });

  const mariadb = top.section('mariadb');
  mariadb.allow(['socket', 'defaultsFile']);
  const config: Config = {
    file: resolve(file),
    state: top.path('state', here) ?? DEFAULTS.state,
    homes: top.paths('homes', here),
    local: top.local('local', here) ?? DEFAULTS.local,
    staging: top.path('staging', here),
    mariadb: { socket: mariadb.path('socket', here), defaultsFile: mariadb.path('defaultsFile', here) },
    sites: readSites(top.section('sites'), here),
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

function readConfigFile(file: string): { readonly text: string; readonly mode: number } | null {
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
    return { text: readFileSync(descriptor, 'utf8'), mode: stat.mode };
  } finally {
    closeSync(descriptor);
  }
}

function readSites(sites: Section, here: string): Record<string, SiteOverride> {
  return Object.fromEntries(
    sites.names().map((name) => {
      const site = sites.section(name);
      site.allow(['database', 'databases']);
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

type Fail = (offset: number, problem: string) => never;

/** A map of the file, whose readers fail at the place of what they read. Values never stand in errors: one may be a password. */
class Section {
  readonly #document: Document.Parsed;
  readonly #entries: ReadonlyMap<string, { readonly keyAt: number; readonly value: Node | null }>;
  readonly #at: number;
  readonly #title: string;
  readonly #fail: Fail;

  constructor(document: Document.Parsed, node: Node | null, title: string, fail: Fail) {
    this.#document = document;
    this.#title = title;
    this.#fail = fail;
    this.#at = offsetOf(node);
    const entries = new Map<string, { keyAt: number; value: Node | null }>();
    const resolved = this.#resolve(node);
    if (isMap(resolved)) {
      for (const { key, value } of resolved.items) {
        if (!isScalar(key)) fail(this.#at, `a key of ${title} must be a word`);
        entries.set(String(isScalar(key) ? key.value : ''), { keyAt: offsetOf(key), value: this.#resolve(value) });
      }
    } else if (resolved !== null && !(isScalar(resolved) && resolved.value === null)) {
      fail(this.#at, `${title} must hold 'key: value' lines`);
    }
    this.#entries = entries;
  }

  names(): readonly string[] {
    return [...this.#entries.keys()];
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  lineOf(name: string, lines: LineCounter): number {
    return lines.linePos(this.#entries.get(name)?.keyAt ?? 0).line;
  }

  allow(known: readonly string[]): void {
    for (const [name, { keyAt }] of this.#entries) {
      if (known.includes(name)) continue;
      const nearest = nearestName(name, known);
      const help = nearest === null ? `known are: ${known.join(', ')}` : `the nearest is '${nearest}'`;
      // What is not like a key at all may be a secret that lost its colon.
      const named = /^[\w-]{1,40}$/.test(name) ? ` '${name}'` : '';
      this.#fail(keyAt, `unknown key${named} in ${this.#title}; ${help}`);
    }
  }

  missing(name: string): never {
    return this.#fail(this.#at, `${this.#title} lacks '${name}'`);
  }

  section(name: string): Section {
    return new Section(this.#document, this.#entries.get(name)?.value ?? null, `'${name}'`, this.#fail);
  }

  sections(name: string): readonly Section[] {
    return this.#list(name).map(
      (item, i) => new Section(this.#document, item, `item ${i + 1} of '${name}'`, this.#fail),
    );
  }

  text(name: string): string | null {
    const value = this.#value(name);
    return value === null ? null : this.#text(name, value);
  }

  path(name: string, here: string): string | null {
    const text = this.text(name);
    return text === null ? null : resolve(here, text);
  }

  paths(name: string, here: string): readonly string[] {
    return this.#list(name).map((item) => resolve(here, this.#text(name, item)));
  }

  local(name: string, here: string): string | null {
    const text = this.text(name);
    if (text === null) return null;
    const directory = localDirectory(text, here);
    if (directory !== null) return directory;
    return this.#fail(offsetOf(this.#value(name)), `'${name}' must be a directory of this machine`);
  }

  port(name: string): number | null {
    const value = this.#value(name);
    if (value === null) return null;
    const port = isScalar(value) ? value.value : null;
    if (typeof port === 'number' && Number.isInteger(port) && port > 0 && port < 65536) return port;
    return this.#fail(offsetOf(value), `'${name}' must be a number from 1 to 65535`);
  }

  #value(name: string): Node | null {
    const value = this.#entries.get(name)?.value ?? null;
    return isScalar(value) && value.value === null ? null : value;
  }

  #list(name: string): readonly Node[] {
    const value = this.#value(name);
    if (value === null) return [];
    if (isSeq(value)) return value.items.map((item) => this.#resolve(item) ?? value);
    return this.#fail(offsetOf(value), `'${name}' must be a list: each item on its own line after '- '`);
  }

  #text(name: string, value: Node): string {
    if (isScalar(value) && typeof value.value === 'string' && value.value !== '') return value.value;
    // A name such as 0123 or 1e5 is a number to YAML, and its text is what was meant.
    if (isScalar(value) && typeof value.value === 'number' && value.source !== undefined) return value.source;
    return this.#fail(offsetOf(value), `'${name}' must be text`);
  }

  #resolve(node: unknown): Node | null {
    if (isAlias(node)) return node.resolve(this.#document) ?? null;
    return isNode(node) ? node : null;
  }
}

function offsetOf(node: unknown): number {
  return isNode(node) ? (node.range?.[0] ?? 0) : 0;
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) deepFreeze(inner);
    Object.freeze(value);
  }
  return value;
}
