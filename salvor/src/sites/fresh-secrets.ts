/**
 * The secrets in a site's settings that its one-time log-in links, its tokens and WordPress's sessions are signed with. A copy
 * that has its origin's takes what was made for the origin. Owns which places hold one; what they become is the caller's to say.
 */
import type { PhpResult } from '../lib/php-evaluate.ts';
import type { LiteralPlace } from '../lib/php-literals.ts';
import { PhpArray, type PhpValue } from '../lib/php-values.ts';

/** Of WordPress, in the order of its sample file. */
const CONSTANTS: readonly string[] = ['AUTH', 'SECURE_AUTH', 'LOGGED_IN', 'NONCE', 'SECRET'].flatMap((name) => [
  `${name}_KEY`,
  `${name}_SALT`,
]);

/** Of Drupal 8 to 11 and of Backdrop: `$settings['hash_salt']`; of Drupal 7: `$drupal_hash_salt`. */
export function isSecretPlace(place: LiteralPlace): boolean {
  if (place.kind === 'constant') return CONSTANTS.includes(place.name);
  if (place.kind !== 'variable') return false;
  const { name, keys } = place;
  return keys.length === 0 ? name === 'drupal_hash_salt' : name === 'settings' && keys.join() === 'hash_salt';
}

/**
 * The secrets that a file says before and that it says after as well, by the names of their places. One that is empty is none:
 * Drupal makes it of the log-in then, which is another one.
 */
export function keptSecrets(before: PhpResult, after: PhpResult): readonly string[] {
  const [was, is] = [secretsOf(before), secretsOf(after)];
  return [...was].filter(([name, value]) => typeof value !== 'string' || is.get(name) === value).map(([name]) => name);
}

/** How many it says otherwise. */
export function countFresh(before: PhpResult, after: PhpResult): number {
  return secretsOf(before).size - keptSecrets(before, after).length;
}

function secretsOf({ variables, constants }: PhpResult): ReadonlyMap<string, PhpValue> {
  const settings = variables.get('settings');
  const found: (readonly [string, PhpValue | undefined])[] = [
    ["$settings['hash_salt']", settings instanceof PhpArray ? settings.get('hash_salt') : undefined],
    ['$drupal_hash_salt', variables.get('drupal_hash_salt')],
    ...CONSTANTS.map((name) => [name, constants.get(name)] as const),
  ];
  return new Map(found.filter((one): one is readonly [string, PhpValue] => isThere(one[1])));
}

function isThere(value: PhpValue | undefined): boolean {
  return value !== undefined && value !== null && value !== '';
}
