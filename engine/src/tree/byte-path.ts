/**
 * Paths as byte strings: one character per byte (latin1). Names on Linux are bytes, not text; this form keeps every
 * byte, sorts as the bytes sort, and costs no buffer where a name is ASCII.
 */
const ASCII = /^[\u0000-\u007f]*$/;

/** What Node's file system calls take: the same text where it is ASCII, else a buffer. */
export function systemPath(bytes: string): string | Buffer {
  return ASCII.test(bytes) ? bytes : Buffer.from(bytes, 'latin1');
}

/** From ordinary text (UTF-8). */
export function byteString(text: string): string {
  return ASCII.test(text) ? text : Buffer.from(text).toString('latin1');
}

/** For people: what is not UTF-8 shows as replacement characters. */
export function displayPath(bytes: string): string {
  return ASCII.test(bytes) ? bytes : Buffer.from(bytes, 'latin1').toString('utf8');
}

/** Joins a directory and a name. */
export function joinBytes(directory: string, name: string): string {
  return directory.endsWith('/') ? `${directory}${name}` : `${directory}/${name}`;
}
