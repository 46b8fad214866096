/**
 * The PHP functions whose result follows from their arguments alone. Everything that is not here is
 * not called: its result is unresolved.
 */
import { toNumber, toPhpString, PhpArray, Unresolved } from './php-values.ts';
import type { PhpValue } from './php-values.ts';

type Known = Exclude<PhpValue, Unresolved>;

/** Result of a call with known arguments; undefined where it can't be told. */
export function callPure(name: string, args: readonly Known[]): PhpValue | undefined {
  if (TYPE_CHECKS[name] !== undefined && args.length === 1) return TYPE_CHECKS[name](args[0] ?? null);
  const texts: string[] = [];
  for (const arg of args) {
    const text = toPhpString(arg);
    if (text === null) return undefined;
    texts.push(text);
  }
  return TEXT_FUNCTIONS[name]?.(texts);
}

export function isPure(name: string): boolean {
  return Object.hasOwn(TEXT_FUNCTIONS, name) || Object.hasOwn(TYPE_CHECKS, name);
}

/**
 * Functions that neither change what they are given nor run or load code, seen in settings files:
 * calling them leaves every value as it is.
 */
export const HARMLESS: ReadonlySet<string> = new Set(
  (
    'apache_setenv array_key_exists count date date_default_timezone_set error_log error_reporting explode ' +
    'extension_loaded file_get_contents function_exists class_exists getenv gethostname header http_response_code ' +
    'in_array ini_get ini_set is_array is_numeric json_decode mb_internal_encoding parse_url php_sapi_name ' +
    'phpversion preg_quote print_r session_set_cookie_params set_time_limit setcookie setlocale sizeof ' +
    'spl_autoload_register str_contains str_ends_with str_starts_with stripos strpos strstr substr_count ' +
    'trigger_error umask var_export version_compare'
  ).split(' '),
);

/** Functions that start programs or turn text into code. */
export const DANGEROUS: ReadonlySet<string> = new Set(
  (
    'assert call_user_func call_user_func_array create_function dl exec extract forward_static_call ' +
    'forward_static_call_array include_file mail mb_parse_str parse_str passthru pcntl_exec pcntl_fork popen ' +
    'preg_replace_callback proc_open putenv register_shutdown_function shell_exec system file_put_contents fopen ' +
    'fsockopen unlink rename copy symlink link chmod chown mkdir rmdir curl_exec'
  ).split(' '),
);

const TYPE_CHECKS: Readonly<Record<string, (value: Known) => PhpValue>> = {
  is_string: (value) => typeof value === 'string',
  is_int: (value) => typeof value === 'bigint',
  is_null: (value) => value === null,
  is_bool: (value) => typeof value === 'boolean',
  is_array: (value) => value instanceof PhpArray,
};

type Texts = readonly string[];

const LEADING = /^[ \t\n\r\0\v]+/;

const TEXT_FUNCTIONS: Readonly<Record<string, (texts: Texts) => PhpValue | undefined>> = {
  urldecode: one((text) => percentDecode(text.replaceAll('+', ' '))),
  rawurldecode: one(percentDecode),
  urlencode: one((text) => percentEncode(text, /[A-Za-z0-9_.-]/).replaceAll('%20', '+')),
  rawurlencode: one((text) => percentEncode(text, /[A-Za-z0-9_.~-]/)),
  base64_decode: one((text) =>
    /^[A-Za-z0-9+/]*={0,2}$/.test(text) ? Buffer.from(text, 'base64').toString('latin1') : undefined,
  ),
  base64_encode: one((text) => Buffer.from(text, 'latin1').toString('base64')),
  // Only ASCII letters, as PHP 8 has it; older versions go by the locale.
  strtolower: one((text) => (isAscii(text) ? text.toLowerCase() : undefined)),
  strtoupper: one((text) => (isAscii(text) ? text.toUpperCase() : undefined)),
  trim: ([text, ...others]) =>
    others.length > 0 || text === undefined ? undefined : trimEnd([text.replace(LEADING, '')]),
  ltrim: one((text) => text.replace(LEADING, '')),
  rtrim: (texts) => trimEnd(texts),
  strlen: one((text) => BigInt(text.length)),
  strval: one((text) => text),
  intval: one((text) => {
    const number = toNumber(text);
    return typeof number === 'bigint' ? number : undefined;
  }),
  str_replace: ([search, replacement, subject, ...others]) =>
    search === undefined || search === '' || replacement === undefined || subject === undefined || others.length > 0
      ? undefined
      : subject.replaceAll(search, () => replacement),
  basename: one((text) => trimEnd([text, '/'])?.split('/').at(-1)),
};

/** `dirname()`, by PHP's rules; undefined for a depth that PHP refuses. */
export function parentOf(path: string, levels: bigint): string | undefined {
  if (levels < 1n || levels > 64n) return undefined;
  let parent = path;
  for (let level = 0n; level < levels; level++) {
    const trimmed = trimEnd([parent, '/']) ?? '';
    if (trimmed === '') return parent === '' ? '' : '/';
    const slash = trimmed.lastIndexOf('/');
    parent = slash === -1 ? '.' : trimEnd([trimmed.slice(0, slash), '/']) || '/';
  }
  return parent;
}

/** Percent signs that no two hexadecimal digits follow stay as they are, as in PHP. */
export function percentDecode(text: string): string {
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function percentEncode(text: string, plain: RegExp): string {
  return text.replace(/[^]/g, (byte) =>
    plain.test(byte) ? byte : `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}

function trimEnd([text, characters = ' \t\n\r\0\v', ...others]: Texts): string | undefined {
  // `a..b` is a range in PHP's list of characters.
  if (text === undefined || others.length > 0 || characters.includes('..')) return undefined;
  let end = text.length;
  while (end > 0 && characters.includes(text.charAt(end - 1))) end--;
  return text.slice(0, end);
}

function one(compute: (text: string) => PhpValue | undefined): (texts: Texts) => PhpValue | undefined {
  return (texts) => (texts.length === 1 && texts[0] !== undefined ? compute(texts[0]) : undefined);
}

function isAscii(text: string): boolean {
  return !/[\x80-\xff]/.test(text);
}
