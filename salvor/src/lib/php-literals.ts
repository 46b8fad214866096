/**
 * Where the literals of a PHP file stand in its text and what each is the value of, so that a value can be changed as
 * data: the rest of the file stays as it is, byte for byte. Offsets are of bytes; values have one character per byte.
 */
import type { PhpExpression } from './php-syntax.ts';
import { parsePhp } from './php-syntax.ts';
import { decodeEscapes, decodeLiteral } from './php-strings.ts';

export type PhpLiteral = {
  readonly value: string;
  readonly start: number;
  readonly end: number;
  readonly place: LiteralPlace;
  /** False for a part of a text with variables in it, which has no quotes of its own. */
  readonly isWhole: boolean;
};

/**
 * What a literal is the value of: a variable and the keys below it (null where a key is none that is known), a
 * constant, the key of an array entry, or nothing that is told (an argument of a function, a condition).
 */
export type LiteralPlace =
  | { readonly kind: 'variable'; readonly name: string; readonly keys: readonly (string | null)[] }
  | { readonly kind: 'constant'; readonly name: string }
  | { readonly kind: 'key' }
  | { readonly kind: 'none' };

export type PhpLiterals = {
  readonly literals: readonly PhpLiteral[];
  readonly comments: readonly { readonly start: number; readonly end: number }[];
};

/** Null where the file does not parse, or where its parts do not stand where the parser says. */
export function findLiterals(bytes: Uint8Array): PhpLiterals | null {
  const syntax = parsePhp(bytes);
  if (!syntax.ok) return null;
  const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  try {
    const search = new LiteralSearch(source);
    search.visit(syntax.statements, NOWHERE);
    return { literals: search.found.sort((a, b) => a.start - b.start), comments: syntax.comments };
  } catch (error) {
    if (error instanceof Misplaced || error instanceof RangeError) return null;
    throw error;
  }
}

export type Replacement = { readonly start: number; readonly end: number; readonly text: string };

/** The file with other text at some places, which must not overlap. `text` has one character per byte. */
export function replaceInSource(bytes: Uint8Array, replacements: readonly Replacement[]): Buffer {
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const { start, end, text } of replacements.toSorted((a, b) => a.start - b.start)) {
    if (start < at) throw new RangeError('two replacements overlap');
    parts.push(bytes.subarray(at, start), Buffer.from(text, 'latin1'));
    at = end;
  }
  return Buffer.concat([...parts, bytes.subarray(at)]);
}

/** The literal of a value that any PHP reads back as it is. */
export function encodeLiteral(value: string): string {
  return `'${value.replace(/[\\']/g, '\\$&')}'`;
}

/**
 * The source text of a literal's new value: in the quotes that it had where it needs no escapes there. Null for a part of
 * a text that would need some. `source` is the file with one character per byte.
 */
export function spellLiteral({ start, end, value, isWhole }: PhpLiteral, text: string, source: string): string | null {
  const raw = source.slice(start, end);
  const isPlain = !/[\\'"$\n\r]/.test(text);
  if (!isWhole) return isPlain && raw === value ? text : null;
  if (/^\d+$/.test(raw) && /^(?:0|[1-9]\d{0,8})$/.test(text)) return text;
  const quote = raw.at(0);
  const isAsWritten = raw.slice(1, -1) === value && (quote === '"' || quote === "'");
  return isPlain && isAsWritten ? `${quote}${text}${quote}` : encodeLiteral(text);
}

const NOWHERE: LiteralPlace = { kind: 'none' };
const KEY: LiteralPlace = { kind: 'key' };

/** Functions whose result is their argument in another spelling. */
const PASSING = new Set(['urldecode', 'rawurldecode', 'urlencode', 'rawurlencode', 'trim', 'rtrim', 'ltrim', 'strval']);

class Misplaced extends Error {}

type Node = Readonly<Record<string, unknown>> & { readonly kind: string };

class LiteralSearch {
  readonly found: PhpLiteral[] = [];
  readonly #source: string;

  constructor(source: string) {
    this.#source = source;
  }

  visit(node: unknown, place: LiteralPlace): void {
    if (Array.isArray(node)) {
      for (const item of node) this.visit(item, place);
      return;
    }
    if (!isNode(node)) return;
    switch (node.kind) {
      case 'string':
      case 'nowdoc':
      case 'number':
        this.#add(node, place);
        return;
      case 'encapsed':
        this.#addParts(node, place);
        return;
      case 'assign':
        this.visit(node['left'], KEY);
        this.visit(node['right'], placeOfTarget(node['left']));
        return;
      case 'array':
        this.#visitEntries(node, place);
        return;
      case 'offsetlookup':
        this.visit(node['what'], NOWHERE);
        this.visit(node['offset'], KEY);
        return;
      case 'call':
        this.#visitCall(node, place);
        return;
      case 'constant':
        this.visit(node['value'], { kind: 'constant', name: textOfName(node['name']) });
        return;
      case 'retif':
        this.visit(node['test'], node['trueExpr'] === null ? place : NOWHERE);
        this.visit(node['trueExpr'], place);
        this.visit(node['falseExpr'], place);
        return;
      case 'bin':
      case 'cast':
      case 'silent':
      case 'unary':
        this.#visitChildren(node, place);
        return;
      default:
        this.#visitChildren(node, NOWHERE);
    }
  }

  #visitChildren(node: Node, place: LiteralPlace): void {
    for (const [key, child] of Object.entries(node)) {
      if (key !== 'loc' && key !== 'leadingComments' && key !== 'trailingComments') this.visit(child, place);
    }
  }

  #visitEntries(node: Node, place: LiteralPlace): void {
    for (const item of node['items'] as readonly unknown[]) {
      if (!isNode(item)) continue;
      if (item.kind !== 'entry') this.visit(item, below(place, null));
      else {
        this.visit(item['key'], KEY);
        this.visit(item['value'], below(place, item['key'] === null ? null : keyOf(item['key'])));
      }
    }
  }

  #visitCall(node: Node, place: LiteralPlace): void {
    const name = textOfName(node['what']).toLowerCase().replace(/^\\/, '');
    const args = node['arguments'] as readonly unknown[];
    const first = args[0];
    if (name === 'define' && isNode(first) && first.kind === 'string') {
      this.visit(first, KEY);
      for (const value of args.slice(1)) this.visit(value, { kind: 'constant', name: literalText(first) });
    } else this.visit(args, PASSING.has(name) ? place : NOWHERE);
    if (isNode(node['what']) && node['what'].kind !== 'name') this.visit(node['what'], NOWHERE);
  }

  #add(node: Node, place: LiteralPlace): void {
    const { start, end } = this.#locate(node);
    const text = this.#source.slice(start, end);
    let value: string | null;
    if (node.kind === 'string') value = text === node['raw'] ? decodeLiteral(text) : null;
    else if (node.kind === 'number') value = /^[\w.]+$/.test(text) ? text : null;
    else value = text.startsWith('<<<') ? String(node['value']) : null;
    if (value === null) throw new Misplaced();
    this.found.push({ value, start, end, place, isWhole: true });
  }

  #addParts(node: Node, place: LiteralPlace): void {
    const { start, end } = this.#locate(node);
    const parts = node['value'] as readonly { readonly expression: unknown; readonly syntax: string | null }[];
    const isPlain = node['type'] === 'heredoc' && parts.every(({ syntax }) => syntax === null);
    let plain = '';
    for (const { expression, syntax } of parts) {
      if (syntax !== null || !isNode(expression) || expression.kind !== 'string') {
        this.visit(expression, NOWHERE);
        continue;
      }
      const spot = this.#locate(expression);
      const raw = this.#source.slice(spot.start, spot.end);
      const value = raw === expression['raw'] ? decodeEscapes(raw, node['type'] === 'string' ? '"' : '') : null;
      if (value === null) throw new Misplaced();
      plain += value;
      if (!isPlain) this.found.push({ value, ...spot, place, isWhole: false });
    }
    if (isPlain) this.found.push({ value: plain.replace(/\r?\n$/, ''), start, end, place, isWhole: true });
  }

  #locate(node: Node): { readonly start: number; readonly end: number } {
    const loc = node['loc'] as { start?: { offset?: number }; end?: { offset?: number } } | undefined;
    const start = loc?.start?.offset;
    const end = loc?.end?.offset;
    if (start === undefined || end === undefined || start >= end || end > this.#source.length) throw new Misplaced();
    return { start, end };
  }
}

function below(place: LiteralPlace, key: string | null): LiteralPlace {
  return place.kind === 'variable' ? { ...place, keys: [...place.keys, key] } : place;
}

/** The variable that is written to, with its keys; nothing where it is a property or has no plain name. */
export function placeOfTarget(target: unknown): LiteralPlace {
  const keys: (string | null)[] = [];
  let at = target as PhpExpression;
  while (isNode(at) && at.kind === 'offsetlookup') {
    keys.unshift(at.offset === false ? null : keyOf(at.offset));
    at = at.what;
  }
  if (!isNode(at) || at.kind !== 'variable' || typeof at.name !== 'string') return NOWHERE;
  if (at.name !== 'GLOBALS') return { kind: 'variable', name: at.name, keys };
  const [name, ...rest] = keys;
  return typeof name === 'string' ? { kind: 'variable', name, keys: rest } : NOWHERE;
}

/** The key that a literal makes, one character per byte; null where it is none. */
export function keyOf(key: unknown): string | null {
  return isNode(key) && (key.kind === 'string' || key.kind === 'number') ? literalText(key) : null;
}

function literalText(node: Node): string {
  return node.kind === 'string' ? (decodeLiteral(String(node['raw'])) ?? '') : String(node['value']);
}

function textOfName(name: unknown): string {
  if (typeof name === 'string') return name;
  return isNode(name) && typeof name['name'] === 'string' ? name['name'] : '';
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'kind' in value && typeof value.kind === 'string';
}
