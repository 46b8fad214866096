/**
 * Expressions of PHP source, worked out without running anything. Calls are made only to functions
 * whose result follows from their arguments; every other call, program and include that can't be read
 * is noted, and its result is unresolved.
 */
import { PhpCalls } from './php-calls.ts';
import { parentOf } from './php-functions.ts';
import { operate } from './php-operators.ts';
import { keyOf, nameOf, pathOf, placeOf, scanEffects, writtenBy } from './php-places.ts';
import type { Written } from './php-places.ts';
import { PhpStop } from './php-reading.ts';
import type { PhpReading } from './php-reading.ts';
import { decodeEscapes, decodeLiteral, rawParts } from './php-strings.ts';
import type { Encapsed, PhpEntry, PhpExpression } from './php-syntax.ts';
import { lineOfNode } from './php-syntax.ts';
import { fromText, inRange, PhpArray, printable, toBoolean, toNumber, toPhpString, Unresolved } from './php-values.ts';
import type { PhpValue } from './php-values.ts';

/** Reads the file of an `include` whose path is known, and gives the value that it returns. */
export type IncludeFile = (path: string, node: PhpExpression & { readonly kind: 'include' }) => PhpValue;

export class PhpExpressions {
  readonly #reading: PhpReading;
  readonly #include: IncludeFile;
  readonly #calls: PhpCalls;

  constructor(reading: PhpReading, include: IncludeFile) {
    this.#reading = reading;
    this.#include = include;
    this.#calls = new PhpCalls(reading, this);
  }

  readonly evaluate = (node: PhpExpression): PhpValue => this.#reading.deeper(() => this.#evaluate(node));

  #evaluate(node: PhpExpression): PhpValue {
    const reading = this.#reading;
    switch (node.kind) {
      case 'string':
        return decodeLiteral(node.raw) ?? this.#syntaxError(node, 'a string that does not end');
      case 'encapsed':
        return this.#interpolate(node);
      case 'nowdoc':
        return node.value;
      case 'number':
        return readNumber(node.value) ?? reading.unresolved(node, 'is a number that can not be held');
      case 'boolean':
        return node.value;
      case 'nullkeyword':
        return null;
      case 'magic':
        return this.#magic(node);
      case 'name':
        return this.constant(node.name.replace(/^\\/, ''), node);
      case 'staticlookup':
        return this.#classConstant(node);
      case 'variable':
      case 'offsetlookup':
        return (
          this.#look(node) ??
          (node.kind === 'offsetlookup' ? null : reading.unresolved(node, 'uses a variable that nothing set'))
        );
      case 'array':
        return this.#array(node.items, node);
      case 'assign':
        return this.#assign(node);
      case 'assignref':
        this.forget(node.left, node, 'is tied to another variable by reference');
        this.forget(node.right, node, 'is tied to another variable by reference');
        return reading.unresolved(node, 'is tied to another variable by reference');
      case 'bin':
        return this.#binary(node);
      case 'unary':
        return this.#unary(node.type, this.evaluate(node.what), node);
      case 'pre':
      case 'post':
        return this.#step(node);
      case 'cast':
        return this.#cast(node.type, this.evaluate(node.expr), node);
      case 'silent':
        return this.evaluate(node.expr);
      case 'retif':
        return this.#ternary(node);
      case 'isset':
        return this.#isSet(node);
      case 'empty': {
        const truth = toTruth(this.#look(node.expression) ?? null);
        return truth instanceof Unresolved ? truth : !truth;
      }
      case 'include':
        return this.#includeNode(node);
      case 'exit':
        if (node.expression !== null) this.evaluate(node.expression);
        throw new PhpStop('exit');
      case 'throw':
        throw new PhpStop('exit');
      case 'print':
        this.evaluate(node.expression);
        return 1n;
      case 'eval':
        reading.note('not-run', node, 'eval() runs text as code: it was not run');
        return reading.unresolved(node, 'comes from eval()');
      case 'call':
        return this.#calls.call(node);
      case 'new':
        this.#calls.giveAway(node.arguments, node);
        return reading.unresolved(node, 'is an object');
      case 'closure':
        for (const use of node.uses) if (use.byref) this.forgetVariable(use.name, node, 'is changed by a function');
        return reading.unresolved(node, 'is a function');
      default:
        return this.#unknown(node);
    }
  }

  /** From here on nobody knows what the variables that a write to `target` changes hold. */
  forget(target: PhpExpression, node: object, why: string): void {
    for (const written of writtenBy(target)) this.#forgetWritten(written, node, why);
  }

  #forgetWritten(written: Written, node: object, why: string): void {
    if (written === 'any') this.forgetAll(node, why);
    else if (written !== 'none') this.forgetVariable(written.variable, node, why);
  }

  unset(target: PhpExpression): void {
    const reading = this.#reading;
    const place = placeOf(target, reading, this.evaluate);
    if (place === null) this.forget(target, target, 'may have been removed through a variable whose name is not known');
    else
      reading.state.remove(place, reading.unresolved(target, 'is removed with a key that is not known'), reading.spend);
  }

  forgetVariable(variable: string, node: object, why: string): void {
    const unsure = this.#reading.unresolved(node, why);
    this.#reading.state.write({ variable, keys: [] }, unsure, unsure, this.#reading.spend);
  }

  forgetAll(node: object, why: string): void {
    for (const variable of this.#reading.state.variables.keys()) this.forgetVariable(variable, node, why);
  }

  /** Source that may run not at all, once or often: what it writes to is unresolved behind it. */
  pass(node: object, why: string): void {
    this.#reading.spend(1);
    scanEffects(
      node,
      (written) => {
        this.#reading.spend(1);
        this.#forgetWritten(written, node, why);
      },
      (effect) => {
        this.#reading.spend(1);
        this.#calls.noteEffect(effect);
      },
    );
  }

  /** The truth of a condition. */
  test(node: PhpExpression): boolean | Unresolved {
    return toTruth(this.evaluate(node));
  }

  #syntaxError(node: PhpExpression, message: string): Unresolved {
    this.#reading.note('syntax', node, message);
    throw new PhpStop('limit', '');
  }

  #unknown(node: PhpExpression): Unresolved {
    this.pass(node, 'is changed by code that only running it could tell');
    return this.#reading.unresolved(node, 'comes from code that only running it could tell');
  }

  #interpolate(node: Encapsed): PhpValue {
    const reading = this.#reading;
    if (node.type === 'shell') {
      reading.note('not-run', node, 'backticks run a program: it was not run');
      return reading.unresolved(node, 'is the output of a program');
    }
    const raws = rawParts(node);
    let text: PhpValue = '';
    for (const [index, part] of node.value.entries()) {
      const raw = raws[index];
      const value =
        raw == null
          ? this.evaluate(part.expression)
          : (decodeEscapes(raw, node.type === 'heredoc' ? '' : '"') ??
            this.#syntaxError(node, 'a code point that does not exist'));
      if (value instanceof Unresolved) return value;
      text = operate('.', text, value) ?? reading.unresolved(node, 'puts something into a string that is no text');
      if (text instanceof Unresolved) return text;
    }
    return text;
  }

  #magic(node: PhpExpression & { readonly kind: 'magic' }): PhpValue {
    const file = fromText(this.#reading.file);
    const name = node.value.toUpperCase();
    if (name === '__FILE__') return file;
    if (name === '__DIR__') return parentOf(file, 1n) ?? null;
    return name === '__LINE__' ? BigInt(lineOfNode(node)) : this.#reading.unresolved(node, `uses ${name}`);
  }

  constant(name: string, node: PhpExpression): PhpValue {
    const short = name.slice(name.lastIndexOf('\\') + 1);
    const value = this.#reading.state.constants.get(short) ?? this.#reading.options.wellKnown?.[short];
    if (value !== undefined) return value;
    const wellKnown = WELL_KNOWN[short.toUpperCase()];
    return wellKnown ?? this.#reading.unresolved(node, `uses the constant ${printable(short)}, which nothing set`);
  }

  #classConstant(node: PhpExpression & { readonly kind: 'staticlookup' }): PhpValue {
    if (node.what.kind === 'name' && node.offset.kind === 'identifier') {
      const className = node.what.name.slice(node.what.name.lastIndexOf('\\') + 1).toLowerCase();
      const name = `${className}::${node.offset.name}`;
      const value = this.#reading.state.constants.get(name) ?? this.#reading.options.wellKnown?.[name];
      if (value !== undefined) return value;
    }
    return this.#reading.unresolved(node, 'uses something of a class that was not read');
  }

  /** Value of a variable or an element; undefined where it is certain that there is none. */
  #look(node: PhpExpression): PhpValue | undefined {
    if (node.kind === 'variable') {
      const name = nameOf(node.name, this.evaluate);
      if (name === null) return this.#reading.unresolved(node, 'uses a variable whose name is not known');
      if (name === 'GLOBALS') return this.#reading.unresolved(node, 'uses all variables at once');
      return (
        this.#reading.state.variables.get(name) ??
        (this.#reading.state.variables.has(name) ? null : this.#unset(name, node))
      );
    }
    if (node.kind !== 'offsetlookup') return this.evaluate(node);
    const place = placeOf(node, this.#reading, this.evaluate);
    if (place !== null && place.keys.length === 0) return this.#reading.state.variables.get(place.variable);
    const holder = this.#look(node.what);
    const key =
      node.offset === false
        ? this.#reading.unresolved(node, 'reads [] of an array')
        : keyOf(node.offset, this.#reading, this.evaluate);
    if (holder instanceof Unresolved) return holder;
    if (key instanceof Unresolved) return key;
    if (holder === undefined || holder === null) return undefined;
    if (holder instanceof PhpArray) return holder.get(key);
    return this.#reading.unresolved(node, 'reads a letter of a string');
  }

  #unset(name: string, node: PhpExpression): Unresolved {
    const why = /^_(SERVER|ENV|GET|POST|COOKIE|REQUEST|FILES|SESSION)$/.test(name)
      ? 'comes from the request or its environment'
      : 'uses a variable that nothing set';
    return this.#reading.unresolved(node, `${why} ($${printable(name)})`);
  }

  #array(items: readonly (PhpEntry | PhpExpression | null)[], node: PhpExpression): PhpValue {
    const entries = new Map<bigint | string, PhpValue>();
    let next = 0n;
    for (const item of items) {
      const entry = item as PhpEntry | PhpExpression;
      if (item === null || entry.kind !== 'entry' || entry.unpack || entry.byRef) {
        const what = item === null || entry.kind !== 'entry' ? null : entry.value;
        if (entry?.kind === 'entry' && entry.byRef) this.forget(entry.value, node, 'is tied to an array by reference');
        else if (what !== null) this.evaluate(what);
        return this.#reading.unresolved(node, 'is an array made of another one');
      }
      const key = entry.key === null ? next : keyOf(entry.key, this.#reading, this.evaluate);
      const value = this.evaluate(entry.value);
      if (key instanceof Unresolved) return key;
      entries.set(key, value);
      if (typeof key === 'bigint' && key >= next) next = key + 1n;
    }
    return new PhpArray(entries);
  }

  #assign(node: PhpExpression & { readonly kind: 'assign' }): PhpValue {
    const reading = this.#reading;
    if (node.left.kind === 'list' || node.left.kind === 'array') {
      const value = this.evaluate(node.right);
      this.forget(node.left, node, 'is taken out of an array');
      return value;
    }
    if (node.operator === '??=') return this.#assignWhereUnset(node);
    const place = placeOf(node.left, reading, this.evaluate);
    const operator = node.operator.slice(0, -1);
    const before = operator === '' ? null : (this.#look(node.left) ?? null);
    const right = this.evaluate(node.right);
    const value = operator === '' ? right : this.#operate(operator, before, right, node);
    if (place === null)
      this.forget(node.left, node, 'may have been overwritten through a variable whose name is not known');
    else
      reading.state.write(
        place,
        value,
        reading.unresolved(node, 'is written to with a key that is not known'),
        reading.spend,
      );
    return value;
  }

  #assignWhereUnset(node: PhpExpression & { readonly kind: 'assign' }): PhpValue {
    const before = this.#look(node.left);
    const write = (): PhpValue => this.#assign({ ...node, operator: '=' });
    if (before instanceof Unresolved) return this.#either(before, [() => before, write]);
    return before ?? write();
  }

  #operate(operator: string, left: PhpValue, right: PhpValue, node: PhpExpression): PhpValue {
    if (left instanceof Unresolved) return left;
    if (right instanceof Unresolved) return right;
    this.#reading.spend(
      (left instanceof PhpArray ? left.entries.size : 0) + (right instanceof PhpArray ? right.entries.size : 0),
    );
    return (
      operate(operator, left, right) ??
      this.#reading.unresolved(node, `depends on how PHP works out “${operator}” here`)
    );
  }

  #binary(node: PhpExpression & { readonly kind: 'bin' }): PhpValue {
    switch (node.type) {
      case '&&':
      case 'and':
        return this.#shortCircuit(node, false);
      case '||':
      case 'or':
        return this.#shortCircuit(node, true);
      case '??': {
        const left = this.#look(node.left);
        if (left instanceof Unresolved) return this.#either(left, [() => left, () => this.evaluate(node.right)]);
        return left ?? this.evaluate(node.right);
      }
      case 'xor': {
        const [left, right] = [this.test(node.left), this.test(node.right)];
        if (left instanceof Unresolved) return left;
        return right instanceof Unresolved ? right : left !== right;
      }
      default:
        if (mixesConcatenation(node))
          return this.#reading.unresolved(node, 'mixes “.” and “+” without brackets, which PHP 8 reads in another way');
        return this.#operate(node.type, this.evaluate(node.left), this.evaluate(node.right), node);
    }
  }

  /** `decisive`: the truth of the left side that settles the whole. */
  #shortCircuit(node: PhpExpression & { readonly kind: 'bin' }, decisive: boolean): PhpValue {
    const left = this.test(node.left);
    if (left === decisive) return decisive;
    if (!(left instanceof Unresolved)) return this.test(node.right);
    const results = this.#reading.either<boolean | Unresolved>(left, [() => left, () => this.test(node.right)]);
    // Known where the right side settles it whatever the left one is, or where the program ended on the right.
    const right = results[1];
    return right === decisive ? decisive : left;
  }

  #either(cause: Unresolved, alternatives: readonly (() => PhpValue)[]): PhpValue {
    this.#reading.either(cause, alternatives);
    return cause;
  }

  #unary(operator: string, value: PhpValue, node: PhpExpression): PhpValue {
    if (value instanceof Unresolved) return value;
    if (operator === '!') {
      const truth = toBoolean(value);
      return truth instanceof Unresolved ? truth : !truth;
    }
    const number = toNumber(value);
    if (number !== null && operator === '+') return number;
    if (number !== null && operator === '-')
      return typeof number === 'bigint' && inRange(-number) ? -number : -Number(number);
    return typeof number === 'bigint' && operator === '~'
      ? ~number
      : this.#reading.unresolved(node, `depends on how PHP works out “${operator}” here`);
  }

  #step(node: PhpExpression & { readonly kind: 'pre' | 'post' }): PhpValue {
    const before = this.#look(node.what) ?? null;
    const after =
      typeof before === 'bigint'
        ? this.#operate(node.type, before, 1n, node)
        : this.#reading.unresolved(node, 'counts something that is not known');
    const place = placeOf(node.what, this.#reading, this.evaluate);
    if (place === null) this.forget(node.what, node, 'is counted up or down');
    else
      this.#reading.state.write(
        place,
        after,
        this.#reading.unresolved(node, 'is written to with a key that is not known'),
        this.#reading.spend,
      );
    return node.kind === 'pre' ? after : before;
  }

  #cast(type: string, value: PhpValue, node: PhpExpression): PhpValue {
    if (value instanceof Unresolved) return value;
    const unsure = this.#reading.unresolved(node, `depends on how PHP turns it into ${type}`);
    if (type === 'string') return toPhpString(value) ?? unsure;
    if (type === 'bool' || type === 'boolean') return toBoolean(value);
    if (type === 'array')
      return value instanceof PhpArray ? value : value === null ? PhpArray.empty : new PhpArray(new Map([[0n, value]]));
    const number = toNumber(value);
    if (type === 'int' || type === 'integer') return typeof number === 'bigint' ? number : unsure;
    return (type === 'float' || type === 'double') && number !== null ? Number(number) : unsure;
  }

  #ternary(node: PhpExpression & { readonly kind: 'retif' }): PhpValue {
    const { trueExpr, falseExpr } = node;
    const value = this.evaluate(node.test);
    const truth = toTruth(value);
    const whenTrue = (): PhpValue => (trueExpr === null ? value : this.evaluate(trueExpr));
    if (truth instanceof Unresolved) return this.#either(truth, [whenTrue, () => this.evaluate(falseExpr)]);
    return truth ? whenTrue() : this.evaluate(falseExpr);
  }

  #isSet(node: PhpExpression & { readonly kind: 'isset' }): PhpValue {
    for (const variable of node.variables) {
      const value = this.#look(variable);
      if (value instanceof Unresolved) return value;
      if (value === undefined || value === null) return false;
    }
    return true;
  }

  #includeNode(node: PhpExpression & { readonly kind: 'include' }): PhpValue {
    const target = this.evaluate(node.target);
    const path = pathOf(target);
    if (path !== null) return this.#include(path, node);
    const why = target instanceof Unresolved ? `its path ${target.why}` : 'its path is none';
    this.#reading.note('not-included', node, `an included file was not read: ${why}`);
    return this.#reading.unresolved(node, 'is given by an included file that was not read');
  }
}

const WELL_KNOWN: Readonly<Record<string, PhpValue>> = {
  TRUE: true,
  FALSE: false,
  NULL: null,
  DIRECTORY_SEPARATOR: '/',
  PATH_SEPARATOR: ':',
  PHP_EOL: '\n',
  PHP_INT_MAX: 2n ** 63n - 1n,
};

// `'a' . 1 + 2` is grouped to the left up to PHP 7, and as `'a' . (1 + 2)` since.
function mixesConcatenation(node: PhpExpression & { readonly kind: 'bin' }): boolean {
  const others = node.type === '.' ? ['+', '-', '<<', '>>'] : ['+', '-', '<<', '>>'].includes(node.type) ? ['.'] : [];
  return [node.left, node.right].some(
    (side) => side.kind === 'bin' && side.parenthesizedExpression !== true && others.includes(side.type),
  );
}

function toTruth(value: PhpValue): boolean | Unresolved {
  return value instanceof Unresolved ? value : toBoolean(value);
}

function readNumber(text: string): bigint | number | null {
  const plain = text.replaceAll('_', '').toLowerCase();
  if (/^0o?[0-7]+$/.test(plain)) return whole(`0o${plain.replace(/^0o?/, '')}`);
  if (/^(0x[0-9a-f]+|0b[01]+|\d+)$/.test(plain)) return whole(plain);
  return /^[\d.]+(e[-+]?\d+)?$/.test(plain) ? Number(plain) : null;
}

function whole(text: string): bigint | number {
  const value = BigInt(text);
  return inRange(value) ? value : Number(value);
}
