/**
 * What may be a site of a platform: the directories in `sites/`, the settings in the docroot of WordPress and Backdrop, the
 * one that Drupal keeps for all others. Looks at names only; whether it is one is judged by `judge-site.ts`.
 */
import { realpathSync, statSync } from 'node:fs';
import { evaluatePhp } from '../lib/php-evaluate.ts';
import { errnoOf } from '../lib/errno.ts';
import type { PhpFiles } from '../lib/php-reading.ts';
import { PhpArray, toText } from '../lib/php-values.ts';
import { type Account, homesOf } from './account.ts';
import type { FoundPlatform } from './find-platforms.ts';
import { isThere } from './is-there.ts';
import { listDirectory } from './list-directory.ts';
import type { NotSite, NotSiteCode } from './not-site.ts';
import { directoryBeneath, isBeneath } from './read-beneath.ts';
import type { Cms } from './site.ts';
import { isUri, nameByPath } from './site-name.ts';

export type SiteCandidate = {
  readonly uri: string;
  readonly path: string;
  readonly settings: string;
  readonly cms: Cms;
  readonly platform: FoundPlatform;
  /** In `sites/` with a name of its own; Drupal's `sites/default`; the docroot itself. */
  readonly place: 'directory' | 'default' | 'root';
  /** Names that links beside it and `sites.php` give it. */
  readonly aliases: readonly string[];
};

export type ListedSites = { readonly candidates: readonly SiteCandidate[]; readonly notSites: readonly NotSite[] };

/** `servedAs`: the root by the name of a link that stays when releases change. */
export function listSites(
  platform: FoundPlatform,
  account: Account,
  files: PhpFiles,
  servedAs: string = platform.root,
): ListedSites {
  const notSites: NotSite[] = [];
  const inRoot = listInRoot(platform, account, servedAs);
  const sites = `${platform.root}/sites`;
  if (!isThere(sites)) return { candidates: inRoot, notSites };
  const directory = directoryBeneath(sites, homesOf(account));
  if ('path' in directory) {
    const found = listInSites(directory.path, platform, account, files, servedAs);
    return { candidates: [...found.candidates, ...inRoot], notSites: found.notSites };
  }
  notSites.push({ code: 'outside-home', path: sites, reason: `a directory of sites that ${directory.refused}` });
  return { candidates: inRoot, notSites };
}

function listInSites(
  sites: string,
  platform: FoundPlatform,
  account: Account,
  files: PhpFiles,
  servedAs: string,
): ListedSites {
  const listed = listDirectory(sites);
  if ('refused' in listed) return { candidates: [], notSites: [] };
  const candidates: SiteCandidate[] = [];
  const notSites: NotSite[] = [];
  const refuse = (code: NotSiteCode, name: string, reason: string): void =>
    void notSites.push({ code, path: `${sites}/${name}`, reason });
  const aliases = new Map<string, string[]>();
  for (const link of listed.links) {
    const led = followLink(sites, link, account);
    if (led === null) continue;
    refuse('symlink', link, led.reason);
    if (led.sibling !== null && isUri(link)) addTo(aliases, led.sibling, link);
  }
  for (const [name, target] of readSitesPhp(sites, files)) addTo(aliases, target, name);
  for (const name of listed.foreign) refuse('bad-name', name, 'its name is not UTF-8, and so no address');
  for (const name of listed.directories) {
    if (name === 'all' || name === 'simpletest' || name.startsWith('.')) continue;
    const settings = settingsIn(`${sites}/${name}`, platform.cms);
    const isDefault = name === 'default';
    if (isDefault && settings === null) continue;
    if (name.endsWith('.restore')) refuse('restore-debris', name, 'left over from a restore');
    else if (!isUri(name)) refuse('bad-name', name, 'its name can be no address');
    else if (settings === null) refuse('no-settings', name, 'it has neither settings.php nor wp-config.php');
    else if (isOther(settings.cms, platform.cms))
      refuse('other-cms', name, `settings of ${settings.cms} on a platform of ${platform.cms}`);
    else
      candidates.push({
        uri: isDefault ? nameByPath(servedAs, account.home) : name,
        path: `${sites}/${name}`,
        settings: `${sites}/${name}/${settings.file}`,
        cms: platform.cms,
        platform,
        place: isDefault ? 'default' : 'directory',
        aliases: (aliases.get(name) ?? []).filter((alias) => alias !== name),
      });
  }
  return { candidates, notSites };
}

function addTo(map: Map<string, string[]>, key: string, value: string): void {
  const list = map.get(key) ?? [];
  if (!list.includes(value)) list.push(value);
  map.set(key, list);
}

/** WordPress in its own directory, or with its settings one level above it; Backdrop with its settings in the docroot. */
function listInRoot(platform: FoundPlatform, account: Account, servedAs: string): SiteCandidate[] {
  const { root, cms } = platform;
  const make = (path: string, settings: string): SiteCandidate[] => [
    {
      uri: nameByPath(path === root ? servedAs : path, account.home),
      path,
      settings,
      cms,
      platform,
      place: 'root',
      aliases: [],
    },
  ];
  if (cms === 'backdrop' && isThere(`${root}/settings.php`)) return make(root, `${root}/settings.php`);
  if (cms !== 'wordpress') return [];
  if (isThere(`${root}/wp-config.php`)) return make(root, `${root}/wp-config.php`);
  const above = root.slice(0, root.lastIndexOf('/'));
  const isAllowed = homesOf(account).some((home) => isBeneath(above, home));
  // As WordPress looks: not where the directory above is another WordPress.
  if (!isAllowed || !isThere(`${above}/wp-config.php`) || isThere(`${above}/wp-settings.php`)) return [];
  // With an index.php beside the settings that directory is what is served, and WordPress a part of it.
  const isServed = isThere(`${above}/index.php`) && !homesOf(account).includes(above);
  return make(isServed ? above : root, `${above}/wp-config.php`);
}

function settingsIn(path: string, preferred: Cms): { readonly file: string; readonly cms: Cms } | null {
  const found = [
    ...(isThere(`${path}/settings.php`)
      ? [{ file: 'settings.php', cms: preferred === 'backdrop' ? preferred : 'drupal' } as const]
      : []),
    ...(isThere(`${path}/wp-config.php`) ? [{ file: 'wp-config.php', cms: 'wordpress' } as const] : []),
  ];
  return found.find(({ cms }) => cms === preferred) ?? found[0] ?? null;
}

function isOther(found: Cms, wanted: Cms): boolean {
  return (found === 'wordpress') !== (wanted === 'wordpress');
}

/** Null for a link to a file. */
function followLink(
  sites: string,
  link: string,
  account: Account,
): { readonly sibling: string | null; readonly reason: string } | null {
  try {
    const target = realpathSync(`${sites}/${link}`);
    if (!statSync(target).isDirectory()) return null;
    const sibling = target.slice(sites.length + 1);
    if (isBeneath(target, sites) && sibling !== '' && !sibling.includes('/'))
      return { sibling, reason: `a symbolic link: another name of ${sibling}` };
    const isInside = homesOf(account).some((home) => isBeneath(target, home));
    return {
      sibling: null,
      reason: isInside ? `a symbolic link to ${target}` : 'a symbolic link that leads out of the home',
    };
  } catch (error) {
    const where = errnoOf(error) === 'ELOOP' ? 'in a circle' : 'to nothing that can be read';
    return { sibling: null, reason: `a symbolic link that leads ${where}` };
  }
}

/** `$sites` of Drupal 7 and later: name → directory. */
function readSitesPhp(sites: string, files: PhpFiles): [string, string][] {
  const file = `${sites}/sites.php`;
  if (files.probe(file) !== 'file') return [];
  const found = evaluatePhp(file, { files, variables: { sites: PhpArray.empty } }).variables.get('sites');
  if (!(found instanceof PhpArray)) return [];
  return [...found.entries].flatMap(([key, value]): [string, string][] => {
    const name = typeof key === 'string' ? toText(key) : String(key);
    const directory = typeof value === 'string' ? toText(value) : null;
    return name !== null && directory !== null && isUri(name) ? [[name, directory]] : [];
  });
}
