/**
 * The platforms of one account: those that its Aegir contexts name, and those that a walk through its homes meets.
 * Nothing outside of the homes is a platform of it.
 */
import type { PhpFiles } from '../lib/php-reading.ts';
import { type Account, homesOf } from './account.ts';
import { type Core, readCore } from './core-version.ts';
import { DOCROOTS, DOCROOT_NAMES } from './docroots.ts';
import type { NotSite, NotSiteCode } from './not-site.ts';
import type { AegirContext } from './read-alias.ts';
import { directoryBeneath } from './read-beneath.ts';
import type { Platform } from './site.ts';
import type { FoundRoot, HomeWalk } from './walk-home.ts';

export type FoundPlatform = Platform & {
  /** The Aegir context that names it. */
  readonly context: AegirContext | null;
};

export type FoundPlatforms = {
  readonly platforms: readonly FoundPlatform[];
  /** Code bases where what was removed is put, with the reason: their sites are none. */
  readonly discarded: readonly FoundRoot[];
  readonly notSites: readonly NotSite[];
};

export function findPlatforms(
  account: Account,
  contexts: readonly AegirContext[],
  walk: HomeWalk,
  files: PhpFiles,
): FoundPlatforms {
  const platforms = new Map<string, FoundPlatform>();
  const notSites: NotSite[] = [];
  const refuse = (code: NotSiteCode, path: string, reason: string): void => void notSites.push({ code, path, reason });
  for (const context of contexts.filter(({ type }) => type === 'platform')) {
    const root = context.values.get('root');
    if (root === undefined) {
      refuse('ghost-platform', context.file, 'this platform’s context names no root');
      continue;
    }
    const directory = directoryBeneath(root, homesOf(account));
    const found = 'path' in directory ? rootOf(directory.path, files) : null;
    if (found !== null) {
      const name = context.name.replace(/^platform_/, '');
      if (!platforms.has(found.root)) platforms.set(found.root, { name, root: found.root, ...found.core, context });
    } else if ('path' in directory)
      refuse('ghost-platform', root, 'no Drupal, Backdrop or WordPress code base is in it');
    else {
      refuse(
        directory.isOutside ? 'outside-home' : 'ghost-platform',
        root,
        `a platform’s root that ${directory.refused}`,
      );
    }
  }
  for (const { root, core, discarded } of walk.roots) {
    if (discarded === null && !platforms.has(root))
      platforms.set(root, { name: nameOf(root, account), root, ...core, context: null });
  }
  for (const path of walk.hollow) {
    const isKnown = notSites.some((other) => other.path === path);
    const hasCode = [...platforms.keys()].some((root) => root === path || root.startsWith(`${path}/`));
    if (!isKnown && !hasCode) refuse('ghost-platform', path, 'a Composer project without a code base in it');
  }
  return {
    platforms: [...platforms.values()],
    discarded: walk.roots.filter((root) => root.discarded !== null),
    notSites,
  };
}

/** The code base in a directory, or in the docroot of a Composer project: contexts name either. */
export function rootOf(path: string, files: PhpFiles): { readonly root: string; readonly core: Core } | null {
  for (const root of [path, ...DOCROOTS.map((name) => `${path}/${name}`)]) {
    if (root !== path && files.probe(root) !== 'directory') continue;
    const directory = directoryBeneath(root, [path]);
    const core = 'path' in directory ? readCore(directory.path, files) : null;
    if ('path' in directory && core !== null) return { root: directory.path, core };
  }
  return null;
}

function nameOf(root: string, account: Account): string {
  const parts = root.slice(account.home.length + 1).split('/');
  const last = parts.at(-1) ?? '';
  const above = parts.at(-2);
  return (DOCROOT_NAMES.has(last) ? above : last) || root.slice(root.lastIndexOf('/') + 1);
}
