import type { DatabaseLogin } from '../databases/mariadb/connect.ts';
import { homesOf } from '../sites/account.ts';
import { readCodeModules } from '../sites/code-modules.ts';
import { isThere } from '../sites/is-there.ts';
import type { Platform, Site } from '../sites/site.ts';
import { type ModuleComparison, compareModules } from './compare-modules.ts';
import { type InstalledModule, readInstalledModules } from './installed-modules.ts';

/** A database that the site's tables can be read in: its own, or one that was loaded. */
export type JudgedDatabase = { readonly login: DatabaseLogin; readonly name: string; readonly prefix: string };

const NOTHING: ModuleComparison = { obstacles: [], notes: [], updates: [] };

/**
 * Whether the code of `target` fits the site as its databases are now; the site's own modules, in its directory, go along.
 * Reads only. Throws what a server says that can't be asked.
 */
export async function judgePlatform(
  site: Site,
  target: Platform,
  databases: readonly JudgedDatabase[],
  signal?: AbortSignal,
): Promise<ModuleComparison> {
  if (site.cms === 'wordpress') return NOTHING;
  let installed: readonly InstalledModule[] | null = null;
  for (const { login, name, prefix } of databases)
    installed ??= await readInstalledModules(login, { name, prefix }, signal);
  if (installed === null) {
    const message = 'the tables that name its modules were not found: they are not compared with the code';
    return { ...NOTHING, notes: [{ code: 'modules-unknown', message, path: site.path }] };
  }
  const homes = homesOf(site.account);
  const from = isThere(site.platform.root)
    ? readCodeModules({ root: site.platform.root, site: site.path, homes })
    : null;
  const to = readCodeModules({ root: target.root, site: site.path, homes });
  return compareModules({ installed, version: site.version, from, to, root: target.root });
}
