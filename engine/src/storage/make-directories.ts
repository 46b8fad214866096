/** Makes a directory and those above it that are missing. */
import { lstatSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { systemCode } from '../errors.ts';

/**
 * Node's own `recursive` mode never returns where the system denies that a directory's parent exists while it shows
 * it (`/proc/x`), so the way up ends at the first path that is there.
 * @throws the system's error where one can't be made, or a file is in the way.
 */
export function makeDirectories(path: string, mode: number): void {
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    if (systemCode(error) === 'EEXIST' && lstatSync(path).isDirectory()) return;
    const above = dirname(path);
    if (systemCode(error) !== 'ENOENT' || above === path || isThere(above)) throw error;
    makeDirectories(above, mode);
    mkdirSync(path, { mode });
  }
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
