/**
 * One map of a YAML file, read key by key: what is not known, missing or of another kind fails at its line and column.
 * Values never stand in errors: one may be a password.
 */
import { resolve } from 'node:path';
import { LineCounter, isAlias, isMap, isNode, isScalar, isSeq, parseDocument } from 'yaml';
import type { Document, Node } from 'yaml';
import { nearestName } from './nearest-name.ts';

/** Where something is wrong: line and column count from 1. */
export type YamlFailure = (place: { readonly line: number; readonly column: number }, problem: string) => never;

/** The top of a YAML text. `fail` is told of the first fault and must throw. */
export function openSection(text: string, fail: YamlFailure): Section {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const failAt: Fail = (offset, problem) => {
    const { line, col } = lines.linePos(offset);
    return fail({ line, column: col }, problem);
  };
  const first = document.errors[0];
  if (first !== undefined) failAt(first.pos[0], first.message);
  return new Section(document, document.contents, 'the file', failAt);
}

type Fail = (offset: number, problem: string) => never;

export class Section {
  readonly #document: Document.Parsed;
  readonly #entries: ReadonlyMap<string, { readonly keyAt: number; readonly value: Node | null }>;
  readonly #at: number;
  readonly #title: string;
  readonly #fail: Fail;

  constructor(document: Document.Parsed, node: Node | null, title: string, fail: Fail) {
    this.#document = document;
    this.#title = title;
    this.#fail = fail;
    this.#at = offsetOf(node);
    const entries = new Map<string, { keyAt: number; value: Node | null }>();
    const resolved = this.#resolve(node);
    if (isMap(resolved)) {
      for (const { key, value } of resolved.items) {
        if (!isScalar(key)) fail(this.#at, `a key of ${title} must be a word`);
        entries.set(String(isScalar(key) ? key.value : ''), { keyAt: offsetOf(key), value: this.#resolve(value) });
      }
    } else if (resolved !== null && !(isScalar(resolved) && resolved.value === null)) {
      fail(this.#at, `${title} must hold 'key: value' lines`);
    }
    this.#entries = entries;
  }

  names(): readonly string[] {
    return [...this.#entries.keys()];
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  /** Whether `name` holds a map, and not a single value. */
  holdsSection(name: string): boolean {
    return isMap(this.#entries.get(name)?.value);
  }

  /** `where`: what says which are known, of a long list. */
  allow(known: readonly string[], where = `known are: ${known.join(', ')}`): void {
    for (const [name, { keyAt }] of this.#entries) {
      if (known.includes(name)) continue;
      const nearest = nearestName(name, known);
      const help = nearest === null ? where : `the nearest is '${nearest}'`;
      // What is not like a key at all may be a secret that lost its colon.
      const named = /^[\w-]{1,40}$/.test(name) ? ` '${name}'` : '';
      this.#fail(keyAt, `unknown key${named} in ${this.#title}; ${help}`);
    }
  }

  missing(name: string): never {
    return this.#fail(this.#at, `${this.#title} lacks '${name}'`);
  }

  section(name: string): Section {
    return new Section(this.#document, this.#entries.get(name)?.value ?? null, `'${name}'`, this.#fail);
  }

  sections(name: string): readonly Section[] {
    return this.#list(name).map(
      (item, i) => new Section(this.#document, item, `item ${i + 1} of '${name}'`, this.#fail),
    );
  }

  text(name: string): string | null {
    const value = this.#value(name);
    return value === null ? null : this.#text(name, value);
  }

  path(name: string, here: string): string | null {
    const text = this.text(name);
    return text === null ? null : resolve(here, text);
  }

  paths(name: string, here: string): readonly string[] {
    return this.#list(name).map((item) => resolve(here, this.#text(name, item)));
  }

  /** What `read` makes of a text; where that is null the place is told with `problem`. */
  parsed<T>(name: string, read: (text: string) => T | null, problem: string): T | null {
    const text = this.text(name);
    return text === null ? null : (read(text) ?? this.fail(name, problem));
  }

  /** Ends the reading at the value of `name`. */
  fail(name: string, problem: string): never {
    return this.#fail(offsetOf(this.#entries.get(name)?.value), `'${name}' ${problem}`);
  }

  texts(name: string): readonly string[] | null {
    return this.has(name) ? this.#list(name).map((item) => this.#text(name, item)) : null;
  }

  flag(name: string): boolean | null {
    const value = this.#value(name);
    if (value === null) return null;
    const said = isScalar(value) ? value.value : null;
    if (typeof said === 'boolean') return said;
    if (said === 'yes' || said === 'no') return said === 'yes';
    return this.fail(name, 'must be yes or no');
  }

  port(name: string): number | null {
    const value = this.#value(name);
    if (value === null) return null;
    const port = isScalar(value) ? value.value : null;
    if (typeof port === 'number' && Number.isInteger(port) && port > 0 && port < 65536) return port;
    return this.#fail(offsetOf(value), `'${name}' must be a number from 1 to 65535`);
  }

  #value(name: string): Node | null {
    const value = this.#entries.get(name)?.value ?? null;
    return isScalar(value) && value.value === null ? null : value;
  }

  #list(name: string): readonly Node[] {
    const value = this.#value(name);
    if (value === null) return [];
    if (isSeq(value)) return value.items.map((item) => this.#resolve(item) ?? value);
    return this.#fail(offsetOf(value), `'${name}' must be a list: each item on its own line after '- '`);
  }

  #text(name: string, value: Node): string {
    if (isScalar(value) && typeof value.value === 'string' && value.value !== '') return value.value;
    // A name such as 0123 or 1e5 is a number to YAML, and its text is what was meant.
    if (isScalar(value) && typeof value.value === 'number' && value.source !== undefined) return value.source;
    return this.#fail(offsetOf(value), `'${name}' must be text`);
  }

  #resolve(node: unknown): Node | null {
    if (isAlias(node)) return node.resolve(this.#document) ?? null;
    return isNode(node) ? node : null;
  }
}

function offsetOf(node: unknown): number {
  return isNode(node) ? (node.range?.[0] ?? 0) : 0;
}
