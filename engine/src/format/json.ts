/** Reading JSON that came from a disk: checked shapes, no trust. */
export type JsonObject = { readonly [key: string]: unknown };

/** @throws RangeError where the text is no JSON object. */
export function parseObject(text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new RangeError('it is not JSON', { cause: error });
  }
  if (!isObject(value)) throw new RangeError('it is not a JSON object');
  return value;
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
