/**
 * Reads files that tenants own, as root, without being led anywhere: the path must lie in one of the given roots
 * after all symbolic links are followed, and what it was then is opened below that root without following any.
 */
import { lstatSync, readSync, realpathSync, statSync } from 'node:fs';
import { openFileAt } from '../lib/beneath/read-file.ts';
import { openSpot } from '../lib/beneath/spot.ts';
import { type PhpFile, type PhpFiles, PhpSession } from '../lib/php-reading.ts';
import { MAX_PHP_FILE_BYTES } from '../lib/php-syntax.ts';

/**
 * Files beneath `roots` (absolute, without links). Beneath `sharedRoots` (what a host includes into
 * every site, as `/data/conf`) only files of root that everybody may read: no tenant sees more than he
 * could by himself.
 */
export function filesBeneath(roots: readonly string[], sharedRoots: readonly string[] = []): PhpFiles {
  const isAllowed = (path: string): boolean => [...roots, ...sharedRoots].some((root) => isBeneath(path, root));
  return {
    read(path) {
      const file = readBeneath(path, roots, sharedRoots);
      if (file.kind !== 'read' || roots.some((root) => isBeneath(file.path, root))) return file;
      const stat = statSync(file.path, { throwIfNoEntry: false });
      const isPublic = stat !== undefined && stat.uid === 0 && (stat.mode & 0o004) !== 0;
      return isPublic ? file : { kind: 'refused', why: 'it is not a file of root that everybody may read' };
    },
    probe(path) {
      try {
        const real = realpathSync(path);
        if (!isAllowed(real)) return 'refused';
        return lstatSync(real).isDirectory() ? 'directory' : 'file';
      } catch (error) {
        return isMissing(error) && isAllowed(nearestDirectory(path)) ? 'missing' : 'refused';
      }
    },
    session: new PhpSession(),
    isShared: (path) =>
      !roots.some((root) => isBeneath(path, root)) && sharedRoots.some((root) => isBeneath(path, root)),
  };
}

/** Path of a directory without links if it lies in one of the roots; else the reason why not. */
export function directoryBeneath(
  path: string,
  roots: readonly string[],
): { readonly path: string } | { readonly refused: string; readonly isOutside: boolean } {
  if (!path.startsWith('/')) return { refused: 'is no absolute path', isOutside: false };
  try {
    const real = realpathSync(path);
    if (!roots.some((root) => isBeneath(real, root))) return { refused: 'lies outside of the home', isOutside: true };
    return statSync(real).isDirectory() ? { path: real } : { refused: 'is not a directory', isOutside: false };
  } catch (error) {
    return { refused: isMissing(error) ? 'does not exist' : `can not be read (${codeOf(error)})`, isOutside: false };
  }
}

export function isBeneath(path: string, root: string): boolean {
  return path === root || path.startsWith(root === '/' ? '/' : `${root}/`);
}

function readBeneath(path: string, roots: readonly string[], shared: readonly string[]): PhpFile {
  try {
    const real = realpathSync(path);
    const root = [...roots, ...shared].find((candidate) => isBeneath(real, candidate));
    if (root === undefined) return { kind: 'refused', why: 'it lies outside of the home' };
    using spot = openSpot(root, real);
    using file = openFileAt(spot);
    if (file === null) return { kind: 'missing' };
    // Another tenant's settings would have us read, and later replace, his database.
    if (file.stat.nlink > 1n && file.stat.uid !== statSync(root, { bigint: true }).uid && roots.includes(root))
      return { kind: 'refused', why: `it is a hard link to a file of user ${file.stat.uid}` };
    if (file.stat.size > MAX_PHP_FILE_BYTES)
      return { kind: 'refused', why: `it is larger than ${MAX_PHP_FILE_BYTES} bytes` };
    return { kind: 'read', path: real, bytes: readAll(file.fd, Number(file.stat.size)) };
  } catch (error) {
    if (isMissing(error)) return { kind: 'missing' };
    if (codeOf(error) === 'not-a-file') return { kind: 'refused', why: 'it is not a regular file' };
    return { kind: 'refused', why: `it can not be read (${codeOf(error)})` };
  }
}

/** Real path of the deepest directory above something that does not exist. */
function nearestDirectory(path: string): string {
  const parent = path.slice(0, Math.max(path.lastIndexOf('/'), 0));
  if (parent === '') return '/';
  try {
    return realpathSync(parent);
  } catch (error) {
    return isMissing(error) ? nearestDirectory(parent) : '/';
  }
}

// A file that grows while it is read is taken as it was when it was opened; those of /proc, which say no size, are none of ours.
function readAll(descriptor: number, bytes: number): Uint8Array {
  const buffer = Buffer.alloc(bytes);
  let length = 0;
  while (length < buffer.length) {
    const count = readSync(descriptor, buffer, length, buffer.length - length, null);
    if (count === 0) break;
    length += count;
  }
  return Uint8Array.prototype.slice.call(buffer, 0, length);
}

function isMissing(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes(codeOf(error));
}

function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : 'unknown';
}
