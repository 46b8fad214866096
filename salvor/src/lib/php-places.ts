/** Variables that expressions name, as places to write to, and those that a piece of source may write to. */
import type { PhpReading } from './php-reading.ts';
import type { PhpPlace } from './php-state.ts';
import type { PhpExpression } from './php-syntax.ts';
import { toKey, toText, Unresolved } from './php-values.ts';
import type { PhpValue } from './php-values.ts';

type Evaluate = (node: PhpExpression) => PhpValue;

/** Null for what is no variable (a property) or one whose name is not known. */
export function placeOf(node: PhpExpression, reading: PhpReading, evaluate: Evaluate): PhpPlace | null {
  const keys: PhpPlace['keys'][number][] = [];
  let at: PhpExpression = node;
  while (at.kind === 'offsetlookup') {
    keys.unshift(at.offset === false ? null : keyOf(at.offset, reading, evaluate));
    at = at.what;
  }
  if (at.kind !== 'variable') return null;
  const name = nameOf(at.name, evaluate);
  if (name !== 'GLOBALS') return name === null ? null : { variable: name, keys };
  const [variable, ...below] = keys;
  return typeof variable === 'string' ? { variable, keys: below } : null;
}

export function nameOf(name: string | PhpExpression, evaluate: Evaluate): string | null {
  const value = typeof name === 'string' ? name : evaluate(name);
  // The parser takes DEL for a letter of names and PHP does not: then the text is not what it seems.
  return typeof value === 'string' && !value.includes('\x7f') ? value : null;
}

export function keyOf(offset: PhpExpression, reading: PhpReading, evaluate: Evaluate): bigint | string | Unresolved {
  // "$a[name]" inside a string: the bare word is the key.
  if (offset.kind === 'identifier') return toKey(offset.name) ?? offset.name;
  const value = evaluate(offset);
  if (value instanceof Unresolved) return value;
  return toKey(value) ?? reading.unresolved(offset, 'uses an array as a key');
}

/** What a write may change: a variable by name, any of them, or none of them (a property). */
export type Written = { readonly variable: string } | 'any' | 'none';

/**
 * Everything that a piece of source that may or may not run, or run often, could do: what it writes
 * to, and every call, program, include in it.
 */
export function scanEffects(
  node: unknown,
  onWrite: (written: Written) => void,
  onEffect: (node: PhpExpression) => void,
): void {
  if (Array.isArray(node)) {
    for (const item of node) scanEffects(item, onWrite, onEffect);
    return;
  }
  if (typeof node !== 'object' || node === null) return;
  for (const target of targetsOf(node)) for (const written of writtenBy(target)) onWrite(written);
  if (isEffect(node)) onEffect(node as PhpExpression);
  for (const [name, child] of Object.entries(node)) {
    if (typeof child === 'object' && name !== 'loc') scanEffects(child, onWrite, onEffect);
  }
}

/** What a write to the expression may change. */
export function writtenBy(target: PhpExpression): Written[] {
  if (target.kind === 'list' || target.kind === 'array') {
    return target.items.flatMap((item) => (item === null ? [] : writtenBy(item.kind === 'entry' ? item.value : item)));
  }
  let at: PhpExpression = target;
  let last: PhpExpression | false = false;
  while (at.kind === 'offsetlookup') {
    last = at.offset;
    at = at.what;
  }
  if (at.kind !== 'variable') return ['none'];
  if (typeof at.name !== 'string') return ['any'];
  if (at.name !== 'GLOBALS') return [{ variable: at.name }];
  return last !== false && last.kind === 'string' ? [{ variable: last.raw.slice(1, -1) }] : ['any'];
}

type Scanned = {
  readonly kind?: string;
  readonly type?: string;
  readonly left?: PhpExpression;
  readonly right?: PhpExpression;
  readonly what?: PhpExpression;
  readonly key?: PhpExpression | null;
  readonly value?: PhpExpression;
  readonly variables?: readonly PhpExpression[];
};

function targetsOf(node: Scanned): readonly PhpExpression[] {
  switch (node.kind) {
    case 'assign':
      return given(node.left);
    case 'assignref':
      return given(node.left, node.right);
    case 'pre':
    case 'post':
      return given(node.what);
    case 'foreach':
      return given(node.key, node.value);
    case 'unset':
      return node.variables ?? [];
    default:
      return [];
  }
}

function given(...targets: readonly (PhpExpression | null | undefined)[]): PhpExpression[] {
  return targets.filter((target) => target != null);
}

function isEffect(node: Scanned): boolean {
  return (
    node.kind === 'call' ||
    node.kind === 'include' ||
    node.kind === 'eval' ||
    (node.kind === 'encapsed' && node.type === 'shell')
  );
}

/** Text of a path in the source; null for bytes that no path can have. */
export function pathOf(value: PhpValue): string | null {
  if (typeof value !== 'string' || value === '' || value.length > 4096 || value.includes('\0')) return null;
  return toText(value);
}
