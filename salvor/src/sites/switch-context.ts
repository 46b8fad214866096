/**
 * Aegir's word on whether a site is switched on, `site_enabled` of its context: changed as data, with every other byte
 * of the file as it was.
 */
import { evaluatePhp, valueAt } from '../lib/php-evaluate.ts';
import { findLiterals, replaceInSource } from '../lib/php-literals.ts';
import type { PhpFiles } from '../lib/php-reading.ts';
import { PhpArray } from '../lib/php-values.ts';

const KEY = 'site_enabled';
/** What Aegir's versions have written for a truth. */
const VALUE = /^\s*(?:\]\s*=|=>)\s*(true|false|1|0|'1'|'0'|''|null)(?=\s*[,;)\]])/i;

/** The context file of the name with the other word in it. Null where it says nothing of it, or not so that it can be changed. */
export function switchContext(bytes: Uint8Array, name: string, isEnabled: boolean): Buffer | null {
  const source = Buffer.from(bytes).toString('latin1');
  const keys = findLiterals(bytes)?.literals.filter(({ value, place }) => value === KEY && place.kind === 'key') ?? [];
  const replacements = keys.flatMap(({ end }) => {
    const match = VALUE.exec(source.slice(end));
    const said = match?.[1];
    if (match === null || said === undefined) return [];
    const start = end + match[0].length - said.length;
    return [{ start, end: start + said.length, text: isEnabled ? 'true' : 'false' }];
  });
  if (replacements.length === 0 || replacements.length !== keys.length) return null;
  const changed = replaceInSource(bytes, replacements);
  return readEnabled(changed, name) === isEnabled ? changed : null;
}

function readEnabled(bytes: Uint8Array, name: string): boolean | null {
  const path = `/${name}.alias.drushrc.php`;
  const files: PhpFiles = {
    read: (asked) => (asked === path ? { kind: 'read', path, bytes } : { kind: 'missing' }),
    probe: (asked) => (asked === path ? 'file' : 'missing'),
  };
  const result = evaluatePhp(path, { files, variables: { aliases: PhpArray.empty } });
  const value = valueAt(valueAt(result.variables.get('aliases'), name), KEY);
  return typeof value === 'boolean' ? value : null;
}
