import { lstatSync } from 'node:fs';

/** Whether something has this path, also a link that leads nowhere. Throws what the system says of a way that is closed. */
export function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
