/** Reading JSON that came from a disk: checked shapes, no trust. */
import { MAX_SMALL_FILE_BYTES } from '../limits.ts';

export type JsonObject = { readonly [key: string]: unknown };

/** Deeper than anything that is stored; and how long a text must be before its depth can cost anything. */
const MAX_DEPTH = 64;
const DEPTH_COUNTS_AFTER = 64 * 1024;

/** A small file. @throws RangeError where the text is too long, or no JSON object. */
export function parseSmallFile(text: string): JsonObject {
  if (text.length > MAX_SMALL_FILE_BYTES) throw new RangeError('it is too large');
  return parseObject(text);
}

/** @throws RangeError where the text is no JSON object, or is nested deeper than anything that is stored. */
export function parseObject(text: string): JsonObject {
  if (text.length > DEPTH_COUNTS_AFTER) refuseDepth(text);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new RangeError('it is not JSON', { cause: error });
  }
  if (!isObject(value)) throw new RangeError('it is not a JSON object');
  return value;
}

function refuseDepth(text: string): void {
  let depth = 0;
  let isText = false;
  for (let at = 0; at < text.length; at++) {
    const character = text.charCodeAt(at);
    if (isText) {
      if (character === 0x5c) at += 1;
      else if (character === 0x22) isText = false;
    } else if (character === 0x22) isText = true;
    else if (character === 0x5b || character === 0x7b) {
      depth += 1;
      if (depth > MAX_DEPTH) throw new RangeError('it is nested too deep');
    } else if (character === 0x5d || character === 0x7d) depth -= 1;
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A member that must be text; `fallback` where it may be absent. */
export function textOf(object: JsonObject, name: string, fallback?: string): string {
  const value = object[name] ?? fallback;
  if (typeof value !== 'string') throw new RangeError(`"${name}" is not text`);
  return value;
}

/** A member that must be a whole number of at least zero that JavaScript holds exactly. */
export function countOf(object: JsonObject, name: string, fallback?: number): number {
  const value = object[name] ?? fallback;
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw new RangeError(`"${name}" is not a count`);
  return value;
}

/** A member that must be a list; null and absence are the empty one, as Go writes it. */
export function listOf(object: JsonObject, name: string): readonly unknown[] {
  const value = object[name] ?? [];
  if (!Array.isArray(value)) throw new RangeError(`"${name}" is not a list`);
  return value as readonly unknown[];
}

/** A member that must be a list of texts. */
export function textsOf(object: JsonObject, name: string): readonly string[] {
  return listOf(object, name).map((value) => {
    if (typeof value !== 'string') throw new RangeError(`"${name}" holds something that is not text`);
    return value;
  });
}
