/**
 * Bytes of PHP string literals. The parser's own unescaping is not exact (`'\\\''`, `\u{…}`), so it
 * is done here from the raw source, one character per byte on both sides.
 */
import type { Encapsed } from './php-syntax.ts';

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  v: '\v',
  e: '\x1b',
  f: '\f',
  '\\': '\\',
  $: '$',
};

/** Value of a whole literal with its quotes (and `b` in front); null where its end is missing. */
export function decodeLiteral(raw: string): string | null {
  const literal = raw.replace(/^b/i, '');
  const quote = literal[0];
  const body = literal.slice(1, -1);
  if ((quote !== "'" && quote !== '"') || literal.length < 2 || literal.at(-1) !== quote) return null;
  // The last quote only ends the literal if the backslashes before it pair up.
  let backslashes = 0;
  while (body.at(-1 - backslashes) === '\\') backslashes++;
  if (backslashes % 2 === 1) return null;
  return quote === "'" ? body.replace(/\\([\\'])/g, '$1') : decodeEscapes(body, '"');
}

/**
 * Backslash escapes of a double-quoted string or (with an empty quote) of a heredoc. Null for a code
 * point that PHP refuses.
 */
export function decodeEscapes(body: string, quote: '"' | ''): string | null {
  let isValid = true;
  const decoded = body.replace(
    /\\(?:([ntrvef\\$"])|[xX]([0-9A-Fa-f]{1,2})|u\{([^}]*)\}|([0-7]{1,3}))/g,
    (whole, letter?: string, hex?: string, point?: string, octal?: string) => {
      if (letter !== undefined) return letter === '"' ? (quote === '"' ? '"' : whole) : (ESCAPES[letter] ?? whole);
      if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
      if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8) & 0xff);
      const bytes = /^[0-9A-Fa-f]+$/.test(point ?? '') ? encodeCodePoint(Number.parseInt(point ?? '', 16)) : null;
      if (bytes === null) isValid = false;
      return bytes ?? whole;
    },
  );
  return isValid ? decoded : null;
}

/**
 * The raw text of each part of an interpolated string, heredoc's indentation and its last line end
 * taken off. Parts that are expressions are null.
 */
export function rawParts(node: Encapsed): readonly (string | null)[] {
  const raws = node.value.map((part) => (part.syntax === null ? (part.expression.raw ?? '') : null));
  if (node.type !== 'heredoc') return raws;
  const closing = /(?:^|[\r\n])([ \t]*)[A-Za-z0-9_\x80-\xff]+$/.exec(node.raw);
  const indentation = closing?.[1] ?? '';
  return raws.map((raw, index) => {
    if (raw === null) return null;
    const isLast = index === raws.length - 1;
    let text = isLast ? raw.replace(/(?:^|\r\n|\n|\r)[ \t]*$/, '') : raw;
    if (indentation === '') return text;
    const lines = new RegExp(`(\\r\\n|\\n|\\r)[ \\t]{1,${indentation.length}}`, 'g');
    text = text.replace(lines, '$1');
    return index === 0 ? text.replace(new RegExp(`^[ \\t]{1,${indentation.length}}`), '') : text;
  });
}

// PHP writes surrogates out as they are, which text encoders refuse to.
function encodeCodePoint(point: number): string | null {
  if (point > 0x10ffff) return null;
  if (point < 0x80) return String.fromCharCode(point);
  const tail = (shift: number): number => 0x80 | ((point >> shift) & 0x3f);
  if (point < 0x800) return String.fromCharCode(0xc0 | (point >> 6), tail(0));
  if (point < 0x10000) return String.fromCharCode(0xe0 | (point >> 12), tail(6), tail(0));
  return String.fromCharCode(0xf0 | (point >> 18), tail(12), tail(6), tail(0));
}
