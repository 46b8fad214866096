/**
 * A site as a point remembers it: for a restore of one whose directory or settings are gone or broken, which is when
 * a restore is wanted most. The settings in the point are read as data, like those on disk.
 */
import { lstatSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { SalvorError } from '../errors.ts';
import type { PhpFile, PhpFiles } from '../lib/php-reading.ts';
import { MAX_PHP_FILE_BYTES } from '../lib/php-syntax.ts';
import type { Manifest } from '../points/manifest.ts';
import type { OpenPoint } from '../points/open-point.ts';
import { filesBeneath } from '../sites/read-beneath.ts';
import { readDrupal } from '../sites/read-drupal.ts';
import { readWordpress } from '../sites/read-wordpress.ts';
import type { SiteOverride } from '../sites/site-database.ts';
import type { Account } from '../sites/account.ts';
import type { Site } from '../sites/site.ts';

/** Settings lie at the top of a site's directory; a site with more PHP files there has them for something else. */
const MAX_FILES = 200;

/** Throws `site-unsupported` where the point is not of a place in this account's home. */
export async function readStoredSite(point: OpenPoint, account: Account, configured: Configured): Promise<Site> {
  return readSiteBy(point.manifest, await readTop(point), account, configured);
}

export type Configured = { readonly override: SiteOverride | undefined; readonly defaultSocket: string | undefined };

/** The site that lies unpacked in a directory of ours. Throws as `readStoredSite`. */
export function readUnpackedSite(
  directory: string,
  of: Pick<Manifest, 'platform'> & { readonly site: Omit<Manifest['site'], 'cms' | 'schema'> },
  account: Account,
  configured: Configured,
): Site {
  const names = readdirSync(directory).filter((name) => name.endsWith('.php'));
  const files = names.flatMap((name): [string, Uint8Array][] => {
    const stat = lstatSync(join(directory, name));
    return stat.isFile() && stat.size <= MAX_PHP_FILE_BYTES ? [[name, readFileSync(join(directory, name))]] : [];
  });
  const top = new Map(files.slice(0, MAX_FILES));
  const cms = top.has('wp-config.php') ? 'wordpress' : 'drupal';
  return readSiteBy({ ...of, site: { ...of.site, cms } }, top, account, configured);
}

function readSiteBy(
  { site, platform }: Pick<Manifest, 'platform'> & { readonly site: Omit<Manifest['site'], 'schema'> },
  top: ReadonlyMap<string, Uint8Array>,
  account: Account,
  configured: Configured,
): Site {
  if (!site.path.startsWith(`${account.home}/`))
    throw new SalvorError('site-unsupported', {
      site: site.uri,
      why: `its place ${site.path} is not in the home ${account.home}`,
    });
  const place = {
    ...configured,
    account,
    platformRoot: platform.root,
    sitePath: site.path,
    files: layOver(top, site.path, filesBeneath([account.home])),
  };
  const read = site.cms === 'wordpress' ? readWordpress(place) : readDrupal(place);
  return {
    uri: site.uri,
    account,
    settings: `${site.path}/${site.cms === 'wordpress' ? 'wp-config.php' : 'settings.php'}`,
    aliases: [],
    enabled: null,
    virtualHosts: [],
    isNetwork: false,
    movedOut: [],
    holds: [],
    platform: { ...platform, cms: site.cms },
    path: site.path,
    cms: site.cms,
    version: site.version,
    databases: read.databases,
    problems: read.problems,
  };
}

/** The PHP files at the top of the site's directory in the point. */
async function readTop(point: OpenPoint): Promise<ReadonlyMap<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  if (point.manifest.files === null) return files;
  for await (const entry of point.view.list('/site')) {
    if (entry.type !== 'file' || !entry.name.endsWith('.php') || entry.size > MAX_PHP_FILE_BYTES) continue;
    if (files.size >= MAX_FILES) break;
    const pieces: Uint8Array[] = [];
    for await (const piece of point.view.read(`/site/${entry.name}`)) pieces.push(piece);
    files.set(entry.name, Buffer.concat(pieces));
  }
  return files;
}

/** What the point has lies over what the disk has at the site's place; everything else is the disk's. */
function layOver(stored: ReadonlyMap<string, Uint8Array>, sitePath: string, disk: PhpFiles): PhpFiles {
  const nameOf = (path: string): string | null =>
    path.startsWith(`${sitePath}/`) ? path.slice(sitePath.length + 1) : null;
  return {
    read(path): PhpFile {
      const name = nameOf(path);
      if (name === null) return disk.read(path);
      const bytes = stored.get(name);
      return bytes === undefined ? { kind: 'missing' } : { kind: 'read', path, bytes };
    },
    probe(path) {
      const name = nameOf(path);
      if (path === sitePath) return 'directory';
      if (name === null) return disk.probe(path);
      return stored.has(name) ? 'file' : 'missing';
    },
  };
}
