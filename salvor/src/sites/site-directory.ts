/** What a site is called below `sites/`, and which of the ways of lying on a code base it has. */
import { basename, dirname, join } from 'node:path';
import { isBeneath } from './read-beneath.ts';
import type { Site } from './site.ts';

type Place = { readonly path: string; readonly platform: { readonly root: string } };

/** The name of its directory below `sites/`; null where it lies in no such directory. */
export function directoryOf({ path, platform }: Place): string | null {
  return dirname(path) === join(platform.root, 'sites') ? basename(path) : null;
}

/**
 * named    `sites/<uri>`: the directory carries its name
 * default  `sites/default`: the site of a code base that serves one
 * docroot  WordPress with its code, settings and uploads in one directory
 * other    settings that do not lie in the site's directory, and Backdrop in its docroot
 */
export type SiteLayout = 'named' | 'default' | 'docroot' | 'other';

export function layoutOf(site: Pick<Site, 'uri' | 'path' | 'platform' | 'cms' | 'settings'>): SiteLayout {
  const directory = directoryOf(site);
  if (directory === site.uri) return 'named';
  if (directory === 'default') return 'default';
  const isWhole = isBeneath(site.platform.root, site.path) && dirname(site.settings) === site.path;
  return site.cms === 'wordpress' && isWhole ? 'docroot' : 'other';
}
