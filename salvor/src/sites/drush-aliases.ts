/**
 * The Drush aliases of one site in its account's home: which files name it, and what a clone, a rename, a migration or a
 * removal makes of them. Plans only: each change is a file's bytes before and after. Pure.
 *
 *   <home>/.drush/<uri>.alias.drushrc.php    Aegir's context of the site, and Drush 8's alias
 *   <home>/.drush/sites/*.yml                Drush 9 and later
 *
 * An alias of the site's name that leads elsewhere is an obstacle: whose site it names is not known, and what Drush does
 * by it would be done to that one.
 */
import { basename, dirname, join } from 'node:path';
import { fromText, PhpArray, toText } from '../lib/php-values.ts';
import type { PhpValue } from '../lib/php-values.ts';
import { readVariable } from './read-variable.ts';
import { rewriteContext } from './rewrite-context.ts';
import { type AliasedSite, entriesOfSite, removeFromYaml, renameInYaml } from './rewrite-yaml-alias.ts';
import type { Naming } from './rename-in-text.ts';
import { FIELDS_OF_CLONE, fieldsOfRenamed } from './set-context.ts';
import type { SiteProblem } from './site.ts';

export type AliasFile = { readonly path: string; readonly bytes: Uint8Array };

/** One file's change: null where there is none before, or none after. */
export type FileChange = {
  readonly path: string;
  readonly before: Uint8Array | null;
  readonly after: Uint8Array | null;
  /** A file that is there now, whose owner and mode the new one gets. */
  readonly like: string;
};

export type AliasPlan = {
  readonly changes: readonly FileChange[];
  /** Codes `alias-elsewhere`, `alias-taken`, `alias-not-rewritten`: each stops the task. */
  readonly obstacles: readonly SiteProblem[];
  /** Code `alias-left`: told beforehand. */
  readonly notes: readonly SiteProblem[];
};

export type AliasTask = { readonly kind: 'clone' | 'rename'; readonly naming: Naming } | { readonly kind: 'remove' };

const SUFFIX = '.alias.drushrc.php';

/** `files`: all alias files of the home, `.drush/*.alias.drushrc.php` and `.drush/sites/*.yml`. A migration is a `rename`. */
export function planAliases(files: readonly AliasFile[], site: AliasedSite, task: AliasTask): AliasPlan {
  const plans = files.map((file) =>
    file.path.endsWith(SUFFIX) ? planContext(file, site, task) : planYaml(file, site, task),
  );
  const changes = plans.flatMap((plan) => plan.changes);
  const taken = takenBy(files, site, task, changes);
  return {
    changes,
    obstacles: [...plans.flatMap((plan) => plan.obstacles), ...taken],
    notes: plans.flatMap((plan) => plan.notes),
  };
}

const NOTHING: AliasPlan = { changes: [], obstacles: [], notes: [] };

function planContext({ path, bytes }: AliasFile, site: AliasedSite, task: AliasTask): AliasPlan {
  const name = basename(path, SUFFIX);
  if (name !== site.uri) return NOTHING;
  const aliases = readVariable(bytes, 'aliases');
  const context = aliases instanceof PhpArray ? aliases.entries.get(name) : undefined;
  if (!(context instanceof PhpArray))
    return obstructed(
      'alias-not-rewritten',
      path,
      `It is called after ${site.uri} and holds no context of that name that can be read as data.`,
    );
  const why = whyElsewhere(context, site);
  if (why !== null) return obstructed('alias-elsewhere', path, `The alias ${name} leads to another site: ${why}.`);
  if (task.kind === 'remove') return { ...NOTHING, changes: [{ path, before: bytes, after: null, like: path }] };
  const { naming, kind } = task;
  const to = naming.uri.to;
  const fields = kind === 'clone' ? FIELDS_OF_CLONE : fieldsOfRenamed(bytes, 'aliases', [fromText(name)], naming.uri);
  const after = rewriteContext(bytes, { name: { from: name, to }, naming, fields });
  if (after === null)
    return obstructed('alias-not-rewritten', path, 'The alias can not be changed as data: code makes a part of it.');
  return { ...NOTHING, changes: replaced(path, bytes, join(dirname(path), to + SUFFIX), after, task.kind) };
}

function planYaml({ path, bytes }: AliasFile, site: AliasedSite, task: AliasTask): AliasPlan {
  const entries = entriesOfSite(bytes, site);
  if (entries === null) return NOTHING;
  const [elsewhere] = entries.elsewhere;
  if (elsewhere !== undefined && spellingOf(path, site.uri) !== null)
    return obstructed(
      'alias-elsewhere',
      path,
      `The alias ${basename(path)} leads to another site: its root is ${elsewhere}.`,
    );
  if (entries.own.length === 0) return NOTHING;
  if (task.kind === 'remove')
    return { ...NOTHING, changes: [{ path, before: bytes, after: removeFromYaml(bytes, site), like: path }] };
  const { naming } = task;
  const named = renameFile(path, naming);
  const isShared = entries.hasOthers || (named === path && naming.uri.from !== naming.uri.to);
  if (task.kind === 'clone' && isShared) {
    const message = `Drush’s alias ${basename(path)} names ${site.uri} (${entries.own.join(', ')}); the clone gets none there.`;
    return { ...NOTHING, notes: [{ code: 'alias-left', message, file: path }] };
  }
  const after = renameInYaml(bytes, site, naming);
  if (after === null) return obstructed('alias-not-rewritten', path, 'The alias can not be changed as data.');
  // A file that names others too keeps its name.
  return { ...NOTHING, changes: replaced(path, bytes, isShared ? path : named, after, task.kind) };
}

function replaced(
  path: string,
  before: Uint8Array,
  to: string,
  after: Uint8Array,
  kind: 'clone' | 'rename',
): FileChange[] {
  if (path === to) return Buffer.compare(before, after) === 0 ? [] : [{ path, before, after, like: path }];
  const made = { path: to, before: null, after, like: path };
  // The new one first: a site has an alias at every instant.
  return kind === 'clone' ? [made] : [made, { path, before, after: null, like: path }];
}

function obstructed(code: string, file: string, message: string): AliasPlan {
  return { ...NOTHING, obstacles: [{ code, message, file }] };
}

/** Why the context is not the site's; null where it is. */
function whyElsewhere(context: PhpArray, { uri, path, roots }: AliasedSite): string | null {
  const field = (name: string): string | null => textOf(context.entries.get(name));
  const named = field('uri');
  if (named !== null && named.replaceAll('/', '.') !== uri) return `its uri is ${named}`;
  const root = field('root')?.replace(/\/+$/, '') ?? null;
  if (root !== null && !roots.includes(root)) return `its root is ${root}`;
  const place = field('site_path');
  // Aegir makes the path of the root that it knows, which of a code base of Composer's is the directory around.
  const places = [path, ...roots.map((one) => `${one}/sites/${uri}`)];
  return place !== null && !places.includes(place) ? `its directory is ${place}` : null;
}

/** Files of the new name that are there already. */
function takenBy(
  files: readonly AliasFile[],
  site: AliasedSite,
  task: AliasTask,
  changes: readonly FileChange[],
): SiteProblem[] {
  if (task.kind === 'remove' || task.naming.uri.to === site.uri) return [];
  const made = new Set(changes.flatMap(({ path, before }) => (before === null ? [path] : [])));
  const named = task.naming.uri.to + SUFFIX;
  return files
    .filter(({ path }) => made.has(path) || basename(path) === named)
    .map(({ path }) => ({
      code: 'alias-taken',
      message: `There is an alias of the name ${task.naming.uri.to} already: whose it is is not known.`,
      file: path,
    }));
}

/** The file's name made of the new name as it was of the old one. */
function renameFile(path: string, { uri }: Naming): string {
  const spelling = spellingOf(path, uri.from);
  const [, ...rest] = splitName(basename(path));
  return spelling === null ? path : join(dirname(path), [spelling(uri.to), ...rest].join(''));
}

/** How a file's name is made of the site's: as it is, or with dashes in place of all dots or of all but the last. */
function spellingOf(path: string, uri: string): ((name: string) => string) | null {
  const spellings = [
    (name: string) => name,
    (name: string) => name.replaceAll('.', '-'),
    (name: string) => name.replace(/\.(?=.*\.)/g, '-'),
  ];
  const [stem = ''] = splitName(basename(path));
  return spellings.find((spell) => stem === spell(uri)) ?? null;
}

/** `old-test` and `.site.yml`. */
function splitName(name: string): string[] {
  const end = /(?:\.site|\.alias|\.aliases)?\.ya?ml$/.exec(name);
  return end === null ? [name] : [name.slice(0, end.index), end[0]];
}

function textOf(value: PhpValue | undefined): string | null {
  return typeof value === 'string' ? toText(value) : null;
}
