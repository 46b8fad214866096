/**
 * File operations of root in directories that a tenant may write, led nowhere by what he puts there: everything is
 * done between open directories, and what is opened below one is opened component by component by the kernel, which
 * follows no link and no `..` (`openat2`). Whatever is moved or replaced meanwhile, what was opened stays what it was.
 *
 *   openRoot(home) → openDirectory / openSpot (a name in an open directory) → look, read, make, move, remove
 *                                                                           → hold (the very thing) → owner, mode, …
 *
 * Knows nothing of sites, accounts and staging places: whose ids may be touched is handed in.
 */
import { closeSync, constants, openSync } from 'node:fs';
import { openBeneath } from '@salvor/engine/libc';
import { SalvorError } from '../../errors.ts';
import { errnoOf } from '../errno.ts';
import { type SafePath, showSafePath } from './safe-path.ts';

/** A directory that stays the one that was opened, whatever its path names later. */
export type OpenDirectory = Disposable & {
  readonly fd: number;
  /** Where it was when it was opened, for messages. */
  readonly path: string;
};

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY;

/**
 * Opens a directory whose path is trusted but for its last part, which may not be a link: a home, a staging place.
 * Throws the system's errors.
 */
export function openRoot(path: string): OpenDirectory {
  return ownDirectory(openSync(path, DIRECTORY | constants.O_NOFOLLOW), path);
}

/** Opens a directory below another one. Throws `path-leads-out` where a link or (`onOneMount`) a mount is in the way. */
export function openDirectory(
  root: Pick<OpenDirectory, 'fd' | 'path'>,
  path: SafePath,
  options: { readonly onOneMount?: boolean } = {},
): OpenDirectory {
  const shown = `${root.path}/${showSafePath(path)}`;
  return ownDirectory(
    namingLinks(shown, () => openBeneath(root.fd, path, DIRECTORY, 0, options)),
    shown,
  );
}

/** A second descriptor of the same directory, to be closed by itself. */
export function reopenDirectory(directory: Pick<OpenDirectory, 'fd' | 'path'>): OpenDirectory {
  return ownDirectory(openBeneath(directory.fd, '.', DIRECTORY), directory.path);
}

/** A directory of which a descriptor is at hand; closing it closes the descriptor. */
function ownDirectory(fd: number, path: string): OpenDirectory {
  let isOpen = true;
  return {
    fd,
    path,
    [Symbol.dispose]: () => {
      if (isOpen) closeSync(fd);
      isOpen = false;
    },
  };
}

/** What the kernel says of a link in the way, in words that a person can act on. */
export function namingLinks<T>(path: string, open: () => T): T {
  try {
    return open();
  } catch (cause) {
    const code = errnoOf(cause);
    if (code !== 'ELOOP' && code !== 'EXDEV') throw cause;
    const what = code === 'ELOOP' ? 'a symbolic link' : 'a mount';
    throw new SalvorError('path-leads-out', { path, what }, { cause });
  }
}
