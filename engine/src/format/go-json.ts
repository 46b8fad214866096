/**
 * Strings as Go's encoding/json writes them: tree ids are hashes of such text, so every byte counts.
 * It escapes `"` and `\`, control characters, and `<`, `>`, `&`, U+2028, U+2029; everything else is literal.
 */
const PLAIN = /^[ !#-%'-;=?-[\]-~]*$/;
const TO_ESCAPE =
  /["\\<>&\u0000-\u001f\u2028\u2029]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

const SHORT: Readonly<Record<string, string>> = { '"': '\\"', '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** The text between quotes, quotes included. */
export function goJsonString(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`;
  return `"${text.replace(TO_ESCAPE, (character) => {
    const code = character.charCodeAt(0);
    if (code >= 0xd800 && code <= 0xdfff) return '\\ufffd';
    return SHORT[character] ?? `\\u${code.toString(16).padStart(4, '0')}`;
  })}"`;
}
