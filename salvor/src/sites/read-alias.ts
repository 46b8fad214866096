/**
 * What Aegir knows: its contexts, the files `<home>/.drush/*.alias.drushrc.php`, name servers, platforms and sites, with
 * references between them as names with an `@` in front. For Drush 10 and later BOA writes the sites of the same contexts
 * as `<home>/.drush/sites/*.yml`, which name less: of a site in both the PHP file counts.
 */
import { evaluatePhp, valueAt } from '../lib/php-evaluate.ts';
import type { PhpFiles } from '../lib/php-reading.ts';
import { PhpArray, toText } from '../lib/php-values.ts';
import { listDirectory } from './list-directory.ts';
import { readYamlAlias } from './read-yaml-alias.ts';
import type { SiteProblem } from './site.ts';
import { problemsOf } from './settings-problems.ts';

const SUFFIX = '.alias.drushrc.php';
const YAML_SUFFIX = /\.ya?ml$/;
const MAX_ALIASES = 10_000;

export type AegirContext = {
  readonly name: string;
  readonly type: 'server' | 'platform' | 'site';
  readonly file: string;
  /** The values that are texts, numbers or truths (`1` and empty); lists and what could not be worked out are left out. */
  readonly values: ReadonlyMap<string, string>;
  /** The texts in lists (`aliases`). */
  readonly lists: ReadonlyMap<string, readonly string[]>;
};

export type ReadAliases = { readonly contexts: readonly AegirContext[]; readonly problems: readonly SiteProblem[] };

/** All contexts of a home, by name. A home without any is no mistake: the list is empty. */
export function readAliases(
  home: string,
  files: PhpFiles,
  options: { readonly only?: 'server' | 'platform' } = {},
): ReadAliases {
  const directory = `${home}/.drush`;
  const contexts: AegirContext[] = [];
  const problems: SiteProblem[] = [];
  for (const file of namesIn(directory).filter((name) => name.endsWith(SUFFIX))) {
    const name = file.slice(0, -SUFFIX.length);
    if (options.only !== undefined && !name.startsWith(`${options.only}_`)) continue;
    const result = evaluatePhp(`${directory}/${file}`, { files, variables: { aliases: PhpArray.empty } });
    const values = valueAt(result.variables.get('aliases'), name);
    if (values instanceof PhpArray) {
      const context = contextOf(name, `${directory}/${file}`, values);
      if (context !== null) contexts.push(context);
    } else problems.push(...problemsOf(result.notes.length > 0 ? result.notes : [notAContext(`${directory}/${file}`)]));
  }
  if (options.only !== undefined) return { contexts, problems };
  const known = new Set(contexts.flatMap(({ type, values }) => (type === 'site' ? [values.get('uri')] : [])));
  for (const file of namesIn(`${directory}/sites`).filter((name) => YAML_SUFFIX.test(name)))
    contexts.push(
      ...readYamlAlias(`${directory}/sites/${file}`, files).filter(({ values }) => !known.has(values.get('uri'))),
    );
  return { contexts, problems };
}

/** The context that a reference (`@platform_X`) means. */
export function contextNamed(
  contexts: readonly AegirContext[],
  reference: string | undefined,
): AegirContext | undefined {
  return contexts.find(({ name }) => reference === `@${name}`);
}

function namesIn(directory: string): string[] {
  const listed = listDirectory(directory);
  return 'refused' in listed ? [] : [...listed.names].sort().slice(0, MAX_ALIASES);
}

function notAContext(file: string) {
  return { kind: 'unreadable', message: 'it holds no context of its own name', file, line: 0 } as const;
}

function contextOf(name: string, file: string, array: PhpArray): AegirContext | null {
  const values = new Map<string, string>();
  const lists = new Map<string, readonly string[]>();
  for (const [key, entry] of array.entries) {
    const text = textOf(entry);
    if (text !== null) values.set(String(key), text);
    else if (entry instanceof PhpArray)
      lists.set(
        String(key),
        [...entry.entries.values()].flatMap((item) => textOf(item) ?? []),
      );
  }
  const type = typeOf(name, values);
  return type === null ? null : { name, type, file, values, lists };
}

function textOf(value: unknown): string | null {
  if (typeof value === 'string') return toText(value);
  if (typeof value === 'boolean') return value ? '1' : '';
  return typeof value === 'bigint' ? String(value) : null;
}

function typeOf(name: string, values: ReadonlyMap<string, string>): AegirContext['type'] | null {
  const type = values.get('context_type') ?? /^(server|platform)_/.exec(name)?.[1] ?? (values.has('uri') ? 'site' : '');
  return type === 'server' || type === 'platform' || type === 'site' ? type : null;
}
