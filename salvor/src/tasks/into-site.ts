/**
 * A point of one site put into another one, which keeps its place, its names and its log-in: its settings stay, what it
 * has moved out stays moved out, and its database gets the tables.
 */
import { readdirSync } from 'node:fs';
import type { Problem } from '@salvor/contract';
import { type DatabaseLogin, openConnection, quoteName, quoteText } from '../databases/mariadb/connect.ts';
import type { Manifest } from '../points/manifest.ts';
import type { OpenPoint } from '../points/open-point.ts';
import { homesOf } from '../sites/account.ts';
import { readCore } from '../sites/core-version.ts';
import { filesBeneath } from '../sites/read-beneath.ts';
import { type Site, type SiteDatabase, siteKey } from '../sites/site.ts';
import type { RestoreScope } from './restore-scope.ts';

/** Whether a point is of another site than this one. A site that was put on another platform is the same one. */
export function isOfOther(site: Site, { site: then, account }: Manifest): boolean {
  return then.uri !== site.uri || account.name !== site.account.name;
}

/**
 * A point brings a site back where it lies now, also when it lay on other code then. Where that code is gone this is told,
 * because code does not come back. Where it is still there, all of the site's files or tables would come under code that
 * they were not made for, and there is a better place: then it stands in the way, with the ways to that place.
 */
export function judgeCodeOfPoint(
  site: Site,
  manifest: Manifest,
  { files, databases }: RestoreScope,
  despitePlatform: boolean,
): { readonly obstacles: readonly Problem[]; readonly notes: readonly Problem[] } {
  const { root, version } = manifest.platform;
  if (isOfOther(site, manifest) || root === '' || root === site.platform.root) return { obstacles: [], notes: [] };
  const isWhole = files === 'all' || databases.some(({ tables }) => tables === 'all');
  const then = `the site lay on ${root}${version === null ? '' : ` (${version})`} then`;
  const isThere = readCore(root, filesBeneath(homesOf(site.account))) !== null;
  if (despitePlatform || !isWhole || !isThere) {
    const message = `${then}: it is restored on ${site.platform.root}, where it lies now`;
    return { obstacles: [], notes: [{ code: 'other-platform', message, path: site.path }] };
  }
  const name = siteKey(site);
  const message = `${then}, which is still there. To have it there, undo its migration or run salvor migrate ${name} --platform ${root}; where updates stand in the way of that, salvor delete ${name}. Then run this restore again. --despite-platform restores it on ${site.platform.root}`;
  return { obstacles: [{ code: 'platform-still-there', message, path: site.path }], notes: [] };
}

/** What a site has of its own at the top of its directory: names and log-ins, as Drupal, Aegir and WordPress keep them. */
const SETTINGS = /(?:settings.*\.php|^drushrc\.php|^wp-config.*\.php|^\.env|^services\.local\.yml)$/i;

export function isSettingsName(name: string): boolean {
  return SETTINGS.test(name);
}

/** Settings that the point or the site has; none of the point's is used, and all of the site's stay. */
export async function listSettings(site: Site, point: OpenPoint): Promise<readonly string[]> {
  const names = new Set(namesIn(site.path).filter(isSettingsName));
  for await (const { name } of point.view.list('/site')) if (isSettingsName(name)) names.add(name);
  return [...names].toSorted();
}

/** Why the point does not fit this site, all reasons at once; and what is well to know. */
export function judgeInto(
  site: Site,
  { manifest }: OpenPoint,
  scope: RestoreScope,
): { readonly obstacles: readonly Problem[]; readonly notes: readonly Problem[] } {
  if (!isOfOther(site, manifest)) return { obstacles: [], notes: [] };
  const obstacles: Problem[] = [];
  const refuse = (code: string, message: string): void => void obstacles.push({ code, message, path: siteKey(site) });
  if (manifest.account.name !== site.account.name)
    refuse('into-other-account', `the point is of account ${manifest.account.name}, and ${siteKey(site)} is not`);
  if (manifest.site.cms !== site.cms)
    refuse('into-other-cms', `the point is of ${manifest.site.cms}, and ${siteKey(site)} is ${site.cms}`);
  if (site.isNetwork) refuse('into-network', `${siteKey(site)} is a network of sites, whose names are in its database`);
  const own = ofKnownEngine(site);
  if (scope.databases.length > 0 && manifest.databases.length !== own.length)
    refuse(
      'into-other-databases',
      `the point holds ${manifest.databases.length} databases, and ${siteKey(site)} has ${own.length}`,
    );
  for (const path of scope.files === 'all' ? [] : scope.files)
    if (isSettingsName(path)) refuse('into-settings', `${path} says who a site is: ${siteKey(site)} keeps its own`);
  const message = `${siteKey(site)} gets what ${manifest.site.uri} had; where texts and settings in its database name ${manifest.site.uri}, they go on to`;
  return { obstacles, notes: [{ code: 'names-stay', message, path: siteKey(site) }] };
}

/** The site's database that a point's one goes into: of the same name, or in the same order. */
export function databaseFor(site: Site, { manifest }: OpenPoint, name: string): SiteDatabase | undefined {
  if (!isOfOther(site, manifest)) return ofKnownEngine(site).find((database) => database.name === name);
  return ofKnownEngine(site)[manifest.databases.findIndex((database) => database.name === name)];
}

function ofKnownEngine(site: Site): readonly SiteDatabase[] {
  return site.databases.filter(({ engine }) => engine === 'mariadb');
}

/** Options of WordPress in which its own address stands. */
const OWN_OPTIONS = ['siteurl', 'home'];

/** Gives tables that were built the addresses that the site has now. */
export async function keepOwnAddresses(
  admin: DatabaseLogin,
  { cms }: Pick<Site, 'cms'>,
  { name, prefix }: Pick<SiteDatabase, 'name' | 'prefix'>,
  built: string,
): Promise<void> {
  if (cms !== 'wordpress') return;
  await using connection = await openConnection(admin);
  const table = `${prefix}options`;
  const names = OWN_OPTIONS.map((option) => quoteText(option)).join(', ');
  const own = await connection.query<{ option: string; value: string }>(
    `SELECT option_name AS option, option_value AS value FROM ${quoteName(name, table)} WHERE option_name IN (${names})`,
  );
  for (const { option, value } of own)
    await connection.execute(
      `UPDATE ${quoteName(built, table)} SET option_value = ${quoteText(value)} WHERE option_name = ${quoteText(option)}`,
    );
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
