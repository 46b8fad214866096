/**
 * Reads files that tenants own, as root, without being led anywhere: the path that is opened must lie
 * in one of the given roots after all symbolic links are followed, and so must the file that was
 * really opened, whatever was swapped in between.
 */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readlinkSync,
  readSync,
  realpathSync,
  statSync,
} from 'node:fs';
import type { PhpFile, PhpFiles } from '../lib/php-reading.ts';
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
      const file = readBeneath(path, isAllowed);
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
  };
}

/** Path of a directory without links if it lies in one of the roots; else the reason why not. */
export function directoryBeneath(
  path: string,
  roots: readonly string[],
): { readonly path: string } | { readonly refused: string } {
  try {
    const real = realpathSync(path);
    if (!roots.some((root) => isBeneath(real, root))) return { refused: 'lies outside of the home' };
    return statSync(real).isDirectory() ? { path: real } : { refused: 'is not a directory' };
  } catch (error) {
    return { refused: isMissing(error) ? 'does not exist' : `can not be read (${codeOf(error)})` };
  }
}

export function isBeneath(path: string, root: string): boolean {
  return path === root || path.startsWith(root === '/' ? '/' : `${root}/`);
}

function readBeneath(path: string, isAllowed: (path: string) => boolean): PhpFile {
  let descriptor: number | null = null;
  try {
    const real = realpathSync(path);
    if (!isAllowed(real)) return { kind: 'refused', why: 'it lies outside of the home' };
    // Not blocking, so that a FIFO in place of the file does not hold us up.
    descriptor = openSync(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY);
    const stat = fstatSync(descriptor);
    if (!stat.isFile()) return { kind: 'refused', why: 'it is not a regular file' };
    if (stat.size > MAX_PHP_FILE_BYTES)
      return { kind: 'refused', why: `it is larger than ${MAX_PHP_FILE_BYTES} bytes` };
    const opened = readlinkSync(`/proc/self/fd/${descriptor}`);
    if (!isAllowed(opened)) return { kind: 'refused', why: 'it was moved out of the home while it was opened' };
    return { kind: 'read', path: opened, bytes: readAll(descriptor) };
  } catch (error) {
    if (isMissing(error)) return { kind: 'missing' };
    return { kind: 'refused', why: `it can not be read (${codeOf(error)})` };
  } finally {
    if (descriptor !== null) closeSync(descriptor);
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

// A file that grows while it is read ends at one byte over the limit, which the parser refuses.
function readAll(descriptor: number): Uint8Array {
  const buffer = Buffer.alloc(MAX_PHP_FILE_BYTES + 1);
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
