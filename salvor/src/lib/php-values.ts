/**
 * Values of PHP source that is read as data. A string is held with one character per byte, as PHP
 * has it; `toText` turns it into text at the border. A value that could not be worked out is an
 * `Unresolved` that says why and where: it spreads through everything made from it, and nothing
 * ever guesses in its place.
 *
 * Values never change: an array is copied when it is written to, and shared until then.
 */
export class Unresolved {
  /** Ends the sentence "it could not be worked out, because it ..." ; holds no value of the source. */
  readonly why: string;
  readonly file: string;
  readonly line: number;

  constructor(why: string, file: string, line: number) {
    this.why = why;
    this.file = file;
    this.line = line;
  }
}

export type PhpKey = bigint | string;
/** Whole numbers are `bigint`, floating ones `number`. */
export type PhpValue = null | boolean | bigint | number | string | PhpArray | Unresolved;

export class PhpArray {
  static readonly empty: PhpArray = new PhpArray(new Map());
  readonly entries: ReadonlyMap<PhpKey, PhpValue>;
  /** Where set, keys that are not among the entries may exist all the same, with unknown values. */
  readonly rest: Unresolved | null;

  constructor(entries: ReadonlyMap<PhpKey, PhpValue>, rest: Unresolved | null = null) {
    this.entries = entries;
    this.rest = rest;
  }

  /** `undefined` where the key certainly does not exist. */
  get(key: PhpKey): PhpValue | undefined {
    return this.entries.get(key) ?? (this.entries.has(key) ? null : (this.rest ?? undefined));
  }

  with(key: PhpKey, value: PhpValue): PhpArray {
    return new PhpArray(new Map(this.entries).set(key, value), this.rest);
  }

  without(key: PhpKey): PhpArray {
    const entries = new Map(this.entries);
    // Beside unknown keys only an entry that reads as null says that this one is gone.
    if (this.rest === null) entries.delete(key);
    else entries.set(key, null);
    return new PhpArray(entries, this.rest);
  }

  /** The key that `[] =` uses; null where unknown keys may be in the way. */
  nextKey(): bigint | null {
    if (this.rest !== null) return null;
    let next = 0n;
    for (const key of this.entries.keys()) if (typeof key === 'bigint' && key >= next) next = key + 1n;
    return next;
  }
}

/** Array of a plain record of texts, as the world hands them in (`$_SERVER`). */
export function phpArrayOf(record: Readonly<Record<string, string>>, rest: Unresolved | null = null): PhpArray {
  return new PhpArray(new Map(Object.entries(record).map(([key, text]) => [toKey(key) ?? key, fromText(text)])), rest);
}

export function fromText(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** Text of a string value; null where its bytes are not UTF-8. */
export function toText(value: string): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(value, 'latin1'));
  } catch {
    return null;
  }
}

/** The key that PHP makes of a value in `[…]`; null for values that cannot be one. */
export function toKey(value: PhpValue): PhpKey | null {
  if (typeof value === 'string') {
    const isWhole = /^(?:0|-?[1-9][0-9]{0,18})$/.test(value);
    return isWhole && inRange(BigInt(value)) ? BigInt(value) : value;
  }
  if (typeof value === 'bigint') return value;
  if (typeof value === 'boolean') return value ? 1n : 0n;
  if (typeof value === 'number') return Number.isFinite(value) ? BigInt(Math.trunc(value)) : null;
  return value === null ? '' : null;
}

/** What `(string)` gives; null where it depends on PHP's configuration, or is an error. */
export function toPhpString(value: Exclude<PhpValue, Unresolved>): string | null {
  if (typeof value === 'string') return value;
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'boolean') return value ? '1' : '';
  if (value === null) return '';
  if (value instanceof PhpArray) return null;
  // PHP prints floats with `precision` digits, 14 by default: only what is short is certain.
  const size = Math.abs(value);
  const text = String(value);
  const isCertain = size === 0 || (size >= 1e-4 && size < 1e14 && text.replace(/[-.]/g, '').length <= 14);
  return isCertain && !Object.is(value, -0) ? text : null;
}

export function toBoolean(value: Exclude<PhpValue, Unresolved>): boolean | Unresolved {
  if (value instanceof PhpArray) return value.entries.size > 0 || (value.rest ?? false);
  return !(value === null || value === false || value === 0n || value === 0 || value === '' || value === '0');
}

export function toNumber(value: PhpValue): bigint | number | null {
  if (typeof value === 'bigint' || typeof value === 'number') return value;
  if (typeof value === 'boolean') return value ? 1n : 0n;
  if (value === null) return 0n;
  // Longer ones are no number that anybody writes, and slow to match.
  if (typeof value !== 'string' || value.length > 64) return null;
  if (/^\s*[-+]?\d{1,18}\s*$/.test(value)) return BigInt(value.trim().replace(/^\+/, ''));
  return /^\s*[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?\s*$/i.test(value) ? Number(value) : null;
}

/** PHP's whole numbers have 64 bits; beyond that it goes on in floating point. */
export function inRange(value: bigint): boolean {
  return value >= -(2n ** 63n) && value < 2n ** 63n;
}

/**
 * The value after a branch of which nobody knows whether it ran: what is equal on both sides stays,
 * the rest becomes `unsure`. `spend` is told of every entry looked at.
 */
export function mergeValues(
  a: PhpValue | undefined,
  b: PhpValue | undefined,
  unsure: Unresolved,
  spend: (steps: number) => void,
): PhpValue {
  spend(1);
  if (a !== undefined && a === b) return a;
  if (!(a instanceof PhpArray && b instanceof PhpArray)) {
    // Of two reasons the older one is nearer to the cause.
    if (a instanceof Unresolved) return a;
    return b instanceof Unresolved ? b : unsure;
  }
  const entries = new Map<PhpKey, PhpValue>();
  for (const key of new Set([...a.entries.keys(), ...b.entries.keys()])) {
    entries.set(key, mergeValues(a.get(key), b.get(key), unsure, spend));
  }
  return new PhpArray(entries, a.rest ?? b.rest);
}

/** A name out of the source, safe to show. */
export function printable(name: string): string {
  return name.replace(/[^\x20-\x7e]/g, '?').slice(0, 60);
}
