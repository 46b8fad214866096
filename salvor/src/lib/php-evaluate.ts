/**
 * Reads PHP settings as data: what its variables and constants hold after the last line, worked out
 * from the source and never by running it. What can't be worked out is an `Unresolved` with its file
 * and line; what would have run (programs, eval, files that may not be read) is noted.
 *
 *   parse → statements in order → both sides of every unknown condition → merge
 */
import { PhpExpressions } from './php-expressions.ts';
import { PhpReading, PhpSession, PhpStop } from './php-reading.ts';
import type { PhpNote, PhpOptions } from './php-reading.ts';
import { PhpState } from './php-state.ts';
import type { PhpExpression, PhpStatement } from './php-syntax.ts';
import { mergeValues, PhpArray, Unresolved } from './php-values.ts';
import type { PhpKey, PhpValue } from './php-values.ts';

const MAX_INCLUDE_DEPTH = 10;
const MAX_FILES = 100;

export type PhpResult = {
  /** False: the file itself could not be read or parsed; the notes say why, and nothing else is known. */
  readonly ok: boolean;
  readonly variables: ReadonlyMap<string, PhpValue>;
  readonly constants: ReadonlyMap<string, PhpValue>;
  readonly notes: readonly PhpNote[];
};

/** Evaluates one file. Never throws for anything that the file says. */
export function evaluatePhp(path: string, options: PhpOptions): PhpResult {
  const variables = Object.entries(options.variables ?? {});
  if (options.server !== undefined) variables.push(['_SERVER', options.server]);
  const state = new PhpState(variables, Object.entries(options.constants ?? {}));
  const evaluation = new Evaluation(new PhpReading(options, state));
  return evaluation.run(path);
}

/** The value below a variable; undefined where it is certain that there is none. */
export function valueAt(value: PhpValue | undefined, ...keys: readonly PhpKey[]): PhpValue | undefined {
  let at = value;
  for (const key of keys) {
    if (at instanceof Unresolved) return at;
    if (!(at instanceof PhpArray)) return undefined;
    at = at.get(key);
  }
  return at;
}

class Evaluation {
  readonly #reading: PhpReading;
  readonly #expressions: PhpExpressions;

  constructor(reading: PhpReading) {
    this.#reading = reading;
    this.#expressions = new PhpExpressions(reading, (path, node) => this.#include(path, node));
  }

  run(path: string): PhpResult {
    const reading = this.#reading;
    const nowhere = { loc: { start: { line: 0 } } };
    let ok = false;
    try {
      const source = reading.options.files.read(path);
      reading.file = source.kind === 'read' ? source.path : path;
      if (source.kind !== 'read')
        reading.note('unreadable', nowhere, source.kind === 'missing' ? 'does not exist' : source.why);
      else ok = this.#file(source.path, source.bytes) !== null;
    } catch (error) {
      // The depth of the source is limited, that of the walks over it is the stack's.
      if (error instanceof RangeError) reading.note('too-large', nowhere, 'is nested too deeply');
      else if (!(error instanceof PhpStop)) throw error;
      // A program that ends itself still said what it said; a limit means that the rest is not known.
      ok = error instanceof PhpStop && error.kind !== 'limit';
      if (error instanceof PhpStop && error.kind === 'limit' && error.why !== '')
        reading.note('too-large', nowhere, error.why);
    }
    const { variables, constants } = reading.state;
    return { ok, variables: ok ? variables : new Map(), constants: ok ? constants : new Map(), notes: reading.notes };
  }

  /** Null: the file does not parse. */
  #file(path: string, bytes: Uint8Array): { readonly value: PhpValue } | null {
    const reading = this.#reading;
    const [outerFile, outerReturns] = [reading.file, reading.returns];
    reading.file = path;
    reading.returns = [];
    reading.included.add(path);
    reading.fileDepth++;
    try {
      const { session = new PhpSession() } = reading.options.files;
      // What a file includes others include too.
      const syntax = reading.fileDepth === 1 ? session.parseOnce(bytes) : session.parse(path, bytes);
      if (!syntax.ok) {
        reading.note(syntax.code, { loc: { start: { line: syntax.line } } }, syntax.message);
        return null;
      }
      return { value: this.#statements(syntax.statements) };
    } finally {
      reading.file = outerFile;
      reading.returns = outerReturns;
      reading.fileDepth--;
    }
  }

  /** A file's statements, up to its end and every `return` on the way. */
  #statements(statements: readonly PhpStatement[]): PhpValue {
    const reading = this.#reading;
    let ended: PhpStop | null = null;
    try {
      this.#block(statements);
      reading.returns.push({ state: reading.state.fork(), value: 1n });
    } catch (error) {
      if (!(error instanceof PhpStop) || error.kind === 'limit') throw error;
      ended = error;
    }
    const [first, ...others] = reading.returns;
    if (first === undefined) throw ended ?? new PhpStop('exit');
    if (others.length === 0 && ended === null) return first.value;
    const unsure = reading.unresolved(statements[0] ?? {}, 'depends on where an included file ends');
    reading.state.become(
      reading.returns.map(({ state }) => state),
      unsure,
      reading.spend,
    );
    return others.reduce<PhpValue>(
      (value, other) => mergeValues(value, other.value, unsure, reading.spend),
      first.value,
    );
  }

  #block(statements: readonly PhpStatement[]): void {
    // Functions and classes exist before the first line runs.
    for (const statement of statements) {
      if (statement.kind === 'function') this.#reading.functions.set(statement.name.name.toLowerCase(), statement.body);
    }
    for (const statement of statements) this.#reading.deeper(() => this.#statement(statement));
  }

  #statement(node: PhpStatement): void {
    const { evaluate } = this.#expressions;
    switch (node.kind) {
      case 'expressionstatement':
        evaluate(node.expression);
        return;
      case 'block':
      case 'namespace':
      case 'declare':
        this.#block(node.children);
        return;
      case 'if':
        this.#if(node);
        return;
      case 'unset':
        for (const variable of node.variables) this.#expressions.unset(variable);
        return;
      case 'constantstatement':
        for (const constant of node.constants) this.#constant('', constant);
        return;
      case 'class':
        for (const member of node.body) {
          for (const constant of member.constants ?? [])
            this.#constant(`${node.name?.name.toLowerCase() ?? ''}::`, constant);
        }
        return;
      case 'echo':
        for (const expression of node.expressions) evaluate(expression);
        return;
      case 'return': {
        const value = node.expr === null ? null : evaluate(node.expr);
        this.#reading.returns.push({ state: this.#reading.state.fork(), value });
        throw new PhpStop('return');
      }
      case 'throw':
        evaluate(node.what);
        throw new PhpStop('exit');
      case 'try':
        this.#try(node);
        return;
      case 'function':
      case 'interface':
      case 'trait':
      case 'enum':
      case 'inline':
      case 'noop':
      case 'usegroup':
      case 'global':
        return;
      case 'halt':
        this.#reading.returns.push({ state: this.#reading.state.fork(), value: 1n });
        throw new PhpStop('return');
      default:
        this.#expressions.pass(node, 'is changed in a loop or another place that only running it could tell');
    }
  }

  #if(node: PhpStatement & { readonly kind: 'if' }): void {
    const truth = this.#expressions.test(node.test);
    const whenTrue = (): void => this.#statement(node.body);
    const whenFalse = (): void => {
      const { alternate } = node;
      if (alternate !== null) this.#reading.deeper(() => this.#statement(alternate));
    };
    if (truth instanceof Unresolved) {
      const prefix = 'depends on a condition that ';
      const why = truth.why.startsWith(prefix) ? truth.why : `${prefix}${truth.why}`;
      this.#reading.either(new Unresolved(why, truth.file, truth.line), [whenTrue, whenFalse]);
    } else if (truth) whenTrue();
    else whenFalse();
  }

  #try(node: PhpStatement & { readonly kind: 'try' }): void {
    const unsure = this.#reading.unresolved(node, 'depends on whether something fails');
    this.#reading.either(unsure, [
      () => this.#statement(node.body),
      () => {
        this.#expressions.pass(node.body, 'depends on whether something fails');
        this.#expressions.pass(node.catches, 'depends on whether something fails');
      },
    ]);
    if (node.always !== null) this.#statement(node.always);
  }

  #constant(
    prefix: string,
    constant: { readonly name: string | { readonly name: string }; readonly value: PhpExpression },
  ): void {
    const name = `${prefix}${typeof constant.name === 'string' ? constant.name : constant.name.name}`;
    const { constants } = this.#reading.state;
    if (!constants.has(name)) constants.set(name, this.#expressions.evaluate(constant.value));
  }

  #include(path: string, node: PhpExpression & { readonly kind: 'include' }): PhpValue {
    const reading = this.#reading;
    const unknown = reading.unresolved(node, 'is given by an included file that was not read');
    const base = path.slice(path.lastIndexOf('/') + 1);
    if (reading.options.applicationFiles?.includes(base) === true) return unknown;
    // `http://`, `phar://`, `data:`: code from elsewhere.
    if (/^(?:[a-z][a-z0-9+.-]*:\/\/|data:)/i.test(path))
      return this.#refuse(path.slice(0, 60), 'it is no file of this host', node, unknown);
    for (const candidate of this.#candidates(path)) {
      const source = reading.options.files.read(candidate);
      if (source.kind === 'missing') continue;
      if (source.kind === 'refused') return this.#refuse(candidate, source.why, node, unknown);
      if (node.once && reading.included.has(source.path)) return true;
      if (reading.fileDepth >= MAX_INCLUDE_DEPTH || reading.included.size >= MAX_FILES) {
        return this.#refuse(candidate, 'too many files include each other', node, unknown);
      }
      const result = this.#file(source.path, source.bytes);
      if (result === null) throw new PhpStop('limit');
      return result.value;
    }
    if (!node.require) return false;
    return this.#refuse(path, 'it does not exist', node, unknown);
  }

  #refuse(path: string, why: string, node: PhpExpression, value: Unresolved): Unresolved {
    this.#reading.note('not-included', node, `the included file ${path} was not read: ${why}`);
    return value;
  }

  // As PHP looks: the working directory, then the directory of the file that includes.
  #candidates(path: string): string[] {
    if (path.startsWith('/')) return [path];
    const { workingDirectory } = this.#reading.options;
    const here = this.#reading.file.slice(0, this.#reading.file.lastIndexOf('/'));
    return [...(workingDirectory === undefined ? [] : [`${workingDirectory}/${path}`]), `${here}/${path}`];
  }
}
