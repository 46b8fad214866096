/**
 * The process that works in a home as the account's user: it writes, lists and removes what it is told, below
 * one directory, and has no right that the tenant does not have himself. It holds no key, no password and no descriptor
 * but its three pipes; no environment; and nobody but root may look into it.
 *
 *   started as root → can't be inspected → becomes the user, for good → dies with its parent → answers requests
 *
 * The order matters: a process that was started as the tenant could be attached to by him before its first line. So it
 * drops its rights itself. By then it has read nothing but this program.
 *
 * Arguments: uid, gid, other groups with commas between (or -), and the process id of the parent.
 */
import { readFileSync } from 'node:fs';
import { dieWithParent, forbidInspection, forbidNewRights } from '@salvor/engine/libc';
import { serve } from './serve.ts';

function becomeUser(uid: number, gid: number, groups: readonly number[]): void {
  if (process.getuid?.() === uid) return;
  process.setgroups?.([...groups]);
  process.setgid?.(gid);
  process.setuid?.(uid);
}

/** Every thread has the user's ids, all four of them, and no capability: asked of the kernel, not of our own variables. */
function requireUser(uid: number, gid: number): void {
  const status = readFileSync('/proc/self/status', 'utf8');
  const four = (id: number): string => Array(4).fill(String(id)).join('\t');
  const isUser = status.includes(`\nUid:\t${four(uid)}\n`) && status.includes(`\nGid:\t${four(gid)}\n`);
  if (uid === 0 || !isUser || !/\nCapEff:\t0+\n/.test(status) || !/\nCapPrm:\t0+\n/.test(status))
    throw new Error('the rights of root were not given up');
}

const [uid = Number.NaN, gid = Number.NaN] = process.argv.slice(2, 4).map(Number);
const groups = (process.argv[4] ?? '-')
  .split(',')
  .filter((text) => text !== '-')
  .map(Number);
const parent = Number(process.argv[5]);

forbidInspection();
forbidNewRights();
becomeUser(uid, gid, groups);
// The change of user may have allowed it again, where the system is set to let it.
forbidInspection();
requireUser(uid, gid);
dieWithParent();
// A parent that had died before is not waited for.
if (process.ppid !== parent) process.exit(1);
process.umask(0o077);
await serve(process.stdin, process.stdout);
