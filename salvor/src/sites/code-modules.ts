/**
 * Which modules, themes and profiles the code under a site has, and up to which database update each goes: read from the
 * `.info`, `.info.yml` and `.install` files as text. Nothing is run. Where two places have one of the same name, the one
 * nearer to the site counts, as Drupal has it: core, profiles, the platform's own, `sites/all`, the site.
 */
import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import type { PhpFiles } from '../lib/php-reading.ts';
import { readCore } from './core-version.ts';
import { listDirectory } from './list-directory.ts';
import { filesBeneath, isBeneath } from './read-beneath.ts';

export type CodeModule = {
  readonly name: string;
  readonly type: 'module' | 'theme' | 'profile';
  readonly version: string | null;
  /** Number of its last database update; null where it has none, or its file can't be read. */
  readonly schema: number | null;
  /** Updates up to this one have left the code: an older site can't be brought up by it. */
  readonly removed: number | null;
  /** Of its directory. */
  readonly path: string;
};

export type CodeModules = {
  readonly core: string | null;
  readonly modules: ReadonlyMap<string, CodeModule>;
  /** Too much to be looked at, or places that can't be read: what is missing may be there. */
  readonly isCut: boolean;
};

export type CodePlace = {
  /** Of the platform: absolute and without links. */
  readonly root: string;
  /** The site's own directory, or one where it is being built; null where there is none yet. */
  readonly site: string | null;
  /** Homes of the account: what lies outside of them is not read. */
  readonly homes: readonly string[];
};

/** Code that a host shares between platforms by links, root's own and readable by everybody. */
const SHARED = ['/data/all', '/usr/share'];
const NOT_ENTERED = new Set(
  'tests test node_modules vendor bower_components files css js images templates translations config src lib libraries private'.split(
    ' ',
  ),
);
/** A platform with a thousand modules has some ten thousand directories. */
const MAX_DIRECTORIES = 30_000;
const MAX_DEPTH = 9;
/** A module that keeps its updates beside its `.install` names the files so. */
const UPDATE_FILES = /(?:install|update)[^/]*\.(?:inc|php|install)$|\.install$/i;
const MAX_UPDATE_FILES = 20;

export function readCodeModules(place: CodePlace): CodeModules {
  const scan = new Scan(place);
  const { root, site } = place;
  for (const path of ['core/modules', 'core/themes', 'core/profiles', 'profiles', 'modules', 'themes'])
    scan.enter(join(root, path));
  for (const path of ['modules', 'themes']) scan.enter(join(root, 'sites/all', path));
  if (site !== null) for (const path of ['modules', 'themes', 'profiles']) scan.enter(join(site, path));
  return { core: readCore(root, scan.files)?.version ?? null, modules: scan.modules, isCut: scan.isCut };
}

class Scan {
  readonly modules = new Map<string, CodeModule>();
  readonly files: PhpFiles;
  isCut = false;
  readonly #allowed: readonly string[];
  readonly #seen = new Set<string>();

  constructor({ root, site, homes }: CodePlace) {
    const roots = [...homes, root, ...(site === null ? [] : [site])];
    this.files = filesBeneath(roots, SHARED);
    this.#allowed = [...roots, ...SHARED];
  }

  enter(path: string, depth = 0): void {
    const real = this.#resolve(path);
    if (real === null || this.#seen.has(real)) return;
    if (depth > MAX_DEPTH || this.#seen.size >= MAX_DIRECTORIES) {
      this.isCut = true;
      return;
    }
    this.#seen.add(real);
    const listed = listDirectory(real);
    if ('refused' in listed) {
      this.isCut ||= listed.refused !== null;
      return;
    }
    this.isCut ||= listed.isCut;
    for (const name of listed.names) {
      const match = /^([A-Za-z_]\w*)\.info(\.yml)?$/.exec(name);
      if (match?.[1] !== undefined) this.#take(real, match[1], match[2] !== undefined, listed.names);
    }
    for (const name of [...listed.directories, ...listed.links])
      if (!NOT_ENTERED.has(name) && !name.startsWith('.')) this.enter(join(real, name), depth + 1);
  }

  /** Null for what is no directory, or may not be looked at. */
  #resolve(path: string): string | null {
    try {
      const real = realpathSync(path);
      return this.#allowed.some((root) => isBeneath(real, root)) ? real : null;
    } catch {
      return null;
    }
  }

  #take(directory: string, name: string, isYaml: boolean, names: ReadonlySet<string>): void {
    const info = this.#read(join(directory, `${name}.info${isYaml ? '.yml' : ''}`));
    if (info === null) return;
    const type = isYaml ? typeOfYaml(info) : typeOfInfo(name, names);
    if (type === null) return;
    const updates = names.has(`${name}.install`)
      ? this.#readUpdates(directory, name, names)
      : { schema: null, removed: null };
    this.modules.set(name, { name, type, version: versionOf(info, isYaml), ...updates, path: directory });
  }

  #readUpdates(directory: string, name: string, names: ReadonlySet<string>): Pick<CodeModule, 'schema' | 'removed'> {
    const texts = [this.#read(join(directory, `${name}.install`)) ?? ''];
    if (/\b(?:include|require)(?:_once)?\b|module_load_include|loadInclude/.test(texts[0] ?? ''))
      for (const other of [...names].filter((each) => UPDATE_FILES.test(each)).slice(0, MAX_UPDATE_FILES))
        texts.push(this.#read(join(directory, other)) ?? '');
    const code = texts.map(withoutComments).join('\n');
    const numbers = [...code.matchAll(new RegExp(String.raw`function\s+&?\s*${name}_update_(\d{1,8})\s*\(`, 'g'))].map(
      (match) => Number(match[1]),
    );
    const removed = new RegExp(
      String.raw`function\s+${name}_update_last_removed\s*\([^)]*\)[^{]*\{\s*return\s+(\d{1,8})\s*;`,
    ).exec(code)?.[1];
    const last = Math.max(...numbers, Number(removed ?? -1));
    return { schema: last < 0 ? null : last, removed: removed === undefined ? null : Number(removed) };
  }

  #read(path: string): string | null {
    const found = this.files.read(path);
    return found.kind === 'read' ? Buffer.from(found.bytes).toString('latin1') : null;
  }
}

function typeOfYaml(info: string): CodeModule['type'] | null {
  const type = /^type:\s*['"]?(module|theme|profile)\b/m.exec(info)?.[1];
  return (type as CodeModule['type'] | undefined) ?? null;
}

/** Up to Drupal 7 the file beside it tells; a theme needs none. */
function typeOfInfo(name: string, names: ReadonlySet<string>): CodeModule['type'] {
  if (names.has(`${name}.profile`)) return 'profile';
  return names.has(`${name}.module`) ? 'module' : 'theme';
}

/** The packaging of drupal.org writes its own at the end. */
function versionOf(info: string, isYaml: boolean): string | null {
  const line = isYaml
    ? /^version:\s*['"]?([\w.+-]{1,60})['"]?\s*$/gm
    : /^\s*version\s*=\s*['"]?([\w.+-]{1,60})['"]?\s*$/gm;
  const found = [...info.matchAll(line)].at(-1)?.[1] ?? null;
  return found === 'VERSION' ? null : found;
}

/** Line by line what is commented out, as no text in an update hook looks like the head of one. */
function withoutComments(code: string): string {
  return code.replace(/\/\*[\s\S]*?\*\//g, ' ').replace(/^\s*(?:\/\/|#(?!\[)).*$/gm, '');
}
