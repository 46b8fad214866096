/**
 * What the nightly job leaves out of a site by rule: what the site makes again by itself, and what the policy names. Only
 * what is there, so that a point tells what it lacks.
 */
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Policy } from '../policies/settings.ts';
import type { Cms, Site } from '../sites/site.ts';
import { findNamedTables } from './empty-tables.ts';
import { sortMovedOut } from './moved-out.ts';
import { isThere } from '../lib/is-there.ts';

/**
 * Directories that the content management systems fill from other files when they are missed: aggregated styles and
 * scripts, scaled images, compiled templates, caches. Relative to the site's directory.
 */
const REGENERABLE: Readonly<Record<Cms, readonly string[]>> = {
  drupal: ['css', 'js', 'styles', 'imagecache', 'php', 'advagg_css', 'advagg_js'].map((n) => `files/${n}`),
  backdrop: ['css', 'js', 'styles'].map((name) => `files/${name}`),
  wordpress: ['wp-content/cache', 'wp-content/upgrade'],
};

/** Tables that are caches: their rows come back by themselves. */
const CACHE_TABLES: Readonly<Record<Cms, readonly string[]>> = {
  drupal: ['cache', 'cache_*'],
  backdrop: ['cache', 'cache_*'],
  wordpress: [],
};

/** Of the tables of a site's database those whose rows are left out. */
export function rowlessTablesOf(
  { cms }: Site,
  database: string,
  { prefix, tables }: { readonly prefix: string; readonly tables: readonly string[] },
  policy: Pick<Policy, 'leavesOutRegenerable' | 'leaveOutRows'>,
): readonly string[] {
  // The dump tool takes DATABASE.TABLE and has no way to quote the dot.
  if (database.includes('.')) return [];
  const caches = policy.leavesOutRegenerable ? CACHE_TABLES[cms] : [];
  return findNamedTables(tables, prefix, [...caches, ...policy.leaveOutRows]);
}

/** Paths that are left out: absolute, and as the site sees them. */
export function leftOutOf(
  site: Site,
  policy: Pick<Policy, 'leavesOutRegenerable' | 'leaveOutFiles'>,
): readonly { readonly path: string; readonly shown: string }[] {
  const named = policy.leaveOutFiles.flatMap((pattern) => expand(site, pattern));
  const own = policy.leavesOutRegenerable ? REGENERABLE[site.cms].flatMap((path) => expand(site, path)) : [];
  const found = new Map([...own, ...named].map((each) => [each.path, each]));
  return [...found.values()];
}

/** The paths that a pattern means; `*` stands for any letters of one name. No link is followed but one that moves a directory out. */
function expand(site: Site, pattern: string): readonly { readonly path: string; readonly shown: string }[] {
  const moved = new Map(sortMovedOut(site).followed.map(({ link, target }) => [link, target]));
  let found: readonly { readonly path: string; readonly shown: string }[] = [{ path: site.path, shown: '' }];
  for (const part of pattern.split('/').filter((name) => name !== '' && name !== '.' && name !== '..')) {
    found = found.flatMap((above) =>
      namesIn(above.path, part).map((name) => {
        const shown = above.shown === '' ? name : `${above.shown}/${name}`;
        return { path: moved.get(shown) ?? join(above.path, name), shown };
      }),
    );
  }
  return found.filter(({ path, shown }) => shown !== '' && isThere(path));
}

function namesIn(directory: string, part: string): readonly string[] {
  if (lstatSync(directory, { throwIfNoEntry: false })?.isDirectory() !== true) return [];
  if (!part.includes('*')) return [part];
  const matches = new RegExp(`^${part.split('*').map(escapeRegExp).join('.*')}$`, 's');
  return readdirSync(directory).filter((name) => matches.test(name));
}

function escapeRegExp(text: string): string {
  return text.replace(/[.+?^${}()|[\]\\]/g, '\\$&');
}
