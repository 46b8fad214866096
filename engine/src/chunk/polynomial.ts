/**
 * Polynomials over GF(2) as bit patterns: bit i is the coefficient of x^i. A repository's chunker polynomial is
 * irreducible and of degree 53. Irreducibility is Ben-Or's test: gcd(P, x^(2^i) − x mod P) = 1 for i up to degree/2
 * (M. Ben-Or, "Probabilistic algorithms in finite fields", 1981).
 */
import { randomBytes } from 'node:crypto';
import type { Brand } from '../ids.ts';

/** An irreducible polynomial of degree 53. */
export type Polynomial = Brand<bigint, 'Polynomial'>;

export const POLYNOMIAL_DEGREE = 53;
const MAX_TRIES = 1_000_000;

/** Degree; −1 for zero. */
function degree(p: bigint): number {
  return p === 0n ? -1 : p.toString(2).length - 1;
}

/** Remainder of a division. */
export function modulo(value: bigint, divisor: bigint): bigint {
  const bits = degree(divisor);
  let rest = value;
  for (let at = degree(rest); at >= bits; at = degree(rest)) rest ^= divisor << BigInt(at - bits);
  return rest;
}

function multiplyModulo(a: bigint, b: bigint, divisor: bigint): bigint {
  let product = 0n;
  for (let shift = 0n, rest = b; rest > 0n; shift++, rest >>= 1n) if ((rest & 1n) === 1n) product ^= a << shift;
  return modulo(product, divisor);
}

function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  let [x, y] = [a, b];
  while (y !== 0n) [x, y] = [y, modulo(x, y)];
  return x;
}

/** Whether no two polynomials of lower degree multiply to `p`. */
export function isIrreducible(p: bigint): boolean {
  let power = 2n;
  for (let i = 1; i <= Math.floor(degree(p) / 2); i++) {
    power = multiplyModulo(power, power, p);
    if (greatestCommonDivisor(p, power ^ 2n) !== 1n) return false;
  }
  return degree(p) > 0;
}

/** Hexadecimal text of a config file. @throws RangeError where it is no polynomial that may be used. */
export function parsePolynomial(text: string): Polynomial {
  if (!/^[0-9a-fA-F]{1,16}$/.test(text)) throw new RangeError('its chunker polynomial is not hexadecimal');
  const p = BigInt(`0x${text}`);
  if (degree(p) !== POLYNOMIAL_DEGREE || !isIrreducible(p))
    throw new RangeError('its chunker polynomial is not irreducible of degree 53');
  return p as Polynomial;
}

/** A random one: 27 tries are needed on average. */
export function randomPolynomial(): Polynomial {
  for (let i = 0; i < MAX_TRIES; i++) {
    const p = (randomBytes(8).readBigUInt64LE() & ((1n << 54n) - 1n)) | (1n << 53n) | 1n;
    if (isIrreducible(p)) return p as Polynomial;
  }
  throw new RangeError('no irreducible polynomial was found: is the random source broken?');
}
