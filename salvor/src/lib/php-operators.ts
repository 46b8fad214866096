/** PHP's operators on values that are known. Undefined: the result can't be told for certain. */
import { inRange, PhpArray, toNumber, toPhpString } from './php-values.ts';
import type { PhpValue, Unresolved } from './php-values.ts';

type Known = Exclude<PhpValue, Unresolved>;

/** Keeps `$a .= $a` from growing without end. */
const MAX_STRING_BYTES = 1 << 20;

/** Everything but the short-circuit ones. */
export function operate(operator: string, left: Known, right: Known): PhpValue | undefined {
  switch (operator) {
    case '.':
      return concatenate(left, right);
    case '===':
      return isIdentical(left, right);
    case '!==':
      return negate(isIdentical(left, right));
    case '==':
      return isEqual(left, right);
    case '!=':
    case '<>':
      return negate(isEqual(left, right));
    case '+':
      if (left instanceof PhpArray && right instanceof PhpArray) return union(left, right);
      return calculate(operator, left, right);
    default:
      return calculate(operator, left, right);
  }
}

function concatenate(left: Known, right: Known): string | undefined {
  const [a, b] = [toPhpString(left), toPhpString(right)];
  return a === null || b === null || a.length + b.length > MAX_STRING_BYTES ? undefined : a + b;
}

// Entries of the left side win.
function union(left: PhpArray, right: PhpArray): PhpArray | undefined {
  if (left.rest !== null) return undefined;
  return new PhpArray(
    new Map([...left.entries, ...[...right.entries].filter(([key]) => !left.entries.has(key))]),
    right.rest,
  );
}

function isIdentical(left: Known, right: Known): boolean | undefined {
  return left instanceof PhpArray && right instanceof PhpArray ? left === right || undefined : left === right;
}

function isEqual(left: Known, right: Known): boolean | undefined {
  if (left instanceof PhpArray || right instanceof PhpArray) return undefined;
  if (typeof left === typeof right && left !== null && right !== null && typeof left !== 'string')
    return left === right;
  if (typeof left === 'string' && typeof right === 'string') {
    // Two numeric strings are compared as numbers.
    return left === right || (toNumber(left) !== null && toNumber(right) !== null ? undefined : false);
  }
  if (left === null && right === null) return true;
  if (left === null || right === null) {
    const other = left ?? right;
    return typeof other === 'string' ? other === '' : !isTrue(other);
  }
  if (typeof left === 'boolean' || typeof right === 'boolean') return isTrue(left) === isTrue(right);
  // A number beside text that is none: the answer changed with PHP 8.
  const [a, b] = [toNumber(left), toNumber(right)];
  return a === null || b === null ? undefined : Number(a) === Number(b);
}

function calculate(operator: string, left: Known, right: Known): PhpValue | undefined {
  const [a, b] = [toNumber(left), toNumber(right)];
  if (a === null || b === null) return undefined;
  switch (operator) {
    case '<':
      return typeof left === 'string' && typeof right === 'string' ? undefined : a < b;
    case '>':
      return typeof left === 'string' && typeof right === 'string' ? undefined : a > b;
    case '<=':
      return typeof left === 'string' && typeof right === 'string' ? undefined : a <= b;
    case '>=':
      return typeof left === 'string' && typeof right === 'string' ? undefined : a >= b;
    default:
      return arithmetic(operator, a, b);
  }
}

function arithmetic(operator: string, a: bigint | number, b: bigint | number): PhpValue | undefined {
  if (typeof a === 'bigint' && typeof b === 'bigint') {
    if (operator === '/' && b !== 0n && a % b !== 0n) return Number(a) / Number(b);
    const result = onWholeNumbers(operator, a, b);
    return result === undefined || inRange(result) ? result : undefined;
  }
  const [x, y] = [Number(a), Number(b)];
  if (operator === '+') return x + y;
  if (operator === '-') return x - y;
  if (operator === '*') return x * y;
  return operator === '/' && y !== 0 ? x / y : undefined;
}

function onWholeNumbers(operator: string, a: bigint, b: bigint): bigint | undefined {
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      return b === 0n ? undefined : a / b;
    case '%':
      return b === 0n ? undefined : a % b;
    case '|':
      return a | b;
    case '&':
      return a & b;
    case '^':
      return a ^ b;
    case '<<':
      return b >= 0n && b < 63n ? a << b : undefined;
    default:
      return undefined;
  }
}

function negate(claim: boolean | undefined): boolean | undefined {
  return claim === undefined ? undefined : !claim;
}

function isTrue(value: Known): boolean {
  return !(value === null || value === false || value === 0n || value === 0 || value === '' || value === '0');
}
