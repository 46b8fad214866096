/**
 * The file that keeps visitors out of a site for as long as it is switched off, where no virtual host says so: the one
 * that WordPress looks for, and other sites' web servers where they were told to.
 */
import { openFileAt, readPieces } from '../lib/beneath/read-file.ts';
import { openSpot } from '../lib/beneath/spot.ts';

/** The name that WordPress gave it. */
export const MAINTENANCE_FILE = '.maintenance';

/** WordPress takes no notice of a time that is ten minutes old, and this one never is. */
export const KEPT_CLOSED = '<?php $upgrading = time(); // switched off by salvor disable\n';

/** Whether the site's directory has it, as we write it. */
export function isKeptClosed(sitePath: string): boolean {
  try {
    using spot = openSpot(sitePath, `${sitePath}/${MAINTENANCE_FILE}`);
    using file = openFileAt(spot);
    if (file === null || Number(file.stat.size) !== KEPT_CLOSED.length) return false;
    return Buffer.concat([...readPieces(file)]).toString('latin1') === KEPT_CLOSED;
  } catch {
    // What can't be looked at says nothing.
    return false;
  }
}
