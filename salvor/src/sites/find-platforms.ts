/**
 * The platforms of one account: those that its Aegir contexts name, and those found by looking where
 * Aegir and BOA put them. Nothing outside of the home is a platform of it.
 */
import { readdirSync } from 'node:fs';
import type { PhpFiles } from '../lib/php-reading.ts';
import { readCore } from './core-version.ts';
import type { AegirContext } from './read-alias.ts';
import { directoryBeneath } from './read-beneath.ts';
import type { Account, Platform } from './site.ts';

/** Something that looks like a platform or a site and is none of this account's, with the reason. */
export type NotSite = { readonly path: string; readonly reason: string };

export type FoundPlatforms = { readonly platforms: readonly Platform[]; readonly notSites: readonly NotSite[] };

const DOCROOTS = ['docroot', 'html', 'web'];
/** Of BOA: directories in `static` that hold no code. */
const NOT_CODE = new Set(['control', 'files', 'trash']);

export function findPlatforms(account: Account, contexts: readonly AegirContext[], files: PhpFiles): FoundPlatforms {
  const platforms = new Map<string, Platform>();
  const notSites: NotSite[] = [];
  for (const context of contexts) {
    if (context.type !== 'platform') continue;
    const root = context.values.get('root');
    if (root === undefined) notSites.push({ path: context.file, reason: 'this platform’s context names no root' });
    else add(root, context.name.replace(/^platform_/, ''), true);
  }
  for (const candidate of candidates(account.home)) add(candidate, null, false);
  return { platforms: [...platforms.values()], notSites };

  function add(path: string, name: string | null, isNamed: boolean): void {
    const directory = directoryBeneath(path, [account.home]);
    if ('refused' in directory) {
      notSites.push({ path, reason: `a platform’s root that ${directory.refused}` });
      return;
    }
    const found = rootOf(directory.path, files);
    if (found === null) {
      if (isNamed || files.probe(`${directory.path}/vendor`) === 'directory') {
        notSites.push({ path, reason: 'no Drupal or WordPress code base is in it' });
      }
      return;
    }
    if (platforms.has(found.root)) return;
    const own = name ?? path.slice(path.lastIndexOf('/') + 1);
    platforms.set(found.root, { name: own, ...found });
  }
}

/** The code base in a directory, or in the docroot of a Composer project. */
function rootOf(path: string, files: PhpFiles): Omit<Platform, 'name'> | null {
  for (const root of [path, ...DOCROOTS.map((name) => `${path}/${name}`)]) {
    if (root !== path && files.probe(root) !== 'directory') continue;
    const directory = directoryBeneath(root, [path]);
    const core = 'path' in directory ? readCore(directory.path, files) : null;
    if ('path' in directory && core !== null) return { root: directory.path, ...core };
  }
  return null;
}

function candidates(home: string): string[] {
  return [
    ...inside(`${home}/distro`).flatMap(inside),
    ...inside(`${home}/static`).filter((path) => !NOT_CODE.has(path.slice(path.lastIndexOf('/') + 1))),
    ...inside(`${home}/platforms`),
  ];
}

function inside(path: string): string[] {
  return subdirectories(path).map((name) => `${path}/${name}`);
}

/** Symbolic links are left out: what they lead to is found in its own place, or is none of the account's. */
function subdirectories(path: string): string[] {
  const directory = directoryBeneath(path, [path]);
  if ('refused' in directory) return [];
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map((entry) => entry.name)
    .toSorted();
}
