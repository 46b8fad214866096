/**
 * Names in a directory that a tenant may change while we look: no component of its path is a link when it is opened, and
 * what is read is what was opened. Bounded, because a tenant decides how many there are.
 */
import { type Dir, type Dirent, opendirSync, readlinkSync } from 'node:fs';
import { openRoot } from '../lib/beneath/open-directory.ts';
import { errnoOf } from '../lib/errno.ts';

/** Flat directories of a hundred thousand uploads occur; what lies in them is never a site. */
export const MAX_ENTRIES = 100_000;

export type ListedDirectory = {
  readonly names: ReadonlySet<string>;
  /** Real ones: a link to a directory is among the links. In the order of their names, as the links are. */
  readonly directories: readonly string[];
  readonly links: readonly string[];
  /** Names of directories that are not UTF-8, made readable. */
  readonly foreign: readonly string[];
  /** There are more entries than were read. */
  readonly isCut: boolean;
};

/** `path` is absolute and without links. `refused` is null where it is gone or was swapped for a link meanwhile. */
export function listDirectory(
  path: string,
  maxEntries: number = MAX_ENTRIES,
): ListedDirectory | { readonly refused: string | null } {
  try {
    using directory = openRoot(path);
    const through = `/proc/self/fd/${directory.fd}`;
    // A link above the last part would show here.
    return readlinkSync(through) === path ? readNames(through, maxEntries) : { refused: null };
  } catch (error) {
    const code = errnoOf(error) ?? 'unknown';
    return { refused: ['ENOENT', 'ENOTDIR', 'ELOOP'].includes(code) ? null : `it can not be read (${code})` };
  }
}

function readNames(path: string, maxEntries: number): ListedDirectory {
  const names = new Set<string>();
  const found = { directories: [] as string[], links: [] as string[], foreign: [] as string[] };
  let count = 0;
  let isCut = false;
  // Node's types know no reading of names as bytes here, which is what tells foreign ones.
  const directory = opendirSync(path, { encoding: 'buffer', bufferSize: 256 } as never);
  try {
    for (let entry = next(directory); entry !== null; entry = next(directory)) {
      if (++count > maxEntries) {
        isCut = true;
        break;
      }
      const name = decodeName(entry.name);
      if (name === null) {
        if (entry.isDirectory()) found.foreign.push(showBytes(entry.name));
        continue;
      }
      names.add(name);
      if (entry.isDirectory()) found.directories.push(name);
      else if (entry.isSymbolicLink()) found.links.push(name);
    }
  } finally {
    directory.closeSync();
  }
  return { names, directories: found.directories.sort(), links: found.links.sort(), foreign: found.foreign, isCut };
}

function next(directory: Dir): Dirent<Buffer> | null {
  return directory.readSync() as Dirent<Buffer> | null;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Null for bytes that are not UTF-8. */
function decodeName(name: Uint8Array): string | null {
  try {
    return UTF8.decode(name);
  } catch {
    return null;
  }
}

/** ASCII as it is, every other byte as `\xHH`. */
function showBytes(name: Uint8Array): string {
  return Buffer.from(name)
    .toString('latin1')
    .replace(/[^\x20-\x7e]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
