import { readFileSync } from 'node:fs';
import { NOBODY, type OsUser } from '../../lib/run.ts';

/** A host's own user for loads: no other program runs as it, as some do as `nobody`. */
const NAME = 'salvor-load';

/** The user without rights that a dump is loaded as: the host's `salvor-load` where it has one, else `nobody`. Never root. */
export function findLoadUser(passwd: string = '/etc/passwd'): OsUser {
  const line = readFileSync(passwd, 'utf8')
    .split('\n')
    .find((candidate) => candidate.startsWith(`${NAME}:`));
  const [, , uid, gid] = (line ?? '').split(':').map(Number);
  return uid === undefined || gid === undefined || !(uid > 0) || !(gid > 0) ? NOBODY : { uid, gid };
}
