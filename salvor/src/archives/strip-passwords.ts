/**
 * Takes the database passwords out of a settings file, as data: the text of literals at the places that hold them is
 * replaced, and nothing else of the file changes. Knows no site and no archive.
 *
 *   literals and their places → those that hold a password → replaced → read again: no password may be left
 *
 * What still holds one then (a password put together from pieces, in a text that runs as code, in a file that does not
 * parse) is not written: the caller leaves the file out and says so.
 */
import { evaluatePhp } from '../lib/php-evaluate.ts';
import {
  type PhpLiteral,
  type Replacement,
  encodeLiteral,
  findLiterals,
  replaceInSource,
} from '../lib/php-literals.ts';
import { MAX_PHP_FILE_BYTES } from '../lib/php-syntax.ts';
import { PhpArray, type PhpValue } from '../lib/php-values.ts';
import { isOpenPlace, isPasswordName, isPasswordPlace, replaceInUrls } from './password-places.ts';
import { textToName } from './tar/tar-member.ts';

export type Secrets = {
  /** Passwords of the site's databases, wherever they stand. */
  readonly passwords: readonly string[];
  /** Names, users, hosts: a password that equals one of them can't be told from it, and is looked for at its places only. */
  readonly open: readonly string[];
  /** What stands in a password's place afterwards; may be empty. */
  readonly replacement: string;
};

export type StrippedFile =
  | { readonly kind: 'clean' }
  | { readonly kind: 'stripped'; readonly bytes: Uint8Array; readonly places: number }
  | { readonly kind: 'left'; readonly why: string };

/** Larger files hold no settings: they are searched by whoever asks, and not parsed. */
export const MAX_SETTINGS_BYTES = MAX_PHP_FILE_BYTES;

/** Settings files of Drupal, Aegir and WordPress, their copies, and environment files; by the last part of a path. */
export function isSettingsFile(name: string): boolean {
  return SETTINGS.test(name) || isEnvironmentFile(name);
}

const SETTINGS =
  /(?:^|[._-])(?:settings|drushrc|wp-config|db-config|database)(?:[._-][^/]*)?\.(?:php|inc)(?:[._~-][^/]*)?$/i;

function isEnvironmentFile(name: string): boolean {
  return /^\.env(?:\.[^/]*)?$/.test(name);
}

export function stripPasswords(name: string, bytes: Uint8Array, secrets: Secrets): StrippedFile {
  const needles = needlesOf(secrets);
  const stripped = isEnvironmentFile(name) ? stripLines(bytes, secrets) : stripPhp(bytes, secrets, needles);
  if (stripped === null) {
    const holds = holdsAny(bytes, needles) || MAY_HOLD.test(Buffer.from(bytes).toString('latin1'));
    return holds ? { kind: 'left', why: 'it can’t be read as PHP' } : { kind: 'clean' };
  }
  if (holdsAny(stripped.bytes, needles)) return { kind: 'left', why: 'a password stands in it where none is expected' };
  if (!isEnvironmentFile(name) && evaluatesTo(stripped.bytes, secrets, needles))
    return { kind: 'left', why: 'it puts a password together from pieces' };
  return stripped.places === 0 ? { kind: 'clean' } : { kind: 'stripped', ...stripped };
}

/** Whether a file of any kind holds a password that can be told from an ordinary word. */
export function holdsPassword(bytes: Uint8Array, secrets: Secrets): boolean {
  return holdsAny(bytes, needlesOf(secrets));
}

const MAY_HOLD = /db_passwd|DB_PASSWORD|\$databases|\$db_url/;

type Stripped = { readonly bytes: Uint8Array; readonly places: number };

function stripPhp(bytes: Uint8Array, secrets: Secrets, needles: readonly string[]): Stripped | null {
  const found = findLiterals(bytes);
  if (found === null) return null;
  const placeholder = encodeLiteral(textToName(secrets.replacement));
  const replacements: Replacement[] = [];
  for (const literal of found.literals) {
    const text = strippedText(literal, secrets, needles, placeholder);
    if (text !== null) replacements.push({ start: literal.start, end: literal.end, text });
  }
  const source = Buffer.from(bytes).toString('latin1');
  for (const { start, end } of found.comments) {
    const comment = source.slice(start, end);
    const text = withoutNeedles(comment, needles, '***');
    if (text !== comment) replacements.push({ start, end, text });
  }
  const replaced = replaceInSource(bytes, replacements);
  // Whatever went wrong on the way: the same program with other values must have come out.
  const again = findLiterals(replaced);
  if (again === null || again.literals.length !== found.literals.length) return null;
  return { bytes: replaced, places: replacements.length };
}

/** The literal's new text; null where it stays. */
function strippedText(
  { value, place, isWhole }: PhpLiteral,
  secrets: Secrets,
  needles: readonly string[],
  placeholder: string,
): string | null {
  if (isPasswordPlace(place)) return value === '' ? null : isWhole ? placeholder : '';
  if (!isWhole) return null;
  const url = replaceInUrls(value, secrets.replacement);
  if (url !== null) return encodeLiteral(url);
  if (isOpenPlace(place)) return null;
  if (needles.includes(value)) return placeholder;
  const without = withoutNeedles(value, needles, secrets.replacement);
  return without === value ? null : encodeLiteral(without);
}

/** `NAME=value` lines; quotes stay. */
function stripLines(bytes: Uint8Array, secrets: Secrets): Stripped {
  let places = 0;
  const lines = Buffer.from(bytes)
    .toString('latin1')
    .split('\n')
    .map((line) => {
      const match = /^(\s*(?:export\s+)?([A-Za-z_][\w.]*)\s*=\s*)(.*?)(\s*)$/.exec(line);
      const [, head = '', name = '', value = '', tail = ''] = match ?? [];
      if (value === '') return line;
      const quote = /^(["']).*\1$/.exec(value)?.[1] ?? '';
      const replaced = isPasswordName(name)
        ? quote + secrets.replacement + quote
        : (replaceInUrls(value, secrets.replacement) ?? value);
      if (replaced !== value) places += 1;
      return head + replaced + tail;
    });
  return { bytes: Buffer.from(lines.join('\n'), 'latin1'), places };
}

/** Shorter ones would be found everywhere. */
const MIN_NEEDLE_LENGTH = 6;

/** The spellings in which a password that can be told from other words may stand in a file, longest first. */
function needlesOf({ passwords, open }: Secrets): string[] {
  const needles = new Set<string>();
  for (const password of passwords) {
    if (password.length < MIN_NEEDLE_LENGTH || open.some((word) => word.includes(password))) continue;
    for (const spelling of [
      password,
      encodeURIComponent(password),
      phpUrlEncode(password),
      encodeLiteral(password).slice(1, -1),
      password.replace(/[\\"$]/g, '\\$&'),
      Buffer.from(password).toString('base64'),
    ])
      needles.add(textToName(spelling));
  }
  return [...needles].toSorted((a, b) => b.length - a.length);
}

/** As PHP's `urlencode`. */
function phpUrlEncode(text: string): string {
  return encodeURIComponent(text)
    .replace(/[!'()*~]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+');
}

function withoutNeedles(text: string, needles: readonly string[], replacement: string): string {
  return needles.reduce((rest, needle) => rest.replaceAll(needle, replacement), text);
}

function holdsAny(bytes: Uint8Array, needles: readonly string[]): boolean {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return needles.some((needle) => buffer.includes(needle, 0, 'latin1'));
}

/** Whether any value of the file, worked out as PHP would, is or holds a password. */
function evaluatesTo(bytes: Uint8Array, secrets: Secrets, needles: readonly string[]): boolean {
  const result = evaluatePhp(SELF, {
    files: {
      read: (path) => (path === SELF ? { kind: 'read', path, bytes } : { kind: 'missing' }),
      probe: (path) => (path === SELF ? 'file' : 'missing'),
    },
    variables: Object.fromEntries(
      ['databases', 'settings', 'conf', 'config', 'options'].map((name) => [name, PhpArray.empty]),
    ),
  });
  const passwords = new Set(secrets.passwords.filter((password) => password !== '').map(textToName));
  const holds = (value: PhpValue | undefined, isPassword: boolean): boolean => {
    if (typeof value === 'string')
      return (isPassword && passwords.has(value)) || needles.some((needle) => value.includes(needle));
    if (!(value instanceof PhpArray)) return false;
    return [...value.entries].some(([key, item]) =>
      holds(item, isPasswordPlace({ kind: 'variable', name: 'databases', keys: [String(key)] })),
    );
  };
  return (
    [...result.variables].some(([name, value]) =>
      holds(value, isPasswordPlace({ kind: 'variable', name, keys: [] })),
    ) || [...result.constants].some(([name, value]) => holds(value, isPasswordPlace({ kind: 'constant', name })))
  );
}

const SELF = '/settings.php';
