/** Files of a repository in a directory: their modes, and what makes a change of a directory last. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { systemCode } from '../errors.ts';

export const DIRECTORY_MODE = 0o700;
/** Files are never written twice. */
export const FILE_MODE = 0o400;

/** Whether an error says that a path is not there. */
export const isAbsent = (error: unknown): boolean => systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR';

/** Waits until the names in a directory survive a loss of power. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
