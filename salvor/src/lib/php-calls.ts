/**
 * Calls in PHP source. Only functions whose result follows from their arguments are worked out; every
 * other one is not run: what it was handed may have changed, and what runs programs is noted by name.
 */
import type { PhpExpressions } from './php-expressions.ts';
import { callPure, DANGEROUS, HARMLESS, isPure, parentOf } from './php-functions.ts';
import { pathOf } from './php-places.ts';
import type { PhpReading } from './php-reading.ts';
import type { PhpArgument, PhpExpression } from './php-syntax.ts';
import { printable, Unresolved } from './php-values.ts';
import type { PhpValue } from './php-values.ts';

type Expressions = Pick<PhpExpressions, 'evaluate' | 'forget' | 'forgetAll' | 'forgetVariable' | 'pass' | 'constant'>;

export class PhpCalls {
  readonly #reading: PhpReading;
  readonly #expressions: Expressions;

  constructor(reading: PhpReading, expressions: Expressions) {
    this.#reading = reading;
    this.#expressions = expressions;
  }

  call(node: PhpExpression & { readonly kind: 'call' }): PhpValue {
    const reading = this.#reading;
    const name = functionName(node.what);
    if (name === null && node.what.kind !== 'name' && node.what.kind !== 'variable')
      this.#expressions.pass(node.what, 'is changed by code that was not run');
    if (name === null || (!isPure(name) && !SPECIAL.has(name))) return this.#foreignCall(name, node);
    const values = node.arguments.map((argument) =>
      argument.kind === 'variadic' || argument.kind === 'namedargument'
        ? reading.unresolved(node, 'is given with arguments out of order')
        : this.#expressions.evaluate(argument),
    );
    if (name === 'define') return this.#define(values, node);
    const args: Exclude<PhpValue, Unresolved>[] = [];
    for (const value of values) {
      if (value instanceof Unresolved) return value;
      args.push(value);
    }
    const value = SPECIAL.has(name) ? this.#special(name, args, node) : callPure(name, args);
    return value ?? reading.unresolved(node, `comes from ${name}() with arguments that are not understood`);
  }

  #special(name: string, args: readonly Exclude<PhpValue, Unresolved>[], node: PhpExpression): PhpValue | undefined {
    const [first, second] = args;
    if (name === 'dirname') {
      return typeof first === 'string' && first.length <= 4096 && (second === undefined || typeof second === 'bigint')
        ? parentOf(first, second ?? 1n)
        : undefined;
    }
    if (name === 'getenv' && typeof first === 'string' && this.#reading.options.environment?.has(first) === true)
      return this.#reading.options.environment.get(first);
    if (name === 'getenv')
      return this.#reading.unresolved(
        node,
        typeof first === 'string'
          ? `comes from the environment variable ${printable(first)}`
          : 'comes from the environment',
      );
    if (name === 'defined') {
      const known = typeof first === 'string' ? this.#reading.state.constants.get(first) : undefined;
      if (known instanceof Unresolved) return known;
      return known !== undefined ? true : this.#reading.unresolved(node, 'asks for a constant that nothing here set');
    }
    if (name === 'constant') return typeof first === 'string' ? this.#expressions.constant(first, node) : undefined;
    const named = pathOf(first ?? null);
    const { workingDirectory } = this.#reading.options;
    if (named === null || !(named.startsWith('/') || workingDirectory !== undefined)) return undefined;
    const path = named.startsWith('/') ? named : `${workingDirectory}/${named}`;
    const found = this.#reading.options.files.probe(path);
    if (found === 'refused') return this.#reading.unresolved(node, 'depends on a file outside of what may be read');
    if (name === 'is_dir') return found === 'directory';
    return name === 'is_file' ? found === 'file' : found !== 'missing';
  }

  #define([name, value]: readonly PhpValue[], node: PhpExpression): PhpValue {
    const { constants } = this.#reading.state;
    if (typeof name !== 'string') {
      this.#reading.note('not-run', node, 'define() of a constant whose name is not known');
      return this.#reading.unresolved(node, 'defines a constant whose name is not known');
    }
    // PHP keeps the first value of a constant.
    if (!constants.has(name)) constants.set(name, value ?? null);
    return true;
  }

  #foreignCall(name: string | null, node: PhpExpression & { readonly kind: 'call' }): PhpValue {
    const reading = this.#reading;
    const body = name === null ? undefined : reading.functions.get(name);
    if (name === null || DANGEROUS.has(name)) this.#noteCall(name, node);
    if (name === 'extract' || name === 'parse_str') this.#expressions.forgetAll(node, `may have been set by ${name}()`);
    else if (name !== null && HARMLESS.has(name))
      for (const argument of node.arguments) this.#evaluateArgument(argument);
    else this.giveAway(node.arguments, node);
    if (body !== undefined) {
      reading.functions.delete(name ?? '');
      // A function sees the file's variables only through `global` and $GLOBALS.
      this.#expressions.pass(body, 'may have been changed by a function of the file');
      for (const variable of globalsOf(body))
        this.#expressions.forgetVariable(variable, node, 'may have been changed by a function of the file');
      reading.functions.set(name ?? '', body);
    }
    return reading.unresolved(
      node,
      name === null ? 'comes from a call that was not run' : `comes from ${printable(name)}(), which was not run`,
    );
  }

  /** What is handed to code that is not run may come back changed: it may take it by reference. */
  giveAway(args: readonly PhpArgument[], node: object): void {
    for (const argument of args) {
      if (argument.kind === 'variable' || argument.kind === 'offsetlookup')
        this.#expressions.forget(argument, node, 'was handed to code that was not run');
      else this.#evaluateArgument(argument);
    }
  }

  #evaluateArgument(argument: PhpArgument): void {
    if (argument.kind !== 'variadic' && argument.kind !== 'namedargument') this.#expressions.evaluate(argument);
  }

  noteEffect(node: PhpExpression): void {
    const reading = this.#reading;
    if (node.kind === 'eval') reading.note('not-run', node, 'eval() runs text as code: it was not run');
    else if (node.kind === 'encapsed') reading.note('not-run', node, 'backticks run a program: it was not run');
    else if (node.kind === 'include')
      reading.note('not-included', node, 'a file included from code that may or may not run was not read');
    else if (node.kind === 'call') {
      const name = functionName(node.what);
      if (name === null || DANGEROUS.has(name)) this.#noteCall(name, node);
      else if (name === 'define')
        reading.note('not-run', node, 'define() in code that may or may not run was not followed');
    }
  }

  #noteCall(name: string | null, node: PhpExpression & { readonly kind: 'call' }): void {
    if (name !== null) this.#reading.note('not-run', node, `${name}() was not run`);
    // Methods are left alone: every settings file has some, and they hold no variable of ours.
    else if (node.what.kind === 'variable')
      this.#reading.note('not-run', node, 'a function named by a variable was not run');
  }
}

const SPECIAL: ReadonlySet<string> = new Set([
  'define',
  'defined',
  'constant',
  'dirname',
  'getenv',
  'file_exists',
  'is_readable',
  'is_file',
  'is_dir',
]);

function functionName(what: PhpExpression): string | null {
  return what.kind === 'name' ? what.name.slice(what.name.lastIndexOf('\\') + 1).toLowerCase() : null;
}

function globalsOf(body: unknown): string[] {
  const found: string[] = [];
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) for (const item of node) visit(item);
    else if (typeof node === 'object' && node !== null) {
      if ('kind' in node && node.kind === 'global' && 'items' in node && Array.isArray(node.items)) {
        for (const item of node.items as { name?: unknown }[]) if (typeof item.name === 'string') found.push(item.name);
      }
      for (const child of Object.values(node)) visit(child);
    }
  };
  visit(body);
  return found;
}
