/**
 * Drupal's `sites/sites.php`: `$sites['name'] = 'directory'` gives a site further names, and wins over a directory of that
 * name. Read and changed as data: lines of other sites and comments stay as they are, byte for byte.
 */
import { findAssignments, removal } from '../lib/php-assignments.ts';
import { type Replacement, encodeLiteral, replaceInSource } from '../lib/php-literals.ts';
import { fromText, PhpArray, toKey, toText, Unresolved } from '../lib/php-values.ts';
import type { PhpKey, PhpValue } from '../lib/php-values.ts';
import { isSameValue, readVariable } from './read-variable.ts';
import type { SiteProblem } from './site.ts';

export type SitesPhpChange = {
  /** Names that go. */
  readonly remove?: readonly string[];
  /** Names that lead to a directory in future; one that does already stays where it stands. */
  readonly add?: readonly { readonly name: string; readonly uri: string }[];
  /** All names of the one directory lead to the other. */
  readonly retarget?: { readonly from: string; readonly to: string };
};

export type RewrittenSitesPhp = {
  /** Null: there was none, and nothing is to be in it. */
  readonly bytes: Uint8Array | null;
  /** Code `sites-php-not-rewritten`: each stops the task. */
  readonly problems: readonly SiteProblem[];
};

/** The names that lead to a site's directory. Null where the file does not tell all of its names: code makes them. */
export function namesInSitesPhp(bytes: Uint8Array | null, uri: string): readonly string[] | null {
  const sites = bytes === null ? PhpArray.empty : readVariable(bytes, 'sites');
  if (!(sites instanceof PhpArray) || unknownIn(sites) !== null) return null;
  return [...sites.entries].flatMap(([key, value]) => (value === fromText(uri) ? [toText(String(key)) ?? ''] : []));
}

/** Where a name leads by the file; null where it says nothing of it. Such a name can't become another site's. */
export function targetInSitesPhp(bytes: Uint8Array | null, name: string): string | null {
  const sites = bytes === null ? null : readVariable(bytes, 'sites');
  const value = sites instanceof PhpArray ? sites.entries.get(keyOf(name)) : undefined;
  return typeof value === 'string' ? toText(value) : null;
}

/**
 * What a rename needs on one platform: names lead to the new directory; the old name, and the new one where it was a
 * further name of the old site, need none.
 */
export function renameInSitesPhp(from: string, to: string): SitesPhpChange {
  return { retarget: { from, to }, remove: [from, to] };
}

/** `file` is the path for problems. A file that is needed and not there is made. */
export function rewriteSitesPhp(bytes: Uint8Array | null, change: SitesPhpChange, file: string): RewrittenSitesPhp {
  const source = Buffer.from(bytes ?? []);
  const before = bytes === null ? PhpArray.empty : readVariable(bytes, 'sites');
  const assignments = bytes === null ? [] : findAssignments(source);
  const refuse = (line: number, why: string): RewrittenSitesPhp => ({
    bytes,
    problems: [
      {
        code: 'sites-php-not-rewritten',
        message: `The names in it can not be changed as data: ${why}.`,
        file,
        ...(line > 0 ? { line } : {}),
      },
    ],
  });
  if (before instanceof Unresolved) return refuse(before.line, `what it says ${before.why}`);
  if (!(before instanceof PhpArray) || assignments === null) return refuse(0, 'it can not be read as PHP');
  const wanted = apply(before, change);
  if (isSameValue(before, wanted)) return { bytes, problems: [] };
  const unknown = unknownIn(before);
  if (unknown !== null) return refuse(unknown.line, `one of them ${unknown.why}`);
  const ofSites = assignments.filter(({ name, keys }) => name === 'sites' && keys.length === 1);
  const text = source.toString('latin1');
  const replacements: Replacement[] = [];
  for (const one of ofSites) {
    const key = keyOfBytes(one.keys[0] ?? '');
    if (!before.entries.has(key)) continue;
    const value = wanted.entries.get(key);
    if (value === undefined) replacements.push(removal(text, one));
    else if (value !== before.entries.get(key)) replacements.push({ ...one.value, text: sourceOf(value) });
  }
  const added = [...wanted.entries].filter(([key]) => !before.entries.has(key));
  const replaced = append(replaceInSource(source, replacements), added);
  const after = readVariable(replaced, 'sites');
  if (after === null || !hasSameEntries(after, wanted))
    return refuse(ofSites[0]?.line ?? 0, 'code that follows changes them again');
  return { bytes: replaced, problems: [] };
}

function apply(before: PhpArray, { remove = [], add = [], retarget }: SitesPhpChange): PhpArray {
  const entries = new Map(before.entries);
  if (retarget !== undefined)
    for (const [key, value] of entries) if (value === fromText(retarget.from)) entries.set(key, fromText(retarget.to));
  for (const name of remove) {
    const value = entries.get(keyOf(name));
    // Where a rename removes its own names, one that leads to another site is that one's.
    if (retarget === undefined || value === fromText(retarget.to)) entries.delete(keyOf(name));
  }
  for (const { name, uri } of add) entries.set(keyOf(name), fromText(uri));
  return new PhpArray(entries, before.rest);
}

function append(bytes: Buffer, added: readonly (readonly [PhpKey, PhpValue])[]): Buffer {
  if (added.length === 0) return bytes;
  const lines = added.map(([key, value]) => `$sites[${encodeLiteral(String(key))}] = ${sourceOf(value)};\n`).join('');
  const text = bytes.toString('latin1');
  if (text === '') return Buffer.from(`<?php\n${lines}`, 'latin1');
  const end = /\?>\s*$/.exec(text)?.index ?? text.length;
  const gap = end === 0 || text.at(end - 1) === '\n' ? '' : '\n';
  return Buffer.from(text.slice(0, end) + gap + lines + text.slice(end), 'latin1');
}

/** Names of directories are all that is ever written. */
function sourceOf(value: PhpValue): string {
  return encodeLiteral(typeof value === 'string' ? value : '');
}

function hasSameEntries(a: PhpValue, b: PhpArray): boolean {
  return (
    a instanceof PhpArray &&
    a.rest === null &&
    a.entries.size === b.entries.size &&
    [...b.entries].every(([key, value]) => isSameValue(a.get(key), value))
  );
}

/** What keeps it from being told whose a name is. */
function unknownIn({ entries, rest }: PhpArray): Unresolved | null {
  return rest ?? [...entries.values()].find((value) => value instanceof Unresolved) ?? null;
}

function keyOf(name: string): PhpKey {
  return keyOfBytes(fromText(name));
}

function keyOfBytes(name: string): PhpKey {
  return toKey(name) ?? name;
}
