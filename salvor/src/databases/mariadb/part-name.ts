/**
 * The names of a dump's files and of their directory: in the order of names the files concatenate to one dump.
 */
import { createHash } from 'node:crypto';

/** What a file system, a URL and a shell all take; the number in front keeps cut names apart. */
const MAX_NAME_BYTES = 200;

/** `000012-na%C3%AFve.sql`. */
export function makePartName(number: number, name: string): string {
  return `${String(number).padStart(6, '0')}-${encodeName(name)}.sql`;
}

/**
 * The directory of a database's dump. A name that is cut has something of its own behind it; one of dots alone would be no
 * name.
 */
export function makeDirectoryName(name: string): string {
  const encoded = encodeName(name).replace(/^\.+$/, (dots) => '%2E'.repeat(dots.length));
  if (encoded.length <= MAX_NAME_BYTES - 3) return encoded;
  return `${encoded}~${createHash('sha256').update(name).digest('hex').slice(0, 8)}`;
}

/** Every byte outside `A-Za-z0-9_.-` as `%XX`, cut at 200 bytes, never inside a `%XX`. */
function encodeName(name: string): string {
  let encoded = '';
  for (const byte of Buffer.from(name)) {
    const character = String.fromCharCode(byte);
    const next = /[A-Za-z0-9_.-]/.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    if (encoded.length + next.length > MAX_NAME_BYTES) break;
    encoded += next;
  }
  return encoded;
}
