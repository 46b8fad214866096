/**
 * Archives and dumps in the homes of an account: what Aegir, BOA, Backup and Migrate, people and our own tasks have put
 * there. Names only; what each is `archive-catalogue.ts` says.
 *
 *   <home>/backups/…                                archives and dumps of all its sites; mydumper's directories
 *   <site>/{files,private,private/files}/backup_migrate/{,manual/,scheduled/}…    dumps of that site
 */
import { readdirSync, type BigIntStats } from 'node:fs';
import { type OpenDirectory, openDirectory, openRoot } from '../lib/beneath/open-directory.ts';
import { parseSafePath } from '../lib/beneath/safe-path.ts';
import { lookAt, spotIn } from '../lib/beneath/spot.ts';
import { linkOwnersOf } from '../sites/account-owners.ts';
import { type Account, homesOf } from '../sites/account.ts';
import { readHostTables } from '../sites/host-tables.ts';
import type { Site } from '../sites/site.ts';

/** Where Aegir has them, in an account's home. */
export const ARCHIVES_DIRECTORY = 'backups';

export type FoundFile = {
  /** Absolute. */
  readonly path: string;
  /** The home that it lies in. */
  readonly home: string;
  readonly type: 'file' | 'directory';
  readonly bytes: number;
  readonly mtimeNs: bigint;
  /** The site in whose directory it lies; null for one in `backups`. */
  readonly uri: string | null;
};

const MODULE_DIRECTORIES = ['files', 'private', 'private/files'].flatMap((above) =>
  ['', '/manual', '/scheduled'].map((below) => `${above}/backup_migrate${below}`),
);
/** More files in one directory are none that a person lists. */
const MAX_FILES = 100_000;

/** All of an account, in no order. What can't be read, or is led out by a link, is passed over. */
export function findArchiveFiles(account: Account, sites: readonly Site[]): readonly FoundFile[] {
  const owners = linkOwnersOf(account, readHostTables());
  const found: FoundFile[] = [...filesIn(account.home, `${account.home}/${ARCHIVES_DIRECTORY}`, null, owners)];
  for (const site of sites.filter((one) => one.account.name === account.name)) {
    for (const directory of moduleDirectoriesOf(site)) {
      const home = homesOf(account).find((one) => directory.startsWith(`${one}/`));
      if (home !== undefined) found.push(...filesIn(home, directory, site.uri, owners));
    }
  }
  return found;
}

/** Also behind a link of the site that leads to what is its own. */
function moduleDirectoriesOf(site: Site): readonly string[] {
  return MODULE_DIRECTORIES.map((below) => {
    const via = site.movedOut.find(
      ({ path, target, reason }) =>
        reason === null && target !== null && `${site.path}/${below}/`.startsWith(`${path}/`),
    );
    const path = `${site.path}/${below}`;
    return via === undefined ? path : `${via.target ?? ''}${path.slice(via.path.length)}`;
  });
}

function filesIn(home: string, path: string, uri: string | null, owners: readonly number[]): readonly FoundFile[] {
  let opened: OpenDirectory;
  try {
    using root = openRoot(home);
    opened = openDirectory(root, parseSafePath(path.slice(home.length + 1)));
  } catch {
    return [];
  }
  using directory = opened;
  const names = readdirSync(`/proc/self/fd/${directory.fd}`).slice(0, MAX_FILES);
  return names.flatMap((name) => {
    if (name.startsWith('.') || name.endsWith('.info') || name.includes('\ufffd')) return [];
    const stat = lookAt(spotIn(directory, name));
    if (stat === null || !isWanted(stat, uri, owners)) return [];
    const type = stat.isFile() ? ('file' as const) : ('directory' as const);
    return [{ path: `${path}/${name}`, home, type, bytes: Number(stat.size), mtimeNs: stat.mtimeNs, uri }];
  });
}

/** A second name of somebody else's file would let a tenant read it through us. */
function isWanted(stat: BigIntStats, uri: string | null, owners: readonly number[]): boolean {
  if (stat.isDirectory()) return uri === null;
  return stat.isFile() && (stat.nlink === 1n || owners.includes(Number(stat.uid)));
}
