import { fstatSync } from 'node:fs';
import { relative } from 'node:path';
import { SalvorError } from '../../errors.ts';
import { type OpenDirectory, openRoot } from './open-directory.ts';
import { parseSafePath } from './safe-path.ts';
import { type OwnSpot, spotBeneath } from './spot.ts';

/**
 * Opens a directory that belongs to this user and that nobody else may write, as the directory itself says: its path may
 * lead through directories of others. Throws `staging-unsafe`.
 */
export function openOwnDirectory(path: string): OpenDirectory {
  const directory = openRoot(path);
  const stat = fstatSync(directory.fd);
  if (stat.uid === process.getuid?.() && (stat.mode & 0o022) === 0) return directory;
  directory[Symbol.dispose]();
  throw new SalvorError('staging-unsafe', { path });
}

/** Opens the directory that holds `path`, which lies below such a directory. */
export function openSpotOfOurs(root: string, path: string): OwnSpot {
  using directory = openOwnDirectory(root);
  return spotBeneath(directory, parseSafePath(relative(root, path)));
}
