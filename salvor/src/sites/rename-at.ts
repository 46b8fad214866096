/** A site's new name in one value of its settings: in paths and links anywhere, alone where that is the value's meaning. */
import type { LiteralPlace } from '../lib/php-literals.ts';
import { lastName } from './connection-fields.ts';
import { type Naming, escapePattern, oldNamesOf, renameInText } from './rename-in-text.ts';

/** Keys, variables and constants whose value is the site's name itself. */
const NAMES = new Set(['uri', 'cookie_domain', 'domain_current_site']);
/** Under which a cache that several sites use keeps what is this one's: with one prefix two sites would read each other's. */
const PREFIXES = new Set(
  'cache_prefix cache_key_prefix key_prefix prefix redis_prefix redis_cache_prefix memcache_key_prefix wp_cache_key_salt wp_redis_prefix'.split(
    ' ',
  ),
);
/** Whose value is the platform's root. */
const ROOTS = new Set(['root', 'publish_path']);

/** The value after the change; the same where nothing was to do. One character per byte. */
export function renameAt(place: LiteralPlace, value: string, naming: Naming): string {
  const { uri, root, context } = naming;
  const name = lastName(place);
  if (name !== null && NAMES.has(name)) {
    // `.example.com` is a cookie's way to say: and all hosts below.
    const dot = value.startsWith('.') ? '.' : '';
    if (oldNamesOf(naming).some((old) => value === dot + old)) return dot + uri.to;
  }
  if (
    name !== null &&
    PREFIXES.has(name) &&
    /^[.:_-]*$/.test(value.replace(uri.from, '')) &&
    value.startsWith(uri.from)
  )
    return uri.to + value.slice(uri.from.length);
  if (name !== null && ROOTS.has(name)) {
    if (context !== null && value === context.from.root) return context.to.root;
    if (value === root.from) return root.to;
  }
  if (name === 'platform' && context !== null && value === `@${context.from.name}`) return `@${context.to.name}`;
  if (isHostPattern(place)) return renamePattern(value, naming);
  return renameInText(value, naming);
}

/** Drupal's `trusted_host_patterns`: regular expressions of the hosts that the site answers to. */
function isHostPattern(place: LiteralPlace): boolean {
  return place.kind === 'variable' && [place.name, ...place.keys].includes('trusted_host_patterns');
}

function renamePattern(value: string, naming: Naming): string {
  const dotted = (name: string): string => name.replaceAll('.', '\\.');
  for (const old of oldNamesOf(naming))
    for (const spell of [dotted, (name: string) => name]) {
      const pattern = new RegExp(
        String.raw`(?<![A-Za-z0-9_-]|[A-Za-z0-9]\\?\.)${escapePattern(spell(old))}(?![A-Za-z0-9_-]|\\?\.[A-Za-z0-9])`,
        'g',
      );
      if (pattern.test(value)) return value.replace(pattern, () => spell(naming.uri.to));
    }
  return value;
}
