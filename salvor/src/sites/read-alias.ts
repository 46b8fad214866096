/**
 * Aegir's contexts: the files `<home>/.drush/*.alias.drushrc.php` name servers, platforms and sites.
 * References between them are names with an `@` in front.
 */
import { readdirSync } from 'node:fs';
import { evaluatePhp, valueAt } from '../lib/php-evaluate.ts';
import type { PhpFiles } from '../lib/php-reading.ts';
import { PhpArray, toText } from '../lib/php-values.ts';
import type { SiteProblem } from './site.ts';
import { problemsOf } from './settings-problems.ts';

const SUFFIX = '.alias.drushrc.php';
const MAX_ALIASES = 10_000;

export type AegirContext = {
  readonly name: string;
  readonly type: 'server' | 'platform' | 'site';
  readonly file: string;
  /** The values that are texts; lists and what could not be worked out are left out. */
  readonly values: ReadonlyMap<string, string>;
};

export type ReadAliases = { readonly contexts: readonly AegirContext[]; readonly problems: readonly SiteProblem[] };

/** All contexts of a home, by name. A home without any is no mistake: the list is empty. */
export function readAliases(home: string, files: PhpFiles, options: { readonly only?: 'server' } = {}): ReadAliases {
  const directory = `${home}/.drush`;
  const contexts: AegirContext[] = [];
  const problems: SiteProblem[] = [];
  for (const file of listAliases(directory, files)) {
    const name = file.slice(0, -SUFFIX.length);
    if (options.only === 'server' && !name.startsWith('server_')) continue;
    const result = evaluatePhp(`${directory}/${file}`, { files, variables: { aliases: PhpArray.empty } });
    const values = textsOf(valueAt(result.variables.get('aliases'), name));
    if (values === null)
      problems.push(...problemsOf(result.notes.length > 0 ? result.notes : [notAContext(`${directory}/${file}`)]));
    else {
      const type = typeOf(name, values);
      if (type !== null) contexts.push({ name, type, file: `${directory}/${file}`, values });
    }
  }
  return { contexts, problems };
}

function listAliases(directory: string, files: PhpFiles): string[] {
  if (files.probe(directory) !== 'directory') return [];
  return readdirSync(directory)
    .filter((name) => name.endsWith(SUFFIX))
    .toSorted()
    .slice(0, MAX_ALIASES);
}

function notAContext(file: string) {
  return { kind: 'unreadable', message: 'it holds no context of its own name', file, line: 0 } as const;
}

function textsOf(value: unknown): Map<string, string> | null {
  if (!(value instanceof PhpArray)) return null;
  const texts = new Map<string, string>();
  for (const [key, entry] of value.entries) {
    const text = typeof entry === 'string' ? toText(entry) : typeof entry === 'bigint' ? String(entry) : null;
    if (text !== null) texts.set(String(key), text);
  }
  return texts;
}

function typeOf(name: string, values: ReadonlyMap<string, string>): AegirContext['type'] | null {
  const type = values.get('context_type') ?? /^(server|platform)_/.exec(name)?.[1] ?? (values.has('uri') ? 'site' : '');
  return type === 'server' || type === 'platform' || type === 'site' ? type : null;
}
