/**
 * What the import of an archive is going to do, as a value: found by looking at the head of the archive and at the place
 * that the site would get, before anything is unpacked. What the whole of it holds, and whether the platform has all that
 * it runs, is known when it is unpacked: then it still stops, and nothing is left.
 */
import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import type { IdentityPlan, Problem } from '@salvor/contract';
import type { FoundArchive } from '../points/archive-catalogue.ts';
import type { Policy } from '../policies/settings.ts';
import { listHooks } from '../policies/task-steps.ts';
import { type Account, homeAround } from '../sites/account.ts';
import { bareSite } from '../sites/bare-site.ts';
import type { Platform, Site } from '../sites/site.ts';
import { planOutside } from './build-names.ts';
import { compareModules } from './compare-modules.ts';
import type { NewPlace } from './new-place.ts';
import { findHolders, whyNoUri } from './new-uri.ts';
import type { IdentityPlanned } from './plan-identity.ts';
import { findSpaceProblems } from './space.ts';
import { isThere } from '../lib/is-there.ts';

export type ImportWish = {
  readonly account: Account;
  readonly uri: string;
  readonly platform: Platform;
  readonly masked: boolean;
  /** Goes on where the platform lacks what the site runs. */
  readonly despiteMissing: boolean;
};

export type ImportPlanTools = {
  /** All sites of the host. */
  readonly sites: readonly Site[];
  readonly policy: Policy;
  readonly say: (line: string) => void;
};

export type ImportPlanned = IdentityPlanned & {
  /** The site as it will be, before anything of it is known. */
  readonly empty: Site;
};

/** Compressed, text comes to a third of itself and pictures to all. */
const UNPACKED_RATIO = 3;

/** Reads only. */
export async function planImport(
  { look, file }: FoundArchive,
  wish: ImportWish,
  tools: ImportPlanTools,
): Promise<ImportPlanned> {
  const obstacles: Problem[] = [];
  const notes: Problem[] = [];
  const { account, uri, platform } = wish;
  const oldUri = look.uri ?? uri;
  const newPath = join(platform.root, 'sites', uri);
  const empty = makeEmpty(wish, newPath);
  judgeArchive(look, file.path, platform, { obstacles, notes });
  judgePlace(wish, empty, newPath, tools.sites, obstacles);
  if (oldUri !== uri)
    notes.push({
      code: 'names-rewritten',
      message: `it is of ${oldUri}: where that stands in its settings and tables as its own name, it becomes ${uri}`,
      path: file.path,
    });
  obstacles.push(...findSpaceProblems([{ path: newPath, bytes: file.bytes * UNPACKED_RATIO, files: 1 }]));
  const outside = await planOutside(empty, { uri, path: newPath, platform }, 'clone', tools.policy, tools.say);
  obstacles.push(...outside.obstacles);
  notes.push(...outside.notes);
  const { about } = look;
  const document: IdentityPlan = {
    account: account.name,
    uri: oldUri,
    newUri: uri,
    address: null,
    path: file.path,
    newPath,
    platform: look.platform?.root ?? platform.root,
    newPlatform: platform.root,
    files: { count: 0, bytes: file.bytes },
    databases: (about?.databases ?? []).map(({ name, tables, bytes }) => ({
      name,
      isNew: true,
      newName: name,
      user: name,
      tables,
      bytes,
    })),
    rewrites: { settings: [], values: null },
    names: [...outside.shown],
    masked: wish.masked,
    hooks: listHooks(tools.policy, 'import'),
    obstacles,
    notes,
  };
  const place: NewPlace = { uri, path: newPath, platform, address: { from: [oldUri], to: uri }, clears: null };
  const renaming = { oldUri, newUri: uri, aliases: [] };
  return { document, place, platform, renaming, databases: [], newDatabases: true, outside, empty };
}

type Findings = { readonly obstacles: Problem[]; readonly notes: Problem[] };

function judgeArchive(
  look: FoundArchive['look'],
  path: string,
  platform: Platform,
  { obstacles, notes }: Findings,
): void {
  for (const problem of look.problems)
    (problem.code === 'archive-unsupported' || problem.code === 'archive-hostile' ? obstacles : notes).push({
      ...problem,
      path,
    });
  if (look.kind === 'unknown')
    obstacles.push({ code: 'archive-unknown', message: 'it is no archive of a site that is known here', path });
  if (look.kind === 'dump')
    obstacles.push({
      code: 'import-without-files',
      message: 'it holds a database and no files: make the site first, then restore it there (salvor restore --into)',
      path,
    });
  const cms = look.about?.site.cms ?? null;
  if (cms !== null && cms !== platform.cms)
    obstacles.push({
      code: 'platform-other-cms',
      message: `it is of ${cms}, and ${platform.root} of ${platform.cms}`,
      path,
    });
  const code = { core: platform.version, modules: new Map(), isCut: false };
  const version = look.about?.site.version ?? null;
  const cores = compareModules({ installed: [], version, from: null, to: code, root: platform.root });
  if (platform.cms !== 'wordpress') obstacles.push(...cores.obstacles);
  if (look.platform !== null && look.platform.root !== platform.root)
    notes.push({
      code: 'other-platform',
      message: `the site lay on ${look.platform.root}, and comes to ${platform.root}`,
      path: platform.root,
    });
}

function judgePlace(
  { account, uri, platform }: ImportWish,
  empty: Site,
  newPath: string,
  sites: readonly Site[],
  obstacles: Problem[],
): void {
  const refuse = (code: string, message: string, path: string): void => void obstacles.push({ code, message, path });
  const why = whyNoUri(uri);
  if (why !== null) return refuse('uri-refused', `${uri} can't be the name of a site: ${why}`, uri);
  obstacles.push(...findHolders(uri, empty, sites, false));
  if (homeAround(account, newPath) === null)
    refuse('site-outside-home', `does not lie in the account's home ${account.home}`, newPath);
  if (isThere(newPath)) refuse('place-taken', 'there is something already where the site would be', newPath);
  const parent = join(platform.root, 'sites');
  if (lstatSync(parent, { throwIfNoEntry: false })?.isDirectory() !== true)
    refuse('site-parent-missing', `${parent} is not a directory`, parent);
}

function makeEmpty({ account, uri, platform }: ImportWish, path: string): Site {
  const settings = join(path, platform.cms === 'wordpress' ? 'wp-config.php' : 'settings.php');
  return bareSite({ uri, account, platform, path, version: platform.version, settings });
}
