import { readFileSync } from 'node:fs';
import type { Problem } from '@salvor/contract';

/** A switch of the kernel: with 1 nobody makes a hard link to a file that he could not write. */
const SWITCH = '/proc/sys/fs/protected_hardlinks';

/**
 * A host on which tenants can make hard links to other people's files. Salvor refuses such files by their owner, but
 * every other program of the host that works as root in a home is led to them. `file` is another one for tests.
 */
export function findUnprotectedLinks(file: string = SWITCH): readonly Problem[] {
  let value: string;
  try {
    value = readFileSync(file, 'utf8').trim();
  } catch {
    // A kernel without the switch is older than any that is supported.
    return [];
  }
  if (value !== '0') return [];
  const message =
    'fs.protected_hardlinks is 0: tenants can make hard links to files of others; set it to 1 in /etc/sysctl.d';
  return [{ code: 'hard-links-unprotected', path: file, message }];
}
