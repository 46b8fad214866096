/**
 * Where a PHP file gives a value to a variable or to a key below one, by an assignment or by an entry of an array, so that
 * one value can be set, its key renamed, or the whole taken out. Offsets are of bytes; everything else of the file stays.
 */
import { type LiteralPlace, type Replacement, keyOf, placeOfTarget } from './php-literals.ts';
import type { PhpExpression } from './php-syntax.ts';
import { parsePhp } from './php-syntax.ts';

export type Span = { readonly start: number; readonly end: number };

export type PhpAssignment = {
  readonly name: string;
  /** Null where a key is none that is known. */
  readonly keys: readonly (string | null)[];
  /** Of the last key's literal; null of a variable itself. */
  readonly key: Span | null;
  readonly value: Span;
  /** Of the whole statement with its `;`, or of the entry without its comma. */
  readonly whole: Span;
  readonly isEntry: boolean;
  readonly line: number;
};

/** In the order of the source; null where the file does not parse. */
export function findAssignments(bytes: Uint8Array): readonly PhpAssignment[] | null {
  const syntax = parsePhp(bytes);
  if (!syntax.ok) return null;
  const found: PhpAssignment[] = [];
  visit(syntax.statements, null, found);
  return found;
}

/**
 * Takes an assignment out of `source`, the file with one character per byte. Its line goes too where nothing else stands
 * on it; what stands there, a comment, stays. Of an entry the comma behind it goes along.
 */
export function removal(source: string, { whole, isEntry }: PhpAssignment): Replacement {
  let { start, end } = whole;
  if (isEntry) end += /^\s*,/.exec(source.slice(end, end + 200))?.[0].length ?? 0;
  let line = start;
  while (source[line - 1] === ' ' || source[line - 1] === '\t') line -= 1;
  let next = end;
  while (source[next] === ' ' || source[next] === '\t') next += 1;
  if (source.startsWith('\r\n', next)) next += 1;
  const isAlone = (line === 0 || source[line - 1] === '\n') && (next === source.length || source[next] === '\n');
  if (isAlone) [start, end] = [line, Math.min(next + 1, source.length)];
  return { start, end, text: '' };
}

type Node = Readonly<Record<string, unknown>> & { readonly kind: string };

function visit(node: unknown, statement: Span | null, found: PhpAssignment[]): void {
  if (Array.isArray(node)) {
    for (const item of node) visit(item, null, found);
    return;
  }
  if (!isNode(node)) return;
  if (node.kind === 'assign' && node['operator'] === '=') addAssign(node, statement, found);
  for (const [key, child] of Object.entries(node)) {
    if (key === 'loc' || key === 'leadingComments' || key === 'trailingComments') continue;
    visit(child, node.kind === 'expressionstatement' ? spanOf(node) : null, found);
  }
}

function addAssign(node: Node, statement: Span | null, found: PhpAssignment[]): void {
  const place = placeOfTarget(node['left']);
  const value = node['right'];
  const [span, whole] = [spanOf(value), statement ?? spanOf(node)];
  if (place.kind !== 'variable' || span === null || whole === null) return;
  const left = node['left'] as PhpExpression;
  const key = left.kind === 'offsetlookup' && left.offset !== false ? spanOf(left.offset) : null;
  found.push({ name: place.name, keys: place.keys, key, value: span, whole, isEntry: false, line: lineOf(node) });
  addEntries(value, place, found);
}

function addEntries(node: unknown, place: LiteralPlace & { readonly kind: 'variable' }, found: PhpAssignment[]): void {
  if (!isNode(node) || node.kind !== 'array') return;
  for (const entry of node['items'] as readonly unknown[]) {
    if (!isNode(entry) || entry.kind !== 'entry') continue;
    const { key, value } = entry;
    const [span, whole] = [spanOf(value), spanOf(entry)];
    if (span === null || whole === null) continue;
    const named = keyOf(key);
    const below = { ...place, keys: [...place.keys, named] };
    const keySpan = named === null ? null : spanOf(key);
    found.push({
      name: place.name,
      keys: below.keys,
      key: keySpan,
      value: span,
      whole,
      isEntry: true,
      line: lineOf(entry),
    });
    addEntries(value, below, found);
  }
}

function spanOf(node: unknown): Span | null {
  const loc = (node as { loc?: { start?: { offset?: number }; end?: { offset?: number } } } | null)?.loc;
  const start = loc?.start?.offset;
  const end = loc?.end?.offset;
  return start === undefined || end === undefined || start >= end ? null : { start, end };
}

function lineOf(node: Node): number {
  return (node['loc'] as { start?: { line?: number } } | undefined)?.start?.line ?? 0;
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'kind' in value && typeof value.kind === 'string';
}
