/**
 * Drush's YAML alias files (`<home>/.drush/sites/*.yml`, Drush 9 and later): one map per environment with a `root` and a
 * `uri`. The entries of one site are renamed, or taken out; comments and other entries stay, byte for byte. Pure.
 */
import { type Pair, type Scalar, isAlias, isCollection, isMap, isScalar, parseDocument, visit } from 'yaml';
import { fromText, toText } from '../lib/php-values.ts';
import { renameAt } from './rename-at.ts';
import type { Naming } from './rename-in-text.ts';

/** Drush's own are a few lines long. */
const MAX_YAML_BYTES = 64 * 1024;

/** What tells whose an entry is. */
export type AliasedSite = {
  readonly uri: string;
  readonly path: string;
  /** The platform's root, and what its context calls so. */
  readonly roots: readonly string[];
};

export type YamlEntries = {
  /** Names of the entries that are this site's. */
  readonly own: readonly string[];
  /** Roots of entries on this machine that carry the site's name and are below another code base. */
  readonly elsewhere: readonly string[];
  readonly hasOthers: boolean;
};

/** Null: no file of aliases that is understood. */
export function entriesOfSite(bytes: Uint8Array, site: AliasedSite): YamlEntries | null {
  const pairs = pairsIn(Buffer.from(bytes).toString('utf8'));
  if (pairs === null) return null;
  const own = pairs.filter((pair) => isOwn(pair, site));
  const elsewhere = pairs.flatMap((pair) => {
    const named = namedBy(pair);
    return named === null || named.uri !== site.uri || own.includes(pair) ? [] : [named.root];
  });
  return { own: own.map(({ key }) => textOf(key) ?? ''), elsewhere, hasOthers: own.length < pairs.length };
}

/** The file with the site's entries renamed; null where that can't be done as data. */
export function renameInYaml(bytes: Uint8Array, site: AliasedSite, names: Naming): Uint8Array | null {
  // Drush means the docroot, where Aegir's context may mean the directory around it: what names the docroot goes on to.
  const isDocroot = names.context?.from.root === names.root.from;
  const naming = isDocroot ? { ...names, context: null } : names;
  const source = Buffer.from(bytes).toString('utf8');
  const pairs = pairsIn(source)?.filter((pair) => isOwn(pair, site));
  if (pairs === undefined) return null;
  const spots: { readonly start: number; readonly end: number; readonly text: string }[] = [];
  for (const pair of pairs)
    eachScalar(pair, (scalar, keys) => {
      const renamed = renameScalar(String(scalar.value), keys, naming);
      const [start, end] = scalar.range ?? [0, 0];
      if (renamed !== scalar.value) spots.push({ start, end, text: spell(scalar, renamed) });
    });
  const text = spots
    .toSorted((a, b) => b.start - a.start)
    .reduce((rest, { start, end, text: next }) => rest.slice(0, start) + next + rest.slice(end), source);
  const wanted = pairs.map((pair) => [textOf(pair.key), valuesOf(pair, naming)]);
  const after = pairsIn(text);
  const got = (after ?? []).filter(({ key }) => wanted.some(([name]) => name === textOf(key)));
  const isRight =
    JSON.stringify(got.map((pair) => [textOf(pair.key), valuesOf(pair, null)])) === JSON.stringify(wanted);
  return isRight ? Buffer.from(text) : null;
}

/** The file without the site's entries; null where nothing else is in it, and it goes. */
export function removeFromYaml(bytes: Uint8Array, site: AliasedSite): Uint8Array | null {
  const source = Buffer.from(bytes).toString('utf8');
  const pairs = pairsIn(source) ?? [];
  if (pairs.every((pair) => isOwn(pair, site))) return null;
  let text = source;
  for (const [index, pair] of [...pairs.entries()].toReversed()) {
    if (!isOwn(pair, site)) continue;
    const start = startOf(pair);
    const next = pairs[index + 1];
    // Up to the next entry a comment is that one's.
    const end = next === undefined ? endOf(pair, source) : Math.min(endOf(pair, source), startOf(next));
    text = text.slice(0, start) + text.slice(end);
  }
  return Buffer.from(text);
}

/** Null for what is no map of maps, and where anchors make more of it than stands in it. */
function pairsIn(source: string): Pair[] | null {
  if (source.length > MAX_YAML_BYTES || source.includes('�')) return null;
  const document = parseDocument(source, { prettyErrors: false });
  if (document.errors.length > 0 || !isMap(document.contents)) return null;
  let hasAliases = false;
  visit(document, { Alias: () => void (hasAliases = true) });
  return hasAliases ? null : [...document.contents.items];
}

function isOwn(pair: Pair, { uri, path, roots }: AliasedSite): boolean {
  const named = namedBy(pair);
  return named !== null && named.uri === uri && (roots.includes(named.root) || named.root === path);
}

/** What an entry says of a site on this machine; null for every other one. */
function namedBy({ value }: Pair): { readonly uri: string; readonly root: string } | null {
  if (!isMap(value) || isAlias(value) || value.has('host')) return null;
  const field = (name: string): string | null => textOf(value.get(name, true));
  const uri = (field('uri') ?? '').replace(/^https?:\/\//, '').replace(/\/+$/, '');
  const root = field('root')?.replace(/\/+$/, '');
  return root === undefined ? null : { uri: uri.replaceAll('/', '.'), root };
}

function eachScalar(
  pair: Pair,
  found: (scalar: Scalar, keys: readonly string[]) => void,
  keys: readonly string[] = [],
): void {
  const below = [...keys, textOf(pair.key) ?? ''];
  const { value } = pair;
  if (isScalar(value) && typeof value.value === 'string') found(value, below);
  if (!isCollection(value)) return;
  for (const item of value.items) {
    if (isScalar(item) && typeof item.value === 'string') found(item, below);
    else if (!isScalar(item) && isPairOf(item)) eachScalar(item, found, below);
  }
}

function isPairOf(item: unknown): item is Pair {
  return typeof item === 'object' && item !== null && 'key' in item && 'value' in item;
}

function valuesOf(pair: Pair, naming: Naming | null): string[] {
  const values: string[] = [];
  eachScalar(pair, ({ value }, keys) =>
    values.push(`${keys.join(' ')} ${naming === null ? String(value) : renameScalar(String(value), keys, naming)}`),
  );
  return values;
}

function renameScalar(value: string, keys: readonly string[], naming: Naming): string {
  return toText(renameAt({ kind: 'variable', name: 'aliases', keys }, fromText(value), naming)) ?? value;
}

/** In the quotes that it had; without any only what nothing but a text can be. */
function spell(scalar: Scalar, text: string): string {
  if (scalar.type === 'QUOTE_SINGLE') return `'${text.replaceAll("'", "''")}'`;
  return scalar.type === 'PLAIN' && /^[A-Za-z/][A-Za-z0-9_./:@-]*[A-Za-z0-9_/]$/.test(text)
    ? text
    : JSON.stringify(text);
}

function textOf(node: unknown): string | null {
  return isScalar(node) && typeof node.value === 'string' ? node.value : null;
}

function startOf({ key }: Pair): number {
  return (key as Scalar).range?.[0] ?? 0;
}

/** Behind the last line of the entry's value. */
function endOf({ value }: Pair, source: string): number {
  const [, end = 0] = (value as Scalar | null)?.range ?? [];
  const line = source.indexOf('\n', Math.max(0, end - 1));
  return source.at(end - 1) === '\n' ? end : line === -1 ? source.length : line + 1;
}
