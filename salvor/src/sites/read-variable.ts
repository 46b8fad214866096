/** One variable of a PHP file that stands alone, worked out as PHP would; what it includes is missing. */
import { evaluatePhp } from '../lib/php-evaluate.ts';
import { PhpArray, Unresolved } from '../lib/php-values.ts';
import type { PhpKey, PhpValue } from '../lib/php-values.ts';

const SELF = '/file.php';

/** Null where the file can not be read as PHP. The variable is an empty array before its first line. */
export function readVariable(bytes: Uint8Array, name: string): PhpValue | null {
  const result = evaluatePhp(SELF, {
    files: {
      read: (path) => (path === SELF ? { kind: 'read', path, bytes } : { kind: 'missing' }),
      probe: (path) => (path === SELF ? 'file' : 'missing'),
    },
    variables: { [name]: PhpArray.empty },
  });
  return result.ok ? (result.variables.get(name) ?? null) : null;
}

/** Whether both are the same to the last key, in the same order; what can't be told is the same as what can't be told. */
export function isSameValue(a: PhpValue | undefined, b: PhpValue | undefined): boolean {
  if (!(a instanceof PhpArray && b instanceof PhpArray))
    return a === b || (a instanceof Unresolved && b instanceof Unresolved && a.why === b.why);
  if (a.entries.size !== b.entries.size || (a.rest === null) !== (b.rest === null)) return false;
  const others: readonly (readonly [PhpKey, PhpValue])[] = [...b.entries];
  return [...a.entries].every(
    ([key, value], index) => others[index]?.[0] === key && isSameValue(value, others[index]?.[1]),
  );
}
