/** Owner, extended attributes, mode and times of what was restored, in the order in which none undoes another. */
import { chmodSync, lchownSync } from 'node:fs';
import { reasonOf, systemCode } from '../errors.ts';
import type { Problem } from '../errors.ts';
import { setTimes, setXattr } from '../libc.ts';
import { displayPath, systemPath } from '../tree/byte-path.ts';
import type { Metadata } from './restore-jobs.ts';

/** What can't be set is a problem; the content stands. `isLink`: modes of links do not exist on Linux. */
export function setMetadata(path: string, metadata: Metadata, isLink = false): Problem[] {
  const where = systemPath(path);
  const problems: Problem[] = [];
  const attempt = (what: string, set: () => void): void => {
    try {
      set();
    } catch (error) {
      problems.push({ code: `${what}-not-set`, path: displayPath(path), message: reasonOf(error) });
    }
  };
  const { uid, gid } = metadata;
  // The owner first: changing it takes setuid bits and file capabilities away.
  if (uid !== null && gid !== null) attempt('owner', () => lchownSync(where, uid, gid));
  for (const { name, value } of metadata.extendedAttributes) {
    attempt('attribute', () => {
      try {
        setXattr(where, name, value);
      } catch (error) {
        throw new Error(`${name}: ${systemCode(error)}`, { cause: error });
      }
    });
  }
  if (!isLink) attempt('mode', () => chmodSync(where, metadata.mode & 0o7777));
  attempt('time', () => setTimes(where, metadata.mtimeNs, metadata.mtimeNs));
  return problems;
}
