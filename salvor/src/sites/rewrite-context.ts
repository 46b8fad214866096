/** An Aegir context's alias file for a site that is cloned, renamed or put on another platform. Pure. */
import { findAssignments } from '../lib/php-assignments.ts';
import { type Replacement, encodeLiteral, findLiterals, replaceInSource, spellLiteral } from '../lib/php-literals.ts';
import { fromText, PhpArray, toKey } from '../lib/php-values.ts';
import type { PhpKey, PhpValue } from '../lib/php-values.ts';
import { isSameValue, readVariable } from './read-variable.ts';
import { renameAt } from './rename-at.ts';
import type { Naming } from './rename-in-text.ts';
import { type ContextFields, setContext } from './set-context.ts';

export type ContextChange = {
  /** The contexts' names: those of their files. */
  readonly name: { readonly from: string; readonly to: string };
  readonly naming: Naming;
  readonly fields: ContextFields;
};

/** Null where it can't be changed as data. Whatever else the file holds stays, byte for byte. */
export function rewriteContext(bytes: Uint8Array, { name, naming, fields }: ContextChange): Uint8Array | null {
  const found = findLiterals(bytes);
  const assignments = findAssignments(bytes);
  const before = readVariable(bytes, 'aliases');
  if (found === null || assignments === null || !(before instanceof PhpArray) || before.rest !== null) return null;
  const [from, to] = [fromText(name.from), fromText(name.to)];
  const source = Buffer.from(bytes).toString('latin1');
  const replacements: Replacement[] = [];
  for (const literal of found.literals) {
    const { place, start, end, value } = literal;
    if (place.kind !== 'variable' || place.name !== 'aliases' || place.keys[0] !== from) continue;
    const renamed = renameAt(place, value, naming);
    const text = renamed === value ? null : spellLiteral(literal, renamed, source);
    if (text !== null) replacements.push({ start, end, text });
  }
  if (from !== to)
    for (const { name: variable, keys, key } of assignments)
      if (variable === 'aliases' && keys.length === 1 && keys[0] === from && key !== null)
        replacements.push({ ...key, text: encodeLiteral(to) });
  const replaced = replaceInSource(bytes, replacements);
  if (!isSameValue(readVariable(replaced, 'aliases') ?? undefined, renameContext(before, from, to, naming)))
    return null;
  return setContext(replaced, 'aliases', [to], fields)?.bytes ?? null;
}

function renameContext(before: PhpArray, from: string, to: string, naming: Naming): PhpArray {
  const [old, next] = [toKey(from) ?? from, toKey(to) ?? to];
  return new PhpArray(
    new Map(
      [...before.entries].map(([key, value]): [PhpKey, PhpValue] =>
        key === old ? [next, renameBelow(value, [from], naming)] : [key, value],
      ),
    ),
  );
}

function renameBelow(value: PhpValue, keys: readonly string[], naming: Naming): PhpValue {
  if (typeof value === 'string') return renameAt({ kind: 'variable', name: 'aliases', keys }, value, naming);
  if (!(value instanceof PhpArray)) return value;
  const entries = [...value.entries].map(([key, item]): [PhpKey, PhpValue] => [
    key,
    renameBelow(item, [...keys, String(key)], naming),
  ]);
  return new PhpArray(new Map(entries), value.rest);
}
