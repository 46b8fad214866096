/**
 * The names of a dump's files: in the order of names they concatenate to one dump.
 */

/** What a file system, a URL and a shell all take; the number in front keeps cut names apart. */
const MAX_NAME_BYTES = 200;

/** `000012-na%C3%AFve.sql`: every byte outside `A-Za-z0-9_.-` as `%XX`, the name cut at 200 bytes, never inside a `%XX`. */
export function makePartName(number: number, name: string): string {
  let encoded = '';
  for (const byte of Buffer.from(name)) {
    const character = String.fromCharCode(byte);
    const next = /[A-Za-z0-9_.-]/.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    if (encoded.length + next.length > MAX_NAME_BYTES) break;
    encoded += next;
  }
  return `${String(number).padStart(6, '0')}-${encoded}.sql`;
}
