/**
 * What names a site outside of its own directory, and what a clone, a rename, a migration or a delete makes of it: found
 * by looking, before anything is touched.
 *
 *   <home>/.drush/<uri>.alias.drushrc.php, <home>/.drush/sites/*.yml    Aegir's context and Drush's aliases
 *   <platform>/sites/sites.php                                          further names of Drupal 7 and later
 *   <platform>/sites/<alias> → <uri>                                    those of Drupal 6: links
 *   <home>/clients/<client>/<uri> → the site's directory                what Aegir gives its clients
 *
 * A virtual host is `virtual-host.ts`'s. Everything is read beneath the account's homes; a link in the place of a file that
 * would have to change is an obstacle, because what it leads to may be others' too.
 */
import { readlinkSync, realpathSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { Problem } from '@salvor/contract';
import type { PhpFiles } from '../lib/php-reading.ts';
import { isThere } from '../lib/is-there.ts';
import { homeAround, homesOf } from '../sites/account.ts';
import { type AliasFile, type AliasTask, type FileChange, planAliases } from '../sites/drush-aliases.ts';
import { rootOf } from '../sites/find-platforms.ts';
import { listDirectory } from '../sites/list-directory.ts';
import { makeContext } from '../sites/make-context.ts';
import { readAliases } from '../sites/read-alias.ts';
import { isUri } from '../sites/site-name.ts';
import { directoryBeneath, filesBeneath } from '../sites/read-beneath.ts';
import type { Naming, PlatformContext } from '../sites/rename-in-text.ts';
import { directoryOf } from '../sites/site-directory.ts';
import type { Site, SiteProblem } from '../sites/site.ts';
import {
  type SitesPhpChange,
  namesInSitesPhp,
  renameInSitesPhp,
  rewriteSitesPhp,
  targetInSitesPhp,
} from '../sites/sites-php.ts';

/** The site as it will be: the same as it is for a delete. */
export type NamedSite = Pick<Site, 'uri' | 'path'> & {
  readonly platform: Pick<Site['platform'], 'root'> & { readonly version?: string | null };
};

export type NamesTask =
  | { readonly operation: 'clone' | 'rename' | 'migrate'; readonly to: NamedSite }
  | { readonly operation: 'delete' };

/** A link's text before and after; null for none. */
export type LinkChange = {
  readonly path: string;
  readonly target: { readonly before: string | null; readonly after: string | null };
};

export type NameChange = (FileChange | LinkChange) & { readonly home: string };

export type NamesPlan = {
  /** In an order in which the site has a name at every instant. Nothing of it lies in a site's own directory. */
  readonly changes: readonly NameChange[];
  /** For people. */
  readonly names: readonly { readonly path: string; readonly change: 'made' | 'changed' | 'removed' }[];
  readonly obstacles: readonly Problem[];
  readonly notes: readonly Problem[];
};

/** Reads only. */
export function planNames(site: Site, task: NamesTask): NamesPlan {
  const { account } = site;
  const found: Findings = { changes: [], obstacles: [], notes: [] };
  const files = filesBeneath(homesOf(account));
  planDrush(site, task, files, found);
  if (directoryOf(site) !== null) planSitesPhp(site, task, files, found);
  planLinks(site, task, found);
  const changes: NameChange[] = [];
  for (const change of found.changes) {
    const home = homeAround(account, change.path);
    if (home === null)
      found.obstacles.push(
        problemAt('name-outside', change.path, 'names the site and lies in none of the account’s homes'),
      );
    else changes.push({ ...change, home });
  }
  return {
    changes,
    names: changes.map((change) => ({ path: change.path, change: kindOf(change) })),
    obstacles: found.obstacles,
    notes: found.notes,
  };
}

/** The Aegir contexts of the platforms that a site leaves and comes to; null where Aegir knows none. */
export function findContexts(site: Site, to: NamedSite): Naming['context'] {
  const homes = homesOf(site.account);
  const files = filesBeneath(homes);
  const { contexts } = readAliases(site.account.home, files);
  const find = (wanted: string): PlatformContext | null => {
    for (const { type, name, values } of contexts) {
      const named = type === 'platform' ? values.get('root')?.replace(/\/+$/, '') : undefined;
      if (named === undefined) continue;
      const directory = directoryBeneath(named, homes);
      if ('path' in directory && rootOf(directory.path, files)?.root === wanted) return { name, root: named };
    }
    return null;
  };
  const from = find(site.platform.root);
  const next = to.platform.root === site.platform.root ? from : find(to.platform.root);
  return from === null || next === null ? null : { from, to: next };
}

type Findings = {
  readonly changes: (FileChange | LinkChange)[];
  readonly obstacles: Problem[];
  readonly notes: Problem[];
};

function planDrush(site: Site, task: NamesTask, files: PhpFiles, found: Findings): void {
  const read = readAliasFiles(site.account.home, files);
  const context = findContexts(site, task.operation === 'delete' ? site : task.to);
  const roots = [site.platform.root, ...(context === null ? [] : [context.from.root])];
  const plan = planAliases(read.files, { uri: site.uri, path: site.path, roots }, aliasTask(site, task, context));
  const touched = new Set(plan.changes.flatMap(({ path, like }) => [path, like]));
  for (const path of read.links) if (touched.has(path)) found.obstacles.push(problemAt('name-is-link', path, LINK));
  found.changes.push(...plan.changes, ...(isMadeAnew(site, task) ? planNewContext(site, context, files) : []));
  found.obstacles.push(...plan.obstacles.map(toProblem));
  found.notes.push(...plan.notes.map(toProblem));
}

/** A site of an archive: there is none that it is a copy of, and no context that could be copied. */
function isMadeAnew({ path }: Site, task: NamesTask): boolean {
  return task.operation === 'clone' && task.to.path === path;
}

/** Where its platform is Aegir's, which knows a site by its context alone. One that is there already is left. */
function planNewContext(site: Site, context: Naming['context'], files: PhpFiles): readonly FileChange[] {
  const directory = directoryOf(site);
  const at = join(site.account.home, '.drush');
  const path = join(at, `${site.uri}.alias.drushrc.php`);
  if (context === null || directory === null || files.probe(path) !== 'missing') return [];
  const { contexts } = readAliases(site.account.home, files);
  const after = makeContext(site.uri, directory, context.to, contexts);
  return [{ path, before: null, after, like: join(at, `${context.to.name}.alias.drushrc.php`) }];
}

const LINK = 'is a link: what it leads to may be another site’s too';

function aliasTask(site: Site, task: NamesTask, context: Naming['context']): AliasTask {
  if (task.operation === 'delete') return { kind: 'remove' };
  const { to, operation } = task;
  const naming: Naming = {
    uri: { from: site.uri, to: to.uri },
    root: { from: site.platform.root, to: to.platform.root },
    directory: directoryPair(site, to),
    path: { from: site.path, to: to.path },
    moved: [],
    aliases: site.aliases,
    context,
  };
  return { kind: operation === 'clone' ? 'clone' : 'rename', naming };
}

const ALIAS_SUFFIXES: readonly (readonly [string, RegExp])[] = [
  ['.drush', /\.alias\.drushrc\.php$/],
  ['.drush/sites', /\.ya?ml$/],
];

/** All alias files of a home; `links` are those that are no files of their own. */
function readAliasFiles(
  home: string,
  files: PhpFiles,
): { readonly files: readonly AliasFile[]; readonly links: readonly string[] } {
  const found: AliasFile[] = [];
  const links: string[] = [];
  for (const [directory, suffix] of ALIAS_SUFFIXES)
    for (const name of namesIn(join(home, directory)).filter((one) => suffix.test(one))) {
      const path = join(home, directory, name);
      const read = files.read(path);
      if (read.kind !== 'read') continue;
      found.push({ path, bytes: read.bytes });
      if (read.path !== path) links.push(path);
    }
  return { files: found, links };
}

/** What the site is called below `sites/`, before and after; null for one in its docroot. */
function directoryPair(site: Site, to: NamedSite): { readonly from: string; readonly to: string } | null {
  const [from, next] = [directoryOf(site), directoryOf(to)];
  return from === null || next === null ? null : { from, to: next };
}

function planSitesPhp(site: Site, task: NamesTask, files: PhpFiles, found: Findings): void {
  const old = join(site.platform.root, 'sites/sites.php');
  const next = task.operation === 'delete' ? old : join(task.to.platform.root, 'sites/sites.php');
  const bytes = readIfThere(old, files);
  const target = next === old ? bytes : readIfThere(next, files);
  const from = directoryOf(site) ?? site.uri;
  const to = task.operation === 'delete' ? from : (directoryOf(task.to) ?? task.to.uri);
  if (task.operation !== 'delete') {
    const leads = targetInSitesPhp(target, task.to.uri);
    if (leads !== null && leads !== to && !(task.operation === 'rename' && next === old && leads === from))
      found.obstacles.push(problemAt('name-taken', next, `leads ${task.to.uri} to ${leads}`));
    if (task.to.path === site.path) return;
  }
  const change = (path: string, before: Uint8Array | null, wanted: SitesPhpChange, like: string): void => {
    const { bytes: after, problems } = rewriteSitesPhp(before, wanted, path);
    found.obstacles.push(...problems.map(toProblem));
    if (problems.length > 0 || after === null || (before !== null && Buffer.compare(before, after) === 0)) return;
    if (isLink(path, files)) found.obstacles.push(problemAt('name-is-link', path, LINK));
    else found.changes.push({ path, before, after, like });
  };
  // Without such a file Drupal knows no site but the default one. Other systems have one where somebody made it theirs.
  const isFirst =
    site.cms === 'drupal' &&
    task.operation !== 'delete' &&
    to !== 'default' &&
    target === null &&
    isOfEight(task.to.platform);
  const own = isFirst ? [{ name: task.to.uri, uri: to }] : [];
  if (task.operation === 'clone') return change(next, target, { add: own }, target === null ? site.settings : next);
  const names = namesInSitesPhp(bytes, from);
  // Names that code makes can't be told; a file that never speaks of the site is another one's business.
  if (names === null && bytes !== null && !Buffer.from(bytes).includes(from)) return;
  if (task.operation === 'delete') return change(old, bytes, { remove: names ?? [] }, old);
  if (next === old) return change(old, bytes, renameInSitesPhp(from, to), old);
  // Whoever asks for a default site by any name gets it; in a directory of another name it needs them.
  const visited = from === 'default' && to !== 'default' ? site.aliases.filter((name) => isUri(name)) : [];
  const further = [...new Set([...(names ?? []), ...visited])].filter(
    (name) => name !== from && name !== site.uri && name !== task.to.uri,
  );
  for (const name of further) {
    const leads = targetInSitesPhp(target, name);
    if (leads !== null && leads !== to)
      found.obstacles.push(problemAt('name-taken', next, `leads ${name} to ${leads}`));
  }
  const add = [...own, ...further.map((name) => ({ name, uri: to }))];
  change(next, target, { add }, target !== null ? next : bytes !== null ? old : site.settings);
  change(old, bytes, { remove: names ?? [from] }, old);
}

/** Of it the site's directory is only looked for where `sites.php` is there. */
function isOfEight({ version }: NamedSite['platform']): boolean {
  const major = Number.parseInt(version ?? '', 10);
  return major >= 8;
}

function planLinks(site: Site, task: NamesTask, found: Findings): void {
  const to = task.operation === 'delete' ? null : task.to;
  if (to?.path === site.path) return;
  const isClone = task.operation === 'clone';
  const take = (path: string, before: string | null, after: string | null): void => {
    if (before !== after) found.changes.push({ path, target: { before, after } });
  };
  const move = (path: string, place: (named: NamedSite) => string): void => {
    const text = linkTo(path, site.path);
    if (text === null) return;
    const next = to === null ? null : place(to);
    if (to !== null && next === path) return take(path, text, retarget(text, path, to.path));
    // A further name that becomes the site's own needs no link: its directory comes there.
    if (to !== null && next !== null && next !== to.path) {
      if (isThere(next)) found.obstacles.push(problemAt('name-taken', next, 'is there already'));
      else take(next, null, retarget(text, next, to.path));
    }
    if (!isClone) take(path, text, null);
  };
  const sites = dirname(site.path);
  // A copy has none of its origin's further names.
  for (const name of isClone ? [] : namesIn(sites)) move(join(sites, name), (named) => join(dirname(named.path), name));
  const clients = join(site.account.home, 'clients');
  for (const client of namesIn(clients)) move(join(clients, client, site.uri), ({ uri }) => join(clients, client, uri));
}

/** A link's text where it leads to the directory; null for everything else. */
function linkTo(path: string, directory: string): string | null {
  try {
    const text = readlinkSync(path);
    return realpathSync(path) === directory ? text : null;
  } catch {
    return null;
  }
}

/** Absolute where it was, else from the directory that the link lies in. */
function retarget(text: string, path: string, directory: string): string {
  return text.startsWith('/') ? directory : relative(dirname(path), directory);
}

function readIfThere(path: string, files: PhpFiles): Uint8Array | null {
  const read = files.read(path);
  return read.kind === 'read' ? read.bytes : null;
}

function isLink(path: string, files: PhpFiles): boolean {
  const read = files.read(path);
  return read.kind === 'read' ? read.path !== path : isThere(path);
}

function namesIn(directory: string): readonly string[] {
  const listed = listDirectory(directory);
  return 'refused' in listed ? [] : [...listed.names].toSorted();
}

function kindOf(change: FileChange | LinkChange): 'made' | 'changed' | 'removed' {
  const { before, after } = 'target' in change ? change.target : change;
  return before === null ? 'made' : after === null ? 'removed' : 'changed';
}

function problemAt(code: string, path: string, message: string): Problem {
  return { code, message, path };
}

function toProblem({ code, message, file }: SiteProblem): Problem {
  return { code, message, path: file ?? null };
}
