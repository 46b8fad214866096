/**
 * File names as restic's trees hold them: Go's strconv.Quote without its outer quotes, so that names which are not
 * UTF-8 survive JSON. "Printable" is what Unicode 15.0 says, as in the Go releases that build restic 0.16 to 0.19.
 *
 * Names are handled as byte strings here and in the walk: one character per byte (latin1), which compares and sorts
 * as the bytes do and costs no buffer per name.
 */
import { UNPRINTABLE_BELOW_0600, isPrintable } from './printable.ts';

const PLAIN_ASCII = /^[ !#-[\]-~]*$/;

const SHORT: Readonly<Record<number, string>> = {
  7: '\\a',
  8: '\\b',
  9: '\\t',
  10: '\\n',
  11: '\\v',
  12: '\\f',
  13: '\\r',
  34: '\\"',
  92: '\\\\',
};
const UNSHORT: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  t: '\t',
  n: '\n',
  v: '\v',
  f: '\f',
  r: '\r',
  '"': '"',
  '\\': '\\',
  "'": "'",
};

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');

/** The character that starts at `at` in UTF-8 bytes, or null where the bytes are not valid UTF-8 there. */
function decodeAt(bytes: string, at: number): { code: number; length: number } | null {
  const first = bytes.charCodeAt(at);
  const length = first < 0x80 ? 1 : first >= 0xf0 && first < 0xf5 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0;
  if (length === 0 || first >= 0xf5 || at + length > bytes.length) return null;
  let code = length === 1 ? first : first & (0xff >> (length + 1));
  for (let i = 1; i < length; i++) {
    const next = bytes.charCodeAt(at + i);
    if ((next & 0xc0) !== 0x80) return null;
    code = (code << 6) | (next & 0x3f);
  }
  const isOverlong = (length === 3 && code < 0x800) || (length === 4 && code < 0x10000);
  if (isOverlong || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return null;
  return { code, length };
}

/** Quotes a name given as a byte string; the result is ordinary text, still to be written as a JSON string. */
export function quoteName(bytes: string): string {
  if (PLAIN_ASCII.test(bytes)) return bytes;
  let out = '';
  for (let at = 0; at < bytes.length;) {
    const decoded = decodeAt(bytes, at);
    if (decoded === null) {
      out += `\\x${hex(bytes.charCodeAt(at), 2)}`;
      at += 1;
      continue;
    }
    out += quoteCode(decoded.code);
    at += decoded.length;
  }
  return out;
}

function quoteCode(code: number): string {
  const short = SHORT[code];
  if (short !== undefined) return short;
  if (code < 0x20 || code === 0x7f) return `\\x${hex(code, 2)}`;
  if (code < 0x7f) return String.fromCharCode(code);
  if (code < 0x600 ? !UNPRINTABLE_BELOW_0600.has(code) : isPrintable(code)) return String.fromCodePoint(code);
  return code <= 0xffff ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`;
}

const ESCAPE = /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(["'\\abfnrtv]))/y;

/**
 * The byte string of a quoted name, as any version of restic wrote it.
 * @throws RangeError where a backslash starts nothing known.
 */
export function unquoteName(quoted: string): string {
  if (PLAIN_ASCII.test(quoted)) return quoted;
  let out = '';
  let at = 0;
  while (at < quoted.length) {
    const slash = quoted.indexOf('\\', at);
    const literal = quoted.slice(at, slash === -1 ? quoted.length : slash);
    out += Buffer.from(literal).toString('latin1');
    if (slash === -1) break;
    ESCAPE.lastIndex = slash;
    const match = ESCAPE.exec(quoted);
    if (match === null) throw new RangeError('a name holds an unknown escape');
    const [whole, byte, short, long, octal, letter] = match;
    if (byte !== undefined) out += String.fromCharCode(Number.parseInt(byte, 16));
    else if (octal !== undefined) out += String.fromCharCode(Number.parseInt(octal, 8) & 0xff);
    else if (letter !== undefined) out += UNSHORT[letter] ?? '';
    else out += Buffer.from(String.fromCodePoint(Number.parseInt(short ?? long ?? '0', 16))).toString('latin1');
    at = slash + whole.length;
  }
  return out;
}
