/** Archives that are being written: they have a name that says whose they are, and nothing else has. */
import { hash } from 'node:crypto';
import { type OpenDirectory, openDirectory, openRoot, reopenDirectory } from '../lib/beneath/open-directory.ts';
import { parseSafePath } from '../lib/beneath/safe-path.ts';
import { lookAt, spotIn, unlinkAt } from '../lib/beneath/spot.ts';

/** The name of what `writer` (a task's id) writes, until it gets its own. */
export function nameUnfinished(writer: string): string {
  return `.salvor-archive-${hash('sha256', writer).slice(0, 16)}.part`;
}

/** Whether a name is one of an archive that is being written, or that a crash left. */
export function isUnfinishedArchive(name: string): boolean {
  return /^\.salvor-archive-[0-9a-f]{16}\.part$/.test(name);
}

/**
 * Removes what a dead writer left in a directory of a home, or in the root itself where none is named. Nothing there, or no
 * such directory, is no error. Whatever a tenant puts in the way leads nowhere: it is the name in that very directory that
 * goes.
 */
export function removeUnfinished(home: string, directory: string | null, writer: string): boolean {
  let opened: OpenDirectory;
  try {
    using root = openRoot(home);
    opened = directory === null ? reopenDirectory(root) : openDirectory(root, parseSafePath(directory));
  } catch {
    return false;
  }
  using place = opened;
  const spot = spotIn(place, nameUnfinished(writer));
  if (lookAt(spot)?.isFile() !== true) return false;
  unlinkAt(spot);
  return true;
}
