import { type Stats, lstatSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { SalvorError } from '../../errors.ts';

/**
 * Root runs what lies in the program's directory, at every boot. Throws `program-exposed` where another user may change a
 * file of it or put another directory in its place, and `program-missing` where there is none.
 */
export function requireTrustedProgram(program: string): void {
  if (lstatSync(join(program, 'bin/salvor'), { throwIfNoEntry: false }) === undefined)
    throw new SalvorError('program-missing', { program });
  for (let at = dirname(program); ; at = dirname(at)) {
    // In a directory like /tmp others add files, and can't take away what is not theirs.
    const stat = lstatSync(at);
    requireOurs(at, stat, (stat.mode & 0o1000) !== 0);
    if (at === '/') break;
  }
  requireTree(program);
}

function requireTree(path: string): void {
  const stat = lstatSync(path);
  requireOurs(path, stat, stat.isSymbolicLink());
  if (!stat.isDirectory()) return;
  // What git keeps is never run.
  for (const name of readdirSync(path)) if (name !== '.git') requireTree(join(path, name));
}

function requireOurs(path: string, { uid, mode }: Stats, isWritable: boolean): void {
  const ours = process.getuid?.() ?? 0;
  if (uid !== 0 && uid !== ours) throw new SalvorError('program-exposed', { path, why: `it belongs to user ${uid}` });
  if (!isWritable && (mode & 0o022) !== 0)
    throw new SalvorError('program-exposed', { path, why: 'others may write it' });
}
