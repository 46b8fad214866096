/** Looks that never throw: what may not be looked at counts as not there. Links are themselves, and not what they lead to. */
import { lstatSync, type Stats } from 'node:fs';

export function isThere(path: string): boolean {
  return look(path) !== undefined;
}

export function isRealDirectory(path: string): boolean {
  return look(path)?.isDirectory() === true;
}

function look(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}
