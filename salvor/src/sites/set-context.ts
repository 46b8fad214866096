/**
 * Sets single values of an Aegir context, in `drushrc.php` (`$options[…]`) or in an alias file (`$aliases[name][…]`): what
 * a copy of a site may not take over, as its origin's further names. Only what the file says already is set.
 */
import { findAssignments } from '../lib/php-assignments.ts';
import { encodeLiteral, replaceInSource } from '../lib/php-literals.ts';
import { fromText, PhpArray, toKey, toText } from '../lib/php-values.ts';
import type { PhpKey, PhpValue } from '../lib/php-values.ts';
import { isSameValue, readVariable } from './read-variable.ts';

export type ContextFields = Readonly<Record<string, string | boolean | readonly string[]>>;

/** What a clone begins without: further names lead to its origin, and so does a redirection; its certificate is another. */
export const FIELDS_OF_CLONE: ContextFields = { aliases: [], redirection: false, ssl_enabled: false };

/** Further names of a site that was renamed: those made of its old name are made of the new one. */
export function renameAliases(aliases: readonly string[], from: string, to: string): readonly string[] {
  const bare = (name: string): string => name.replace(/^www\./, '');
  const renamed = aliases.map((alias) => {
    if (alias === bare(from)) return bare(to);
    return alias === `www.${bare(from)}` ? `www.${bare(to)}` : alias;
  });
  return [...new Set(renamed)].filter((alias) => alias !== to);
}

/**
 * What changes in a context beside its name when a site is renamed: further names and the redirection, where they were made
 * of the old name.
 */
export function fieldsOfRenamed(
  bytes: Uint8Array,
  variable: string,
  keys: readonly string[],
  { from, to }: { readonly from: string; readonly to: string },
): ContextFields {
  const value = readVariable(bytes, variable);
  const context = value === null || from === to ? undefined : valueBelow(value, keys);
  if (!(context instanceof PhpArray)) return {};
  const list = context.get('aliases');
  const aliases = list instanceof PhpArray && list.rest === null ? [...list.entries.values()].map(textOf) : [null];
  const redirection = textOf(context.get('redirection'));
  const [redirected = to] = redirection === null ? [] : renameAliases([redirection], from, to);
  return {
    ...(aliases.includes(null)
      ? {}
      : {
          aliases: renameAliases(
            aliases.filter((alias) => alias !== null),
            from,
            to,
          ),
        }),
    ...(redirection === null || redirection === '' ? {} : { redirection: redirected }),
  };
}

export type SetContext = { readonly bytes: Uint8Array; readonly lines: readonly number[] };

/** Null where the file can't be changed so as data. `variable` and `keys` lead to the context, one character per byte. */
export function setContext(
  bytes: Uint8Array,
  variable: string,
  keys: readonly string[],
  fields: ContextFields,
): SetContext | null {
  const before = readVariable(bytes, variable);
  const assignments = findAssignments(bytes);
  if (assignments === null || before === null) return null;
  const context = valueBelow(before, keys);
  if (!(context instanceof PhpArray)) return { bytes, lines: [] };
  let wanted: PhpArray = context;
  for (const [name, value] of Object.entries(fields))
    if (context.entries.has(name)) wanted = wanted.with(name, phpOf(value));
  if (isSameValue(context, wanted)) return { bytes, lines: [] };
  const changed = assignments.filter(({ name, keys: at }) => {
    const field = at[keys.length];
    return (
      name === variable &&
      at.length === keys.length + 1 &&
      keys.every((key, index) => at[index] === key) &&
      typeof field === 'string' &&
      !isSameValue(context.entries.get(field), wanted.entries.get(field))
    );
  });
  const replaced = replaceInSource(
    bytes,
    changed.map(({ value, keys: at }) => ({ ...value, text: sourceOf(fields[at[keys.length] ?? ''] ?? '') })),
  );
  const after = readVariable(replaced, variable);
  if (after === null || !isSameValue(valueBelow(after, keys), wanted)) return null;
  return { bytes: replaced, lines: changed.map(({ line }) => line) };
}

function valueBelow(value: PhpValue, keys: readonly string[]): PhpValue | undefined {
  let at: PhpValue | undefined = value;
  for (const key of keys) at = at instanceof PhpArray ? (at.entries.get(toKey(key) ?? key) ?? undefined) : undefined;
  return at;
}

function textOf(value: PhpValue | undefined): string | null {
  return typeof value === 'string' ? toText(value) : null;
}

function phpOf(value: ContextFields[string]): PhpValue {
  if (typeof value === 'string') return fromText(value);
  if (typeof value === 'boolean') return value;
  return new PhpArray(new Map(value.map((item, index): [PhpKey, PhpValue] => [BigInt(index), fromText(item)])));
}

function sourceOf(value: ContextFields[string]): string {
  if (typeof value === 'string') return encodeLiteral(fromText(value));
  if (typeof value === 'boolean') return String(value);
  return `array(${value.map((item, index) => `${index} => ${encodeLiteral(fromText(item))}`).join(', ')})`;
}
